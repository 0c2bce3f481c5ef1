"""Init images, masks and ControlNet pictures: sent before the job that needs them."""

from __future__ import annotations

from aiohttp import web

from ..schemas.jobs import Input
from . import input_storing
from .auth import client_of
from .operations import Operation, reply
from .parts import PARTS
from .problems import ApiProblem, as_it_is

MEDIA_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif")
OWNER = "Otterbot-Owner"
"""A header, not a query: proxies log addresses. Older workers ignore unknown headers."""
OWNER_MAX = 1_000


async def add(request: web.Request) -> web.Response:
    parts, client = request.app[PARTS], client_of(request)
    private = request.query.get("private", "false")
    if set(request.query) - {"private"} or private not in ("true", "false"):
        raise ApiProblem(422, "invalid_request", "The query may hold private=true or private=false.")
    if request.content_type not in MEDIA_TYPES:
        raise ApiProblem(415, "unsupported_media_type", "Send a PNG, JPEG, WebP or GIF picture.")
    as_it_is(request)
    data = await input_storing.read(request, input_storing.most_bytes(parts))
    owner = request.headers.get(OWNER, "")[:OWNER_MAX] or None
    found = await input_storing.keep(parts, client, data, private=private == "true", owner=owner)
    return reply(Input.model_validate(found, from_attributes=True), 201)


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
