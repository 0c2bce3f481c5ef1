"""Pictures: bytes, sidecar, thumbnail; delivered and deleted."""

from __future__ import annotations

import time
from pathlib import Path

from aiohttp import web

from ..archive.films import FILM_TYPE
from ..errors import CannotLook
from ..queue.model import ImageRow
from . import delivery
from .auth import client_of
from .operations import Operation
from .parts import PARTS, Parts
from .problems import ApiProblem, not_found

_HEADERS = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}


async def picture(request: web.Request) -> web.StreamResponse:
    image = await _here(request)
    return _file(request, request.app[PARTS].archive.path(image.relpath), image.mimetype)


async def sidecar(request: web.Request) -> web.StreamResponse:
    image = await _here(request)
    return _file(request, request.app[PARTS].archive.sidecar(image.relpath), "application/yaml; charset=utf-8")


async def thumbnail(request: web.Request) -> web.StreamResponse:
    image = await _here(request)
    return _file(request, request.app[PARTS].archive.thumbnail(image.relpath), image.thumbnail_type)


async def film(request: web.Request) -> web.StreamResponse:
    image = await _here(request)
    archive = request.app[PARTS].archive
    place = archive.film(image.relpath)
    if not place.is_file() and archive.path(image.relpath).is_file():
        raise ApiProblem(404, "no_film", "There is no film of this picture.")
    return _file(request, place, FILM_TYPE)


async def delivered(request: web.Request) -> web.Response:
    await delivery.delivered(request.app[PARTS], await _known(request), time.time())
    return web.Response(status=204)


async def keep(request: web.Request) -> web.Response:
    return await _keep(request, kept=True)


async def let_go(request: web.Request) -> web.Response:
    return await _keep(request, kept=False)


async def _keep(request: web.Request, *, kept: bool) -> web.Response:
    parts, image = request.app[PARTS], await _known(request)
    if image.gone_at is None:
        await parts.archive.keep(image.relpath, kept)
    await parts.store.image_kept(image.image_id, kept)
    return web.Response(status=204)


async def delete(request: web.Request) -> web.Response:
    if set(request.query) - {"key"}:
        raise ApiProblem(422, "invalid_request", "The query may hold nothing but key.")
    await remove(request.app[PARTS], await _known(request), request.query.get("key"))
    return web.Response(status=204)


async def remove(parts: Parts, image: ImageRow, key: str | None = None) -> None:
    """With a contact sheet all pictures on it, and with the last of them their sheet. ``key``: of the job that does not
    use it any more; ``None``: the picture goes, whoever uses it."""
    # One that was taken in from its file alone belongs to no job.
    together = await parts.sheets.pictures(image.job_id) if image.job_id else []
    if image.is_sheet:
        doomed = [image, *[one for one in together if not one.is_sheet and await _given_up(parts, one, key)]]
    elif await _given_up(parts, image, key):
        others = [one for one in together if one.image_id != image.image_id]
        last = all(one.is_sheet for one in others)
        doomed = [image, *(others if last else [])]
    else:
        doomed = []
    await delivery.remove(parts, doomed, time.time())
    if image.job_id and not image.is_sheet and image in doomed:
        await parts.sheets.stale(image.job_id)
        parts.hub.changed.set()


async def _given_up(parts: Parts, image: ImageRow, key: str | None) -> bool:
    """Whether the picture's file goes. ``key``: of the job that does not use it any more; ``None``: whoever does."""
    return key is None or await parts.images.given_up(image.image_id, key)


async def _known(request: web.Request) -> ImageRow:
    image = await request.app[PARTS].store.image(request.match_info["id"], client_of(request))
    if image is None:
        raise not_found("picture")
    return image


async def _here(request: web.Request) -> ImageRow:
    image = await _known(request)
    if image.gone_at is not None:
        raise _gone()
    return image


def _file(request: web.Request, path: Path, content_type: str) -> web.StreamResponse:
    """:raises ApiProblem: it is gone :raises CannotLook: the whole archive is missing"""
    if not path.is_file():
        if not request.app[PARTS].archive.is_here():
            raise CannotLook("the archive", "its folder is not there")
        # The file was deleted by hand.
        raise _gone()
    return web.FileResponse(path, headers={**_HEADERS, "Content-Type": content_type})


def _gone() -> ApiProblem:
    return ApiProblem(410, "image_gone", "This picture has been deleted from the worker.")


_PROBLEMS = (404, 410)

OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/images/{id:[0-9a-f]+}",
        handler=picture,
        summary="The picture, a PNG with its record in it; a contact sheet is a JPEG.",
        answers={200: "image/png"},
        problems=_PROBLEMS,
    ),
    Operation(
        method="GET",
        path="/v1/images/{id:[0-9a-f]+}.yml",
        handler=sidecar,
        summary="The picture's record, for people.",
        answers={200: "application/yaml"},
        problems=_PROBLEMS,
    ),
    Operation(
        method="GET",
        path="/v1/images/{id:[0-9a-f]+}/thumbnail",
        handler=thumbnail,
        summary="A small version of it.",
        answers={200: "image/jpeg"},
        problems=_PROBLEMS,
    ),
    Operation(
        method="GET",
        path="/v1/images/{id:[0-9a-f]+}/film",
        handler=film,
        summary="How it was drawn, as an animation, where `request.film` asked for it.",
        answers={200: "image/webp"},
        problems=_PROBLEMS,
    ),
    Operation(
        method="POST",
        path="/v1/images/{id:[0-9a-f]+}/delivered",
        handler=delivered,
        summary="The picture stands in its room, and its film; `archive.encrypted_rooms` says whether it stays here. "
        "The pictures on a contact sheet stay an hour longer than the sheet, to be chosen from.",
        answers={204: None},
        problems=(404,),
    ),
    Operation(
        method="POST",
        path="/v1/images/{id:[0-9a-f]+}/keep",
        handler=keep,
        summary="Somebody keeps the picture: `archive.keep_days` and `archive.max_gb` pass it over; with a contact "
        "sheet all pictures on it, too. What `archive.encrypted_rooms` says holds all the same.",
        answers={204: None},
        problems=(404,),
    ),
    Operation(
        method="DELETE",
        path="/v1/images/{id:[0-9a-f]+}/keep",
        handler=let_go,
        summary="Nobody keeps the picture any more.",
        answers={204: None},
        problems=(404,),
    ),
    Operation(
        method="DELETE",
        path="/v1/images/{id:[0-9a-f]+}",
        handler=delete,
        summary="Delete the picture from the archive; with a contact sheet all pictures on it, and with the last of "
        "them their sheet. A sheet from which one is deleted is made again without it.",
        query={"key": "of the job that does not use it any more: it goes with the last job that does (`drawn_before`)"},
        answers={204: None},
        problems=(404,),
    ),
)
