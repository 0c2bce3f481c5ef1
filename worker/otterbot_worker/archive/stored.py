"""A stored picture: names, sizes and hashes of its files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from .films import FILM_TYPE, Film
from .pictures import THUMBNAIL_TYPE, Encoded


@dataclass(frozen=True, kw_only=True)
class StoredThumbnail:
    width: int
    height: int
    size: int
    mimetype: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class StoredFilm:
    width: int
    height: int
    size: int
    mimetype: str
    sha256: str
    frames: int


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A picture in the archive. ``relpath`` is relative to its root, with ``/``; sizes in pixels and bytes. The hashes
    are of the files, so that clients can check what they fetched."""

    image_id: str
    relpath: str
    filename: str
    mimetype: str
    size: int
    sha256: str
    width: int
    height: int
    blurhash: str
    thumbnail: StoredThumbnail
    film: StoredFilm | None = None


def stored(encoded: Encoded, film: Film | None = None, *, image_id: str, relpath: str) -> Stored:
    return Stored(
        image_id=image_id,
        relpath=relpath,
        filename=relpath.rpartition("/")[2],
        mimetype=encoded.mimetype,
        size=len(encoded.data),
        sha256=hashlib.sha256(encoded.data).hexdigest(),
        width=encoded.width,
        height=encoded.height,
        blurhash=encoded.blurhash,
        thumbnail=StoredThumbnail(
            width=encoded.thumbnail_width,
            height=encoded.thumbnail_height,
            size=len(encoded.thumbnail),
            mimetype=THUMBNAIL_TYPE,
            sha256=hashlib.sha256(encoded.thumbnail).hexdigest(),
        ),
        film=None if film is None else _film(film),
    )


def _film(film: Film) -> StoredFilm:
    return StoredFilm(
        width=film.width,
        height=film.height,
        size=len(film.webp),
        mimetype=FILM_TYPE,
        sha256=hashlib.sha256(film.webp).hexdigest(),
        frames=film.frames,
    )
