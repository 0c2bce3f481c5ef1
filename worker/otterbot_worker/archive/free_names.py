"""Names of pictures that no other file has, however many come within one second."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path


def reserve(folder: Path, stem: str, given: deque[Path]) -> tuple[Path, Path]:
    """Reserve a free name for a picture by creating its temporary file. Returns the final and the temporary path.

    ``given``: names of the last pictures, to which this one's is added. Names are not reused within a second: a late
    deletion by name would hit the new picture.
    """
    for count in range(1, 10_000):
        target = folder / (f"{stem}.png" if count == 1 else f"{stem}_{count}.png")
        if target in given:
            continue
        temporary = folder / f".{target.name}.tmp"
        try:
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            continue
        if not target.exists():
            given.append(target)
            return target, temporary
        temporary.unlink()
    raise FileExistsError("no free name for a picture")
