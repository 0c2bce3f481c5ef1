"""Single files that an operator drops into a folder: models by the names of their files. Free of torch."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from . import checkpoint_probe, user_files
from .header_reader import Patience

FOLDER = "checkpoints"
"""In the data directory."""
NAME_MAX = 64


@dataclass(frozen=True, kw_only=True)
class Place:
    """A file in the folder, unread."""

    name: str
    """The model's name: the file's without ending, with ``-`` for spaces."""
    path: Path
    stamp: user_files.Stamp
    unusable: user_files.Unusable | None = None

    def look(self, patience: Patience | None = None) -> checkpoint_probe.Found:
        """Read what kind of model it is. Never raises."""
        if self.unusable is not None:
            return checkpoint_probe.Found(problem=self.unusable.problem, unread=self.unusable.unread)
        return checkpoint_probe.look(self.path, patience=patience)


def find(folder: Path, without: Collection[Path] = ()) -> list[Place]:
    """The files in that folder except ``without``, sorted. Of two with one name the first counts, preferably a
    ``.safetensors``. Files whose name cannot be typed are listed with a problem.

    :raises CannotLook:
    """
    found: dict[str, Place] = {}
    files = user_files.listing(folder, checkpoint_probe.ENDINGS)
    listed = [(path, stamp) for path, stamp in files if path not in without]
    for path, stamp in sorted(listed, key=lambda one: checkpoint_probe.ENDINGS.index(one[0].suffix.lower())):
        name = _name(path.stem)
        found.setdefault(name, Place(name=name, path=path, stamp=stamp))
    for one in user_files.unusable(folder, checkpoint_probe.ENDINGS):
        if one.path not in without:
            name = _name(user_files.shown(one.path.stem))
            found.setdefault(name, Place(name=name, path=one.path, stamp=one.stamp, unusable=one))
    return sorted(found.values(), key=lambda one: one.name.casefold())


def _name(stem: str) -> str:
    return "-".join(stem.split())[:NAME_MAX]
