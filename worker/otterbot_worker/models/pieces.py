"""What of a model comes from the hub: each repository with the files of it that are needed. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import files
from .entries import REFINER_PART, ModelEntry


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Arguments of `download.fetch`, of which only ``hub`` is always there."""

    hub: str
    variant: str | None = None
    single: bool = False
    without: frozenset[str] = frozenset()
    only: str | None = None
    chosen: tuple[str, ...] = ()
    optional: bool = False
    """The model works without it, in full precision: a decoder for half precision."""

    @property
    def arguments(self) -> dict[str, Any]:
        names = ("variant", "single", "without", "only", "chosen")
        return {name: getattr(self, name) for name in names}

    @property
    def folder(self) -> Path:
        """Its repository's folder in the hub's cache, which may not be there."""
        return files.hub_cache() / files.repository_folder(self.hub)


def of(entry: ModelEntry) -> list[Piece]:
    """The pieces of a model; none where its files are the operator's, or ship with the worker."""
    found = []
    if entry.hub is not None:
        chosen = (entry.file,) if entry.file is not None else ()
        found.append(Piece(hub=entry.hub, variant=entry.variant, without=entry.absent, chosen=chosen))
    if (other := entry.transformer) is not None and other.hub is not None:
        found.append(Piece(hub=other.hub, chosen=(other.file,)))
    if (refiner := entry.refiner) is not None and refiner.hub is not None:
        found.append(Piece(hub=refiner.hub, variant=refiner.variant, only=REFINER_PART))
    if entry.vae is not None:
        found.append(Piece(hub=entry.vae, single=True, optional=True))
    return found


def missing(entry: ModelEntry) -> list[Piece]:
    """Those that are not here, or not whole. :raises CannotLook:"""
    return [piece for piece in of(entry) if not _is_here(piece, entry)]


def _is_here(piece: Piece, entry: ModelEntry) -> bool:
    if piece.single:
        return files.find_single(piece.hub) is not None
    if piece.only is not None:
        return entry.refiner is not None and entry.refiner.here() is not None
    if (other := entry.transformer) is not None and piece == Piece(hub=other.hub or "", chosen=(other.file,)):
        return other.here() is not None
    return entry.own_files() is not None
