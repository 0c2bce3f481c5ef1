"""Init images, masks and ControlNet pictures: sent before the job that needs them."""

from __future__ import annotations

import errno
import logging
import time

from aiohttp import web

from ..inputs.files import BadInput
from ..schemas.jobs import Input
from .auth import client_of
from .operations import Operation, reply
from .parts import PARTS
from .problems import ApiProblem, as_it_is, disk_full

log = logging.getLogger(__name__)

MEDIA_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif")
OWNER = "Otterbot-Owner"
"""A header, not a query: proxies log addresses. Older workers ignore unknown headers."""
OWNER_MAX = 1_000
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


async def add(request: web.Request) -> web.Response:
    parts, client = request.app[PARTS], client_of(request)
    private = request.query.get("private", "false")
    if set(request.query) - {"private"} or private not in ("true", "false"):
        raise ApiProblem(422, "invalid_request", "The query may hold private=true or private=false.")
    if request.content_type not in MEDIA_TYPES:
        raise ApiProblem(415, "unsupported_media_type", "Send a PNG, JPEG, WebP or GIF picture.")
    as_it_is(request)
    data = await _read(request, int(parts.config.inputs.max_mb * 1_000_000))
    if not parts.archive.has_room():
        raise disk_full(parts.archive)
    try:
        owner = request.headers.get(OWNER, "")[:OWNER_MAX] or None
        found = await parts.inputs.add(client, data, private=private == "true", now=time.time(), owner=owner)
    except BadInput as bad:
        raise ApiProblem(422, bad.code, str(bad)) from None
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise disk_full(parts.archive) from None
    return reply(Input.model_validate(found, from_attributes=True), 201)


async def _read(request: web.Request, most: int) -> bytes:
    """The body, read up to ``most`` bytes.

    :raises web.HTTPRequestEntityTooLarge:
    """
    if (request.content_length or 0) > most:
        raise web.HTTPRequestEntityTooLarge(most, request.content_length or 0)
    data = bytearray()
    async for chunk in request.content.iter_any():
        data += chunk
        if len(data) > most:
            raise web.HTTPRequestEntityTooLarge(most, len(data))
    return bytes(data)


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/inputs",
        handler=add,
        summary="Send a picture to start from. The same bytes are the same picture, however often they are sent.",
        upload=MEDIA_TYPES,
        headers={
            OWNER: "whose picture it is, percent-encoded: people take turns, and nobody's picture holds up others'"
        },
        query={"private": "`true`: from an encrypted room, so it goes as soon as no open job needs it"},
        answers={201: Input},
        problems=(413, 415, 422, 507),
    ),
)
