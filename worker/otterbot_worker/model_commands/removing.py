"""Removes what was fetched of a model, and nothing that another one is made of."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from .. import terminal
from ..models import files, pieces
from ..models.catalogue import Catalogue
from ..models.controlnets import AT_HUB
from ..models.entries import ModelEntry
from ..models.pieces import Piece
from ..own_worker import Refused
from .getting import find
from .table import READ_SECONDS, gigabytes


def remove(catalogue: Catalogue, name: str, *, also_used: Iterable[str], yes: bool) -> int:
    """Returns the exit code. ``also_used``: repositories of other things (safety checker, captioner); ``yes``: do not
    ask.

    :raises Refused: :raises CannotLook: nobody can say what is shared
    """
    entry = find(catalogue, name)
    own = pieces.of(entry)
    if not own:
        where = entry.here()
        what = "ships with the worker" if entry.folder is None or _shipped(entry) else "is of files of yours"
        raise Refused(f"{name} {what}{f': {where}' if where else ''}. Only what was fetched is removed")
    kept = _kept(catalogue, entry, also_used)
    going = [piece for piece in own if piece.hub not in kept and piece.folder.is_dir()]
    for piece in own:
        if piece.hub in kept and piece.folder.is_dir():
            print(f"{piece.hub} stays: {kept[piece.hub]} uses it, too")
    if not going:
        print(f"nothing of {name} is here to be removed")
        return 0
    sizes = [_stored(piece) for piece in going]
    for piece, size in zip(going, sizes, strict=True):
        print(f"{gigabytes(size)}  {_place(piece)}")
    print("Other programs that use this cache of Hugging Face lose these files as well.")
    if not yes and not _agreed(f"Remove {gigabytes(sum(sizes))}? [y/N] "):
        print("nothing was removed")
        return 1
    for piece in going:
        _remove(piece)
    print(f"removed; with images.downloads, {name} is fetched again when a picture asks for it")
    return 0


def _shipped(entry: ModelEntry) -> bool:
    from ..models.entry_file import SHIPPED

    return Path(entry.folder or "/").is_relative_to(SHIPPED.parent)


def _kept(catalogue: Catalogue, entry: ModelEntry, also_used: Iterable[str]) -> dict[str, str]:
    """Repositories that something else uses, and what that is. A model whose own files are not here uses none.

    :raises CannotLook:
    """
    kept = dict.fromkeys(AT_HUB.values(), "a ControlNet") | dict.fromkeys(also_used, "the worker")
    for name, other in catalogue.look(READ_SECONDS).images.items():
        if name != entry.name and other.here() is not None:
            kept |= {piece.hub: name for piece in pieces.of(other)}
    return kept


def _stored(piece: Piece) -> int:
    """Bytes of its repository on disk, whole or not."""
    return files.folder_size(piece.folder / "blobs")


def _place(piece: Piece) -> str:
    """Where its files are, for people: people link a repository to another disk."""
    shown = terminal.visible(str(piece.folder))
    if not piece.folder.is_symlink():
        return shown
    return f"{shown}, a link to {terminal.visible(str(piece.folder.resolve()))}"


def _remove(piece: Piece) -> None:
    """:raises Refused: the disk does not let us"""
    folder = piece.folder.resolve()
    # First out of sight: a removal that is cut off leaves no half of a model that looks whole.
    gone = folder.with_name(f".removed-{os.getpid()}-{folder.name}")
    try:
        folder.rename(gone)
        shutil.rmtree(gone)
        if piece.folder.is_symlink():
            piece.folder.unlink()
    except OSError as error:
        raise Refused(f"{piece.folder} cannot be removed ({error.strerror})") from None


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise Refused("nobody is there to be asked: add --yes")
    return input(question).strip().lower() in ("y", "yes")
