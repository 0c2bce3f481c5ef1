"""The page's own files, read once and answered from memory: what is asked for is a key, never a path."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files

from aiohttp import web

from ..api.problems import not_found

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
INDEX = "index.html"


@dataclass(frozen=True, kw_only=True)
class File:
    data: bytes
    content_type: str
    hash: str
    """SHA-256 of ``data``, in hex."""


def load() -> dict[str, File]:
    """By name, all that lie in ``static/``."""
    found = {}
    for one in files(__package__).joinpath("static").iterdir():
        kind = _TYPES.get(one.name.rpartition(".")[2])
        if kind is not None:
            data = one.read_bytes()
            found[one.name] = File(data=data, content_type=kind, hash=hashlib.sha256(data).hexdigest())
    return found


class Files:
    def __init__(self) -> None:
        self._files = load()

    async def index(self, request: web.Request) -> web.Response:
        return self._answer(request, self._files[INDEX])

    async def static(self, request: web.Request) -> web.Response:
        found = self._files.get(request.match_info["name"])
        if found is None:
            raise not_found("file")
        return self._answer(request, found)

    @staticmethod
    def _answer(request: web.Request, file: File) -> web.Response:
        # Asked for again each time, which costs one small answer: after an upgrade nobody has to empty a cache.
        headers = {"ETag": f'"{file.hash}"', "Cache-Control": "no-cache"}
        if any(tag.value == file.hash for tag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return web.Response(body=file.data, content_type=file.content_type, charset="utf-8", headers=headers)
