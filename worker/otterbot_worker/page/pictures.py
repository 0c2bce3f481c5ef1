"""A picture of the gallery with everything that made it, its files, and its end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import quote

from aiohttp import web

from ..api.parts import PARTS, Parts
from ..api.problems import ApiProblem, not_found
from ..api.routes_images import remove
from ..archive import reading, telling
from ..archive.containers import BadPicture
from ..archive.found import Found
from ..errors import CannotLook, look_failed
from ..queue.gallery_rows import Shown
from .gallery import tile
from .replies import answer

WORDS_KEPT_BACK = (
    "It is of an encrypted room, so its words are not shown here. They are in the files that can be downloaded."
)


async def look(request: web.Request) -> web.Response:
    parts, shown = request.app[PARTS], await _shown(request)
    found = await asyncio.to_thread(_read, parts, shown)
    result = await parts.gallery.result(shown.image)
    newer, older = await parts.gallery.neighbours(shown.image)
    private = shown.image.private
    known: dict[str, Any] = {
        "line": None,
        "rows": [],
        "notes": ["The file of this picture could not be read."],
        "request": None,
    }
    if found is not None:
        known = telling.without_words(found, WORDS_KEPT_BACK) if private else telling.everything(found)
    if result is not None and not private:
        known["notes"] = [*result.notes, *known["notes"]]
    return answer(
        {
            **tile(shown),
            **known,
            "alt": result.alt if result is not None and not private else None,
            "client": shown.image.client,
            "file": _name(shown),
            "newer": newer,
            "older": older,
        }
    )


async def picture(request: web.Request) -> web.StreamResponse:
    shown = await _shown(request)
    path = request.app[PARTS].archive.path(shown.image.relpath)
    return await _file(request, path, shown.image.mimetype, _name(shown))


async def thumbnail(request: web.Request) -> web.StreamResponse:
    shown = await _shown(request)
    path = request.app[PARTS].archive.thumbnail(shown.image.relpath)
    return await _file(request, path, shown.image.thumbnail_type, "")


async def sidecar(request: web.Request) -> web.StreamResponse:
    shown = await _shown(request)
    path = request.app[PARTS].archive.sidecar(shown.image.relpath)
    return await _file(request, path, "application/yaml; charset=utf-8", f"{_name(shown).rpartition('.')[0]}.yml")


async def delete(request: web.Request) -> web.Response:
    shown = await _shown(request)
    await remove(request.app[PARTS], shown.image)
    return web.Response(status=204)


async def _shown(request: web.Request) -> Shown:
    """:raises ApiProblem: it is not in the gallery, whoever knows its id"""
    shown = await request.app[PARTS].gallery.picture(request.match_info["id"])
    if shown is None:
        raise not_found("picture")
    return shown


def _read(parts: Parts, shown: Shown) -> Found | None:
    """:raises CannotLook:"""
    try:
        return reading.read(parts.archive.path(shown.image.relpath))
    except BadPicture:
        return None
    except OSError as error:
        look_failed(error, "the picture's file")
        return None


def _name(shown: Shown) -> str:
    """Of its file. Of an encrypted room's without the word that it was named by."""
    name = shown.image.relpath.rpartition("/")[2]
    return name if not shown.image.private else f"picture_{name.rpartition('_')[2]}"


async def _file(request: web.Request, path: Path, content_type: str, name: str) -> web.StreamResponse:
    """``name``: by which it is downloaded, where that is asked for.

    :raises ApiProblem: it is gone :raises CannotLook: the whole archive is missing
    """
    if not await asyncio.to_thread(path.is_file):
        if not request.app[PARTS].archive.is_here():
            raise CannotLook("the archive", "its folder is not there")
        raise ApiProblem(410, "image_gone", "This picture has been deleted from the worker.")
    headers = {"Content-Type": content_type, "Cache-Control": "no-store"}
    if "download" in request.query and name:
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name, safe='')}"
    return web.FileResponse(path, headers=headers)


_ONE = "/page/pictures/{id:[0-9a-f]{1,64}}"
ROUTES = (
    web.get(_ONE, look),
    web.get(_ONE + "/picture", picture),
    web.get(_ONE + "/thumbnail", thumbnail),
    web.get(_ONE + "/sidecar", sidecar),
    web.delete(_ONE, delete),
)
