"""Ollama's names and lists, read with suspicion: what is missing or of another kind becomes empty."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .records import ChatModel, Loaded


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


def number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


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
