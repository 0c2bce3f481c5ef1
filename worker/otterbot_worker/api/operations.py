"""Descriptions of all operations. Both the routes and the OpenAPI document are made from them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from pydantic import BaseModel

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """``answers``: status → schema, or a media type for bytes, or ``None`` for no body. ``problems``: the statuses
    that come as problem documents; 400, 401 and 500 always may."""

    method: str
    path: str
    handler: Handle
    summary: str
    answers: Mapping[int, type[BaseModel] | str | None]
    body: Any = None
    body_needed: bool = True
    upload: tuple[str, ...] = ()
    """Media types of a body other than JSON."""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Optional request headers, by name."""
    problems: tuple[int, ...] = ()
    open: bool = False


def reply(model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A schema as JSON."""
    return web.Response(
        status=status, body=model.model_dump_json().encode(), content_type="application/json", headers=headers
    )
