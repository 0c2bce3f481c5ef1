"""The file of tokens: written by the command line, read by the worker."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from .. import durable
from .entries import Stored

MOST_BYTES = 1_000_000

Stamp = tuple[int, int, int, int]


class BadTokensFile(Exception):
    """The file cannot be read or changed; the message names it and says what to do."""


class TokensFile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def stamp(self) -> Stamp | None:
        """Another value after each change; ``None``: there is no file. :raises BadTokensFile:"""
        try:
            facts = self.path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unreadable(error) from None
        return facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns

    def read(self) -> Stored:
        """:raises BadTokensFile:"""
        try:
            with self.path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
        except FileNotFoundError:
            return Stored()
        except OSError as error:
            raise self._unreadable(error) from None
        try:
            if len(data) > MOST_BYTES:
                raise ValueError
            stored = Stored.model_validate_json(data)
            if len({entry.name for entry in stored.tokens}) != len(stored.tokens):
                raise ValueError
        except (ValidationError, ValueError):
            raise BadTokensFile(
                f"{self.path}: damaged, or written by a newer worker; put a backup there, or delete it and make the "
                "tokens anew"
            ) from None
        return stored

    def change(self, change: Callable[[Stored], Stored]) -> None:
        """Read, change and write, one process at a time. :raises BadTokensFile:"""
        folder = self.path.parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder.stat().st_uid != os.geteuid():
                # The worker could not read a file of somebody else's.
                raise BadTokensFile(f"{folder} belongs to another user; run this as the worker's user")
            lock = os.open(folder / f"{self.path.name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                text = change(self.read()).model_dump_json(indent=2, exclude_defaults=False)
                durable.write(self.path, text.encode() + b"\n")
                durable.sync_folder(folder)
            finally:
                os.close(lock)
        except OSError as error:
            raise BadTokensFile(f"{self.path}: cannot be written ({error.strerror})") from None

    def _unreadable(self, error: OSError) -> BadTokensFile:
        return BadTokensFile(f"{self.path}: cannot be read ({error.strerror}); run this as the worker's user")
