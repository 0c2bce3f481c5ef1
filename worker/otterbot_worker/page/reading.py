"""Any picture's file, sent to read its settings. It is kept nowhere."""

from __future__ import annotations

import asyncio

from aiohttp import web

from ..api.parts import PARTS
from ..api.problems import ApiProblem, as_it_is
from ..archive import read_uploads
from .replies import answer

AT_ONCE = 2
"""Files that are held in memory and read."""
MEDIA_TYPES = ("image/png", "image/jpeg", "image/webp")

_turns = asyncio.Semaphore(AT_ONCE)


async def read(request: web.Request) -> web.Response:
    if request.content_type not in MEDIA_TYPES:
        raise ApiProblem(415, "unsupported_media_type", "Send a PNG, JPEG or WebP picture.")
    as_it_is(request)
    most = int(request.app[PARTS].config.inputs.max_mb * 1_000_000)
    if (request.content_length or 0) > most:
        raise web.HTTPRequestEntityTooLarge(most, request.content_length or 0)
    if _turns.locked():
        detail = "Other files are being read; please try again in a moment."
        raise ApiProblem(503, "busy", detail, headers={"Retry-After": "2"})
    async with _turns:
        try:
            return answer(await read_uploads.read(request.content.iter_any(), most))
        except read_uploads.TooLarge:
            raise web.HTTPRequestEntityTooLarge(most, most + 1) from None
        except read_uploads.Unreadable as error:
            raise ApiProblem(422, "unreadable", f"This file {error}.") from None


ROUTES = (web.post("/page/read", read),)
