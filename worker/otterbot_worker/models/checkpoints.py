"""Single files that an operator drops into a folder: models by the names of their files. Free of torch."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from . import folders, sniffing

FOLDER = "checkpoints"
"""In the data directory."""
NAME_MAX = 64


@dataclass(frozen=True, kw_only=True)
class Dropped:
    name: str
    """The file's, without its ending and with ``-`` for what is typed as a space."""
    path: Path
    stamp: folders.Stamp
    found: sniffing.Found


def find(folder: Path, without: Collection[Path] = ()) -> list[Dropped]:
    """The files in that folder but those ``without``, in the order of the alphabet. Of two with one name the first one
    counts, which is a ``.safetensors`` where there is one. Names that cannot be called are there with a problem. Reads
    the headers of files that are new or changed."""
    found: dict[str, Dropped] = {}
    listed = [(path, stamp) for path, stamp in folders.listing(folder, sniffing.ENDINGS) if path not in without]
    for path, stamp in sorted(listed, key=lambda one: sniffing.ENDINGS.index(one[0].suffix.lower())):
        name = _name(path.stem)
        if name not in found:
            found[name] = Dropped(name=name, path=path, stamp=stamp, found=sniffing.look(path))
    for path, stamp, problem in folders.unusable(folder, sniffing.ENDINGS):
        if path not in without:
            name = _name(folders.shown(path.stem))
            found.setdefault(name, Dropped(name=name, path=path, stamp=stamp, found=sniffing.Found(problem=problem)))
    return sorted(found.values(), key=lambda one: one.name.casefold())


def _name(stem: str) -> str:
    return "-".join(stem.split())[:NAME_MAX]
