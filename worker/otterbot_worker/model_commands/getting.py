"""Fetches a model. What it will take, and under which licence, is said before."""

from __future__ import annotations

import difflib
import re

from .. import terminal
from ..models import download, pieces
from ..models.catalogue import Catalogue
from ..models.entries import ModelEntry
from ..models.pieces import Piece
from ..own_worker import Refused
from .progress import Shown
from .table import READ_SECONDS, bytes_in, gigabytes, places

_NOT_SOLD = re.compile(r"non-?commercial|\bnc\b|-nc\b", re.IGNORECASE)
"""In names of licences that forbid commercial use."""


def find(catalogue: Catalogue, name: str) -> ModelEntry:
    """:raises Refused: there is none :raises CannotLook:"""
    look = catalogue.look(READ_SECONDS)
    entry = look.entry(name)
    if entry is not None:
        return entry
    if (why := look.broken.get(name)) is not None:
        raise Refused(f"{terminal.visible(name)} cannot be used. {terminal.visible(why)}")
    near = difflib.get_close_matches(name, look.images, n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else "; `otterbot-worker models` lists them"
    raise Refused(f"there is no model {terminal.visible(name)}{hint}")


def get(catalogue: Catalogue, name: str, *, accept: bool) -> int:
    """Fetch what is missing of a model. Returns the exit code. ``accept``: the operator accepts its licence.

    :raises Refused: :raises CannotLook: :raises KeyboardInterrupt: what has come stays, and is continued
    """
    entry = find(catalogue, name)
    wanted = pieces.missing(entry)
    if not wanted:
        if entry.here() is None:
            raise Refused(f"{name} is made of files of yours that are not here, and of no repository")
        _say_where(entry)
        return 0
    offers = [(piece, _ask(piece)) for piece in wanted]
    missing = sum(offer.missing for _, offer in offers)
    arrived = sum(download.arrived(piece.folder / "blobs") for piece, _ in offers)
    free = download.free_for(wanted[0].folder / "blobs")
    print(f"{name}: {gigabytes(missing)} to fetch; {gigabytes(free)} are free in {wanted[0].folder.parent}")
    for piece, offer in offers:
        print(f"  {piece.hub}  {gigabytes(offer.missing)}  {_licence(entry, piece, offer)}")
    _check_licences(entry, offers, accept=accept)
    if missing - arrived + download.RESERVE > free:
        raise Refused(f"it needs {gigabytes(missing - arrived)}, and 1 GB has to stay free: make room first")
    for piece, _ in offers:
        _fetch(piece)
    if (left := [piece.hub for piece in pieces.missing(entry)]) or entry.here() is None:
        raise Refused(f"not everything came: {', '.join(left) or name}")
    _say_where(entry)
    return 0


def _ask(piece: Piece) -> download.Offer:
    try:
        return download.ask(piece.hub, **piece.arguments)
    except download.DownloadFailed as error:
        raise Refused(f"{piece.hub}: {error}") from None


def _licence(entry: ModelEntry, piece: Piece, offer: download.Offer) -> str:
    own = entry.licence if piece.hub == entry.hub else ""
    words = terminal.visible(own or offer.licence or "licence not stated")
    return f"{words}, to be accepted at the hub" if offer.gated else words


def _check_licences(entry: ModelEntry, offers: list[tuple[Piece, download.Offer]], *, accept: bool) -> None:
    """:raises Refused: one has to be accepted, and was not"""
    if accept:
        return
    for piece, offer in offers:
        names = [offer.licence or "", entry.licence if piece.hub == entry.hub else ""]
        if any(_NOT_SOLD.search(name) for name in names):
            why = "its licence forbids commercial use"
        elif offer.gated:
            why = "its licence has to be accepted by an account of yours there"
        else:
            continue
        page = f"https://huggingface.co/{piece.hub}"
        raise Refused(f"{piece.hub}: {why} ({page}). If you accept it, add --accept")


def _fetch(piece: Piece) -> None:
    shown = Shown(piece.hub)
    try:
        download.fetch(piece.hub, monitor=shown, **piece.arguments)
    except download.DownloadFailed as error:
        raise Refused(f"{piece.hub}: {error}. The same command goes on where it ended") from None
    finally:
        shown.close()


def _say_where(entry: ModelEntry) -> None:
    found = places(entry)
    print(f"{entry.name} is here, {gigabytes(sum(map(bytes_in, found)))}:")
    for place in found:
        print(f"  {terminal.visible(str(place))}")
