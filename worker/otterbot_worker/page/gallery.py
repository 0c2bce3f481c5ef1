"""The gallery: pages of pictures, and what there is to filter them by."""

from __future__ import annotations

import math
import re
from typing import Any

from aiohttp import web

from ..api.parts import PARTS
from ..api.problems import ApiProblem
from ..queue.gallery_rows import BY, Cursor, Shown, Wanted
from .replies import answer

LIMIT = 100
MOST_TEXT = 1_000
"""Characters of one value of the query."""
_CURSOR = re.compile(r"(-?\d{1,12}(?:\.\d{1,20})?),([0-9a-f]{1,64})", re.ASCII)
_KEYS = frozenset({"after", "words", "since", "until", *BY})


async def page(request: web.Request) -> web.Response:
    """The newest first; ``next`` is what to send as ``after`` for the following ones, ``None`` at the end."""
    gallery = request.app[PARTS].gallery
    found = await gallery.page(_wanted(request), _cursor(request), LIMIT + 1)
    last = found[LIMIT - 1].image if len(found) > LIMIT else None
    return answer(
        {
            "pictures": [tile(shown) for shown in found[:LIMIT]],
            "next": None if last is None else f"{last.created_at!r},{last.image_id}",
        }
    )


async def values(request: web.Request) -> web.Response:
    gallery = request.app[PARTS].gallery
    return answer({by: [{"value": value, "count": count} for value, count in await gallery.values(by)] for by in BY})


def tile(shown: Shown) -> dict[str, Any]:
    return {
        "id": shown.image.image_id,
        "at": shown.image.created_at,
        "prompt": shown.prompt,
        "model": shown.model,
        "owner": shown.owner,
        "room": shown.room,
        "private": shown.image.private,
        "kept": shown.image.kept,
    }


def _wanted(request: web.Request) -> Wanted:
    query = request.query
    if set(query) - _KEYS or any(len(value) > MOST_TEXT for value in query.values()):
        raise _bad()
    return Wanted(
        words=tuple(query.get("words", "").split()),
        since=_moment(query.get("since")),
        until=_moment(query.get("until")),
        **{name: query.get(name) or None for name in BY},
    )


def _moment(text: str | None) -> float | None:
    """Unix time. :raises ApiProblem:"""
    if not text:
        return None
    try:
        moment = float(text)
    except ValueError:
        raise _bad() from None
    if not math.isfinite(moment):
        raise _bad()
    return moment


def _cursor(request: web.Request) -> Cursor | None:
    """:raises ApiProblem:"""
    text = request.query.get("after")
    if not text:
        return None
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise _bad()
    return Cursor(created_at=float(found[1]), image_id=found[2])


def _bad() -> ApiProblem:
    return ApiProblem(422, "invalid_request", "The query may hold words, model, owner, room, since, until and after.")


ROUTES = (web.get("/page/pictures", page), web.get("/page/filters", values))
