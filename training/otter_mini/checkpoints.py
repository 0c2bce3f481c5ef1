"""Checkpoints: training can stop at any moment and resume with the same result. Atomic files, fixed randomness.

Random numbers of a step come from (seed, stage, step) alone, never from those drawn before, so
a checkpoint need not hold the state of any generator.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import torch


class ForeignFiles(Exception):
    """The directory holds files of another recipe or seed; the message says which."""


class InUse(Exception):
    """Another process trains in the directory; the message says which."""


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Makes the directory and keeps other processes out of it. ``InUse`` if one is there already.

    The kernel releases the lock when its holder dies; a ``lock`` file left behind means nothing.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            number = file.read().strip()
            holder = f"process {number}" if number else "another process"
            raise InUse(f"{directory} is in use: {holder} trains there; wait for it, or stop it") from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def number(*parts: object) -> int:
    """A 63-bit number that depends on ``parts`` alone: the same in every process and run."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(*parts: object) -> torch.Generator:
    """A CPU generator for ``parts``; CPU noise is the same on every device."""
    return torch.Generator().manual_seed(number(*parts))


def write_atomically(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file whole or not at all, even if the machine stops half-way."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with scratch.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def save(path: Path, content: dict[str, Any]) -> None:
    write_atomically(path, lambda file: torch.save(content, file))


def load(path: Path, fingerprint: str) -> dict[str, Any] | None:
    """The checkpoint at ``path``, ``None`` if there is none. ``ForeignFiles`` if another recipe wrote it."""
    if not path.exists():
        return None
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    if content["fingerprint"] != fingerprint:
        raise ForeignFiles(f"{path} was made with another recipe or seed: take another directory, or delete it")
    return content


def mark_done(path: Path, fingerprint: str) -> None:
    text = json.dumps({"fingerprint": fingerprint}) + "\n"
    write_atomically(path, lambda file: file.write(text.encode()))


def is_done(path: Path, fingerprint: str) -> bool:
    """Whether a stage is finished. ``ForeignFiles`` if by another recipe."""
    if not path.exists():
        return False
    if json.loads(path.read_text(encoding="utf-8"))["fingerprint"] != fingerprint:
        raise ForeignFiles(f"{path} was made with another recipe or seed: take another directory, or delete it")
    return True


class Log:
    """Lines for the terminal and for ``log.txt``, at once, with the time since the start."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / "log.txt"
        self._started = time.monotonic()

    def __call__(self, line: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        line = f"{minutes:3d}:{seconds:02d} {line}"
        print(line, flush=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
