"""Writing files that survive a power cut: temporary name, fsync, rename, fsync of the folder."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from pathlib import Path


def reserve(folder: Path, stem: str, given: deque[Path]) -> tuple[Path, Path]:
    """A name that no other picture has, and its temporary file, created: whoever holds that one owns the name.

    ``given`` are the names of the last pictures, this one's added: one that was delivered and deleted within its
    second must not pass its name on, because who deletes it by name may come late.
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


def write(target: Path, data: bytes, temporary: Path | None = None) -> None:
    temporary = temporary or target.with_name(f".{target.name}.tmp")
    try:
        with os.fdopen(os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Some network file systems cannot sync folders; a rename there is as durable as it gets.
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
