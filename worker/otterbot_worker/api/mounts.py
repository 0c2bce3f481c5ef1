"""What is served beside the API by packages above this one, such as the page: paths with a door of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Middleware

from .problems import Handler


@dataclass(frozen=True, kw_only=True)
class Mount:
    has: Callable[[str], bool]
    """Whether a path is one of its own. No bearer token is asked for there; ``middleware`` decides."""
    middleware: Middleware
    """Called for its own paths alone."""
    add: Callable[[web.Application], None]
    """Adds its routes, and what it does beside them."""


def only(mount: Mount) -> Middleware:
    """Its middleware, for its own paths."""

    @web.middleware
    async def maybe(request: web.Request, handler: Handler) -> web.StreamResponse:
        if mount.has(request.path):
            return await mount.middleware(request, handler)
        return await handler(request)

    return maybe
