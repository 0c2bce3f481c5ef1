"""Whether a chat can work here: what the worker says of its default, and our own ``chat.model`` against its list."""

from __future__ import annotations

from .. import texts
from ..errors import WorkerError
from ..worker.client import WorkerClient
from ..worker.info import Info

FRESH_SECONDS = 5.0


def same(one: str, other: str) -> bool:
    """``tiny`` and ``tiny:latest`` are one model of Ollama."""
    return _full(one) == _full(other)


def _full(name: str) -> str:
    return (name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest").lower()


async def chat_line(worker: WorkerClient, info: Info, own: str | None) -> str:
    """What ``!status`` says of chat; ``own``: the model of our settings, which goes before the worker's default."""
    if info.ollama == "off":
        return texts.chat_off_at_worker()
    if info.ollama != "reachable":
        return texts.chat_cannot(info.chat_problem, info.chat_backend)
    if own is None:
        if info.chat_problem is not None:
            return texts.chat_cannot(info.chat_problem)
        return texts.chat_ready(info.chat_model, info.chat_notice)
    try:
        chats = [model for model in (await worker.models(FRESH_SECONDS)).models if model.kind == "chat"]
    except WorkerError:
        return texts.chat_unsure(own)
    found = next((model for model in chats if same(model.name, own)), None)
    if found is None:
        return texts.chat_model_not_there(own, info.chat_backend)
    return texts.chat_ready(own) if found.available else texts.chat_cannot(found.problem)
