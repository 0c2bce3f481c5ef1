"""What is written into the archive: pictures, contact sheets, and the mark of those that somebody keeps.

A file appears under its name only when its bytes are on the disk: temporary name, fsync, rename, and one fsync of the
folder at the end. The picture comes last, so where it is, its sidecar and thumbnail are. All of it is slow and waits
for the disk: it runs in the archive's own thread.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from .. import durable
from ..schemas.records import Record, Used
from . import films, free_names, metadata, names, pictures, retention, sheets, sidecars
from .stored import Stored, stored

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class NewPicture:
    """A picture that was drawn. ``scratch``: its raw RGB; ``created_at`` in Unix seconds. Without ``theme`` the prompt
    names the file; ``frames`` become its film."""

    scratch: Path
    width: int
    height: int
    record: Record
    theme: str | None
    private: bool
    created_at: float
    client: str
    frames: films.Frames | None = None


@dataclass(frozen=True, kw_only=True)
class NewSheet:
    """A contact sheet. ``place``: its relpath; one that is there already is made again in its place."""

    contents: sheets.Contents
    place: str
    image_id: str
    private: bool
    created_at: float
    client: str


def picture(root: Path, new: NewPicture, given: deque[Path]) -> Stored:
    """Where its film cannot be made, the picture stands without one. ``given``: see `free_names.reserve`.

    Raises `JobFailed` (``image_failed``) where the pixels are not all there, `OSError` for the disk.
    """
    texts = {metadata.A1111_CHUNK: metadata.a1111(new.record), metadata.OWN_CHUNK: metadata.own_chunk(new.record)}
    encoded = pictures.encode(new.scratch, new.width, new.height, texts)
    film = None if new.frames is None else _film(new.frames, new)
    owner = sidecars.Owner(uuid.uuid4().hex, new.client)
    when = time.localtime(new.created_at)
    folder = root / names.folder(when)
    new_folder = not folder.exists()
    folder.mkdir(mode=0o700, exist_ok=True)
    target, temporary = free_names.reserve(folder, names.stem(new.theme, _asked_for(new.record.used), when), given)
    try:
        notes = sidecars.of_picture(
            new.record, filename=target.name, created=_iso(new.created_at), private=new.private, owner=owner
        )
        _write(target, encoded, notes, temporary, film)
        if new_folder:
            durable.sync_folder(root)
    finally:
        temporary.unlink(missing_ok=True)
    return stored(encoded, film, image_id=owner.image_id, relpath=f"{folder.name}/{target.name}")


def sheet(root: Path, new: NewSheet) -> tuple[Stored, tuple[bool, ...]]:
    """Returns also, of each field, whether its picture is on it. Raises `OSError` for the disk."""
    target = root / new.place
    composed = sheets.compose(new.contents)
    shown = zip(new.contents.fields, composed.shown, strict=True)
    notes = sidecars.of_sheet(
        filename=target.name,
        created=_iso(new.created_at),
        private=new.private,
        kept=sidecars.is_kept(retention.sidecar_text(target)),
        owner=sidecars.Owner(new.image_id, new.client),
        fields={one.name: one.picture.name if one.picture and seen else None for one, seen in shown},
    )
    _write(target, composed.encoded, notes)
    return stored(composed.encoded, image_id=new.image_id, relpath=new.place), composed.shown


def keep(target: Path, kept: bool) -> None:
    """Write into the sidecar of a picture whether somebody keeps it. Nothing happens where there is no sidecar of ours.
    Raises `OSError` for the disk."""
    before = retention.sidecar_text(target)
    after = sidecars.with_kept(before, kept)
    if after != before:
        durable.write(retention.sidecar_of(target), after.encode("utf-8"))
        durable.sync_folder(target.parent)


def _write(
    target: Path,
    encoded: pictures.Encoded,
    notes: str,
    temporary: Path | None = None,
    film: films.Film | None = None,
) -> None:
    """The picture last: where it is, its sidecar, thumbnail and film are. On any error none of them is, but for what
    was there before."""
    replaced = target.exists()
    try:
        durable.write(retention.sidecar_of(target), notes.encode("utf-8"))
        durable.write(retention.thumbnail_of(target), encoded.thumbnail)
        if film is not None:
            durable.write(retention.film_of(target), film.webp)
        durable.write(target, encoded.data, temporary)
        durable.sync_folder(target.parent)
    except BaseException:
        for path in () if replaced else (target, *retention.beside(target)):
            path.unlink(missing_ok=True)
        raise


def _asked_for(used: Used) -> str:
    """The words that say what a picture is of: a person's own, before a language model and styles put others around
    them."""
    if used.expansion is not None:
        return used.expansion.prompt
    return used.prompt if used.styled is None else used.styled.prompt


def _film(frames: films.Frames, new: NewPicture) -> films.Film | None:
    try:
        return films.make(frames, new.scratch, new.width, new.height)
    except Exception:  # whatever is wrong with it, the picture is there
        log.exception("a film could not be made")
        return None


def _iso(moment: float) -> str:
    """Unix seconds as the operator's clock shows them."""
    return datetime.fromtimestamp(moment).astimezone().isoformat(timespec="seconds")
