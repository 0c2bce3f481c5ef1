"""A safety checker's folder whose files are empty."""

from __future__ import annotations

from pathlib import Path

from otterbot_worker.models import safety


def put(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for name in names or safety.FILES:
        (folder / name).write_bytes(b"")
    return folder
