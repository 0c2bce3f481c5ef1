"""Answers 503 where the disk takes no writes, so that clients send the request again."""

from __future__ import annotations

import logging

from aiohttp import web

from ..queue import disk
from .problems import ApiProblem, Handler, route_name

log = logging.getLogger(__name__)


@web.middleware
async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Inside ``problems.middleware``, which makes the answer."""
    try:
        return await handler(request)
    except Exception as error:
        if not disk.passes(error):
            raise
        log.warning("the disk takes nothing", extra={"method": request.method, "route": route_name(request)})
        if disk.full(error):
            raise ApiProblem(507, "disk_full", "The worker's disk is full, so it can store nothing.") from None
        sentence = "The worker's disk does not answer; please try again."
        raise ApiProblem(503, "disk_failed", sentence, headers={"Retry-After": "10"}) from None
