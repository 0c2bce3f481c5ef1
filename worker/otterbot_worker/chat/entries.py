"""Ollama's names and lists, read with suspicion: what is missing or of another kind becomes empty."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from otterbot_worker.chat.records import ChatModel, Loaded


def same(one: str, other: str) -> bool:
    """Whether two names mean one model."""
    return _full(one) == _full(other)


def _full(name: str) -> str:
    """``tiny`` and ``tiny:latest`` are one model."""
    return (name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest").lower()


def is_cloud(name: str) -> bool:
    """``x:cloud``, ``x:120b-cloud``: it runs on somebody else's machines."""
    return re.search(r"[:-]cloud$", name.lower()) is not None


def find(entries: Sequence[Loaded], name: str) -> Loaded | None:
    """The entry of a model, whichever way it is named."""
    return next((entry for entry in entries if same(entry.name, name)), None)


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def chat_model(entry: Mapping[str, Any]) -> ChatModel:
    """From ``/api/tags``."""
    details, capabilities = entry.get("details"), entry.get("capabilities")
    name = str(entry.get("name") or entry.get("model") or "")
    return ChatModel(
        name=name,
        size=_number(entry.get("size")),
        parameters=str(details.get("parameter_size") or "") if isinstance(details, Mapping) else "",
        capabilities=tuple(map(str, capabilities)) if isinstance(capabilities, list) else (),
        remote=bool(entry.get("remote_host") or entry.get("remote_model")) or is_cloud(name),
    )


def loaded_model(entry: Mapping[str, Any]) -> Loaded:
    """From ``/api/ps``."""
    return Loaded(
        name=str(entry.get("model") or entry.get("name") or ""),
        size=_number(entry.get("size")),
        size_vram=_number(entry.get("size_vram")),
        context=_number(entry.get("context_length")) or None,
    )
