"""The list of models for a terminal of 80 columns."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator
from pathlib import Path

from .. import terminal
from ..errors import CannotLook
from ..memory import placement_table
from ..models import files
from ..models.catalogue import Catalogue, Default
from ..models.entries import ModelEntry
from ..models.fetching import download_bytes

WIDTH = 80
NAME_MAX = 20
READ_SECONDS = 60.0
"""Time for reading new files: the list has to be complete."""
ABOUT = f"{'':4}"
HEADER = ("name", "files", "size", "needs", "licence")


def page(
    catalogue: Catalogue, default: Default, *, reserve: int, ram_reserve: int, about: bool = False
) -> Iterator[str]:
    """Its lines. ``reserve``, ``ram_reserve``: bytes that are left free. ``about``: what each is good for as well."""
    look = catalogue.look(READ_SECONDS)
    broken = dict(look.broken)
    names = [name for name in (*look.images, *broken) if len(name) <= NAME_MAX]
    width = max(map(len, names), default=0)
    yield _row(" ", HEADER, width)
    for name, entry in look.images.items():
        where, why = _where(catalogue, entry)
        why = broken.pop(name, why)
        reserves = {"reserve": reserve, "ram_reserve": ram_reserve}
        cells = (name, "broken" if why and where == "here" else where, _size(entry), _needs(entry, **reserves))
        mark = "*" if name == default.name else " "
        yield _row(mark, (*cells, terminal.visible(entry.licence or "not stated")), width)
        if why or about:
            yield from _wrapped(why or entry.about)
    for name, why in broken.items():
        yield _row(" ", (name, "broken", "", "", ""), width)
        yield from _wrapped(why)
    yield ""
    yield from textwrap.wrap(f"* the default{f'. {default.notice}' if default.notice else ''}", WIDTH)
    yield from textwrap.wrap(
        "needs: free memory of a card of the RTX 30 or later at the model's usual size; --plans says more. "
        "~: about so much is to be fetched, with `otterbot-worker models get NAME`, or when a picture asks for it.",
        WIDTH,
    )


def _row(mark: str, cells: tuple[str, ...], width: int) -> str:
    name, where, size, needs, licence = cells
    rest = f"{where:<9}  {size:>8}  {needs:>6}  "
    room = WIDTH - 2 - width - 2 - len(rest)
    licence = licence if len(licence) <= room else licence[: room - 1] + "…"
    name = terminal.visible(name)
    if len(name) > width:  # its cells stand in the next line: a name that was cut could not be typed
        return f"{mark} {name}\n{'':{width + 2}}  {rest}{licence}".rstrip()
    return f"{mark} {name:<{width}}  {rest}{licence}".rstrip()


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(terminal.visible(text), WIDTH, initial_indent=ABOUT, subsequent_indent=ABOUT)


def _where(catalogue: Catalogue, entry: ModelEntry) -> tuple[str, str | None]:
    """Where the model's files are, in a word, and what is wrong."""
    try:
        return "here" if entry.here() else "on demand" if catalogue.available(entry) else "missing", None
    except CannotLook as error:
        return "unknown", error.sentence


def _size(entry: ModelEntry) -> str:
    try:
        here = entry.here()
        stored = None if here is None else sum(map(bytes_in, places(entry)))
        fetched = download_bytes(entry) if here is None else None
    except CannotLook:
        return "?"
    if stored is not None:
        return gigabytes(stored)
    return "?" if fetched is None else f"~{gigabytes(fetched)}"


def places(entry: ModelEntry) -> list[Path]:
    """Folders and files that the model is made of, as far as they are here. :raises CannotLook:"""
    vae = Path(entry.vae_path) if entry.vae_path is not None else None
    vae = files.find_single(entry.vae) if entry.vae is not None else vae
    parts = [part.here() for part in (entry.transformer, entry.refiner) if part is not None]
    return [place for place in (entry.own_files(), *parts, vae) if place is not None]


def bytes_in(place: Path) -> int:
    """Of a file, or of all files in a folder, links followed."""
    if place.is_file():
        return place.stat().st_size
    return sum((Path(root) / name).stat().st_size for root, _, names in os.walk(place) for name in names)


def gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 5e7 else f"{max(1, round(size / 1e6))} MB"


def _needs(entry: ModelEntry, *, reserve: int, ram_reserve: int) -> str:
    try:
        found = placement_table.smallest(entry, reserve=reserve, ram_reserve=ram_reserve)
    except (KeyError, OSError, CannotLook):
        return "?"
    return "?" if found is None else f"{found} GB"
