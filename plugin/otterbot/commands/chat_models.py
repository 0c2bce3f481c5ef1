"""Chat models: whether a chat can work here, and the names that people type for them."""

from __future__ import annotations

from difflib import get_close_matches

from .. import texts
from ..errors import WorkerError
from ..worker.client import WorkerClient
from ..worker.info import Info, Models
from .context import known_models
from .outcome import Unusable
from .services import Services

FRESH_SECONDS = 5.0
MAX_NAME = 255


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


def answering_model(chosen: str | None, models: Models) -> str | None:
    """The name of the chat model that answers where ``chosen`` is set, as far as it is known."""
    chats = [model for model in models.models if model.kind == "chat" and model.available]
    wanted = (model.name for model in chats if (model.default if chosen is None else same(model.name, chosen)))
    return next(wanted, None)


def check_chat_model(name: str, models: Models | None, prefix: str) -> str | None:
    """The full name of a model that can chat; ``None`` if the worker's models are not known. Raises
    :class:`~.outcome.Unusable`."""
    if models is None:
        if len(name) > MAX_NAME or not name.isprintable() or " " in name:
            raise Unusable(texts.unknown_chat_model(name, (), prefix))
        return None
    chats = [model for model in models.models if model.kind == "chat"]
    found = next((model for model in chats if same(model.name, name)), None)
    if found is None:
        if any(model.name.casefold() == name.casefold() for model in models.models):
            raise Unusable(texts.image_model_cannot_chat(name, prefix))
        near = get_close_matches(name[:80].lower(), [model.name for model in chats], n=2, cutoff=0.5)
        raise Unusable(texts.unknown_chat_model(name, near, prefix))
    if not found.available:
        raise Unusable(texts.chat_model_broken(found.name, found.problem))
    return found.name


async def typed_chat_model(services: Services, name: str) -> str | None:
    """As :func:`check_chat_model`. Before a name is refused the worker is asked anew: the model may have been installed
    a moment ago."""
    prefix = services.config.current.prefix
    try:
        return check_chat_model(name, await known_models(services), prefix)
    except Unusable:
        return check_chat_model(name, await known_models(services, anew=True), prefix)
