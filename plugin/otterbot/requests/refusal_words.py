"""Words a refusal of the worker, with the requested values, which its answer never repeats."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from .. import texts
from ..errors import WorkerError, WorkerRefused
from ..language.style_values import style_names
from ..store.rows import Request
from ..worker.client import WorkerClient
from .sweep_told import axes_of

LOOK = 2.0
"""Seconds to wait for the names of chat models."""


async def of_picture(refusal: WorkerRefused, request: Request, worker: WorkerClient, prefix: str) -> str:
    unknown = any(problem.code == "unknown_model" for problem in refusal.fields)
    asked = texts.Asked(
        model=next(_named("model", request), None),
        sampler=next(_named("sampler", request), None),
        styles=style_names((request.body or {}).get("style")),
        chat_models=await _chat_models(worker) if unknown else (),
        prefix=prefix,
        sweep=axes_of(request.body),
    )
    return texts.refused(refusal, asked)


def _named(name: str, request: Request) -> Iterator[str]:
    """Names requested by the person, and by the room's settings."""
    body = request.body or {}
    layers = body.get("layers")
    for place in (body, request.resolved, *(layers if isinstance(layers, list) else ())):
        value: Any = place.get(name) if isinstance(place, Mapping) else None
        if isinstance(value, str):
            yield value


async def _chat_models(worker: WorkerClient) -> list[str]:
    """The chat models; none if the worker does not answer in time, since the sentence works without them."""
    try:
        models = await asyncio.wait_for(worker.models(), LOOK)
    except (WorkerError, TimeoutError):
        return []
    return [model.name for model in models.models if model.kind == "chat"]
