"""Ollama's JSON: names, lists and lines read with suspicion, and what every request says.

What is missing or of another kind becomes empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..calls import pieces
from ..chosen import Chosen
from ..reading import number
from ..records import ChatModel, Delta, ModelOptions

_GPT_OSS = re.compile(r"gpt-?oss", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A model in memory, as ``/api/ps`` has it (a model that is still loading is not in there). Bytes."""

    name: str
    size: int
    size_vram: int
    context: int | None
    digest: str = ""


def same(one: str, other: str) -> bool:
    """Whether two names mean one model."""
    return _full(one) == _full(other)


def _full(name: str) -> str:
    """``tiny`` and ``tiny:latest`` are one model."""
    return (name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest").lower()


def is_cloud(name: str) -> bool:
    """``x:cloud``, ``x:120b-cloud``: it runs on somebody else's machines."""
    return re.search(r"[:-]cloud$", name.lower()) is not None


def find(entries: Sequence[Loaded], name: str, digest: str) -> Loaded | None:
    """The entry of a model, under whichever name it was loaded. A name may have been given to another model since, so
    it counts only where no digest is known."""
    return next((e for e in entries if (e.digest == digest if e.digest and digest else same(e.name, name))), None)


def named(models: Sequence[ChatModel], name: str) -> ChatModel | None:
    return next((model for model in models if same(model.name, name)), None)


def name_for(models: Sequence[ChatModel], entry: Loaded) -> str | None:
    """A name by which a loaded model can be unloaded: the one it is listed under, unless that means another one now."""
    if not entry.digest:
        return entry.name
    names = [model.name for model in models if model.digest == entry.digest]
    return next((name for name in names if same(name, entry.name)), names[0] if names else None)


def context_of(shown: Mapping[str, Any]) -> int:
    """From ``/api/show``: the longest context that a model was trained for; 0: not said."""
    info = shown.get("model_info")
    pairs = info.items() if isinstance(info, Mapping) else ()
    return next((number(value) for name, value in pairs if str(name).endswith(".context_length")), 0)


def listed(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The models of ``/api/tags`` and ``/api/ps``."""
    entries = answer.get("models")
    return [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []


def chat_model(entry: Mapping[str, Any]) -> ChatModel:
    """From ``/api/tags``."""
    details, capabilities = entry.get("details"), entry.get("capabilities")
    details = details if isinstance(details, Mapping) else {}
    name = str(entry.get("name") or entry.get("model") or "")
    return ChatModel(
        name=name,
        size=number(entry.get("size")),
        parameters=str(details.get("parameter_size") or ""),
        capabilities=tuple(map(str, capabilities)) if isinstance(capabilities, list) else (),
        remote=bool(entry.get("remote_host") or entry.get("remote_model")) or is_cloud(name),
        digest=str(entry.get("digest") or "").removeprefix("sha256:"),
        context=number(details.get("context_length")),
        family=str(details.get("family") or ""),
    )


def loaded_model(entry: Mapping[str, Any]) -> Loaded:
    """From ``/api/ps``."""
    return Loaded(
        name=str(entry.get("model") or entry.get("name") or ""),
        size=number(entry.get("size")),
        size_vram=number(entry.get("size_vram")),
        context=number(entry.get("context_length")) or None,
        digest=str(entry.get("digest") or "").removeprefix("sha256:"),
    )


def prompt_of(answer: Mapping[str, Any]) -> str:
    """From ``/api/chat`` that was only to put the conversation together; empty where the server does not know that."""
    told = answer.get("_debug_info")
    prompt = told.get("rendered_template") if isinstance(told, Mapping) else None
    return prompt if isinstance(prompt, str) else ""


def delta(line: Mapping[str, Any], *, calls_before: int = 0) -> Delta:
    """From a line of ``/api/chat``. ``calls_before``: how many calls of tools came in those before, each of them whole
    in one line."""
    message = line.get("message")
    message = message if isinstance(message, Mapping) else {}
    text, thought, done = message.get("content"), message.get("thinking"), line.get("done") is True
    return Delta(
        text=text if isinstance(text, str) else "",
        thought=str(thought) if thought else "",
        done=done,
        cut=line.get("done_reason") == "length",
        prompt_tokens=number(line.get("prompt_eval_count")) if done else 0,
        answer_tokens=number(line.get("eval_count")) if done else 0,
        calls=pieces(message.get("tool_calls"), first=calls_before),
    )


# ---------------------------------------------------------------- requests


def think(name: str, model: ChatModel | None, options: ModelOptions) -> bool | str:
    """Ollama's ``think``. gpt-oss cannot do without, whatever it is called."""
    if options.think is not None:
        return options.think
    family = model.family if model is not None else ""
    return "low" if _GPT_OSS.match(family) or _GPT_OSS.match(name.rsplit("/", 1)[-1]) else False


def fixed_body(chosen: Chosen, keep_alive: float) -> dict[str, Any]:
    """What is the same in every request for a model: Ollama loads it anew where some of it changes.

    ``truncate`` and ``shift`` keep it from cutting a conversation, or the beginning of it, in silence.
    """
    return {
        "model": chosen.name,
        "keep_alive": f"{max(1, round(keep_alive))}s",
        "options": _wire_options(chosen.options),
        "truncate": False,
        "shift": False,
    }


def _wire_options(options: ModelOptions) -> dict[str, int | float | bool | str]:
    wire: dict[str, int | float | bool | str] = {
        **options.more,
        "num_ctx": options.num_ctx,
        "num_predict": options.answer,
    }
    if options.temperature is not None:
        wire["temperature"] = options.temperature
    return wire
