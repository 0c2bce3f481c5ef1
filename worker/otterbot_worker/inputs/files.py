"""`InputFiles`: pictures to start from, on disk.

```
ROOT/CLIENT/SHA256.png              a checked picture; the name is the hash of the bytes that were sent
ROOT/CLIENT/SHA256.mask.png its transparency, where it has any ROOT/CLIENT/.RANDOM.sent|[.mask].png one that is being
checked
```

The name is the hash of the bytes that were sent, not of the result: clients can compute it, and it does not change with
the decoder's version. Which of them are still needed is known to `queue.input_rows`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import re
import secrets
import signal
import stat
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ..errors import look_failed
from . import check
from .turns import Turns

AT_ONCE = 2
CHECK_SECONDS = 60.0
"""Limit of wall-clock time, long enough for a busy processor."""
TOO_SLOW = json.dumps({"code": check.TOO_COMPLEX}).encode()
_NAME = re.compile(r"[0-9a-f]{64}")

SENTENCES = {
    check.UNREADABLE: "This is no PNG, JPEG, WebP or GIF picture, or it is damaged.",
    check.TOO_LARGE: "The picture has too many pixels.",
    check.TOO_COMPLEX: (
        "The picture takes too long to read: it goes over its pixels too often, or is made of too many parts. Save it "
        "anew with any program and send that."
    ),
    check.CUT_OFF: "The picture is cut off: its end is missing. Send the whole of it again.",
    check.TOO_SMALL: f"The picture is too small: both sides need at least {check.MIN_SIDE} pixels.",
}


class BadInput(Exception):
    """``code`` is one of ``check.CODES``; the message is a sentence for people."""

    def __init__(self, code: str) -> None:
        super().__init__(SENTENCES[code])
        self.code = code


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A picture that can be drawn from. Width and height in pixels as it was sent, ``size`` in bytes as it is kept."""

    id: str
    width: int
    height: int
    size: int
    alpha: bool
    """It has transparency, kept at ``InputFiles.mask_path``."""
    animated: bool
    """It is animated; the first frame is kept."""
    colours: str = ""
    """As ``check.Converted`` says."""


def identify(data: bytes) -> str:
    """The id of a picture: SHA-256 of its bytes, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


class InputFiles:
    """One folder, written by one worker. Errors of the file system leave as `OSError`."""

    def __init__(self, root: Path, *, max_pixels: int) -> None:
        self._root = root
        self._max_pixels = max_pixels
        self._turns = Turns(AT_ONCE)

    def path(self, client: str, input_id: str) -> Path:
        """The picture's path, whether it is there or not. Raises `ValueError` for an invalid id."""
        if not _NAME.fullmatch(input_id) or "/" in client or client.startswith("."):
            raise ValueError("not an id")
        return self._root / client / f"{input_id}.png"

    def mask_path(self, client: str, input_id: str) -> Path:
        """The path of its transparency, white on black. Raises `ValueError` for an invalid id."""
        return Path(check.mask_path(str(self.path(client, input_id))))

    def has(self, client: str, input_id: str, *, alpha: bool) -> bool:
        """Whether the picture, and with ``alpha`` its mask, is on the disk. :raises CannotLook:"""
        wanted = [self.path(client, input_id), *([self.mask_path(client, input_id)] if alpha else [])]
        return all(_is_here(path) for path in wanted)

    async def add(self, client: str, data: bytes, *, owner: str | None = None) -> Checked:
        """Check a picture and store the result; it is on the disk when this returns. ``owner``: whose picture it is,
        since one person's slow pictures are to hold up nobody else's.

        :raises BadInput:
        """
        input_id = await asyncio.to_thread(identify, data)
        target = self.path(client, input_id)
        async with self._turns.turn(None if owner is None else f"{client} {owner}"):
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            target.parent.mkdir(mode=0o700, exist_ok=True)
            name = secrets.token_hex(8)
            sent, made = target.parent / f".{name}.sent", target.parent / f".{name}.png"
            mask = Path(check.mask_path(str(made)))
            try:
                await asyncio.to_thread(sent.write_bytes, data)
                found = await self._check(sent, made)
                size = made.stat().st_size
                if found.alpha:
                    size += mask.stat().st_size
                    await asyncio.to_thread(_keep, mask, self.mask_path(client, input_id))
                await asyncio.to_thread(_keep, made, target)
            finally:
                for path in (sent, made, mask):
                    path.unlink(missing_ok=True)
        return Checked(id=input_id, size=size, **found._asdict())

    async def _check(self, source: Path, target: Path) -> check.Converted:
        """:raises BadInput:"""
        package_root = str(Path(__file__).resolve().parents[2])
        paths = [package_root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "otterbot_worker.inputs.check",
            str(source),
            str(target),
            str(self._max_pixels),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), "MALLOC_ARENA_MAX": "2"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # decoders' messages may quote the file
        )
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                words, _ = await process.communicate()
        except TimeoutError:
            words = TOO_SLOW
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode == -signal.SIGXCPU:
            words = TOO_SLOW
        try:
            answer = json.loads(words)
        except ValueError:
            answer = {"code": check.UNREADABLE}  # killed by a limit, or crashed
        if (number := answer.get("errno")) is not None:
            raise OSError(number, os.strerror(number))
        if "code" in answer:
            raise BadInput(answer["code"])
        size = int(answer["width"]), int(answer["height"])
        alpha, animated = bool(answer["alpha"]), bool(answer["animated"])
        return check.Converted(*size, alpha=alpha, animated=animated, colours=answer["colours"])

    def delete(self, client: str, input_id: str) -> None:
        for path in (self.path(client, input_id), self.mask_path(client, input_id)):
            path.unlink(missing_ok=True)

    def sweep(self, known: Collection[tuple[str, str]]) -> int:
        """Deletes what is not among the known (client, id), and what crashes left; returns how many. Nothing may be
        added meanwhile. Folders stay: none is ours."""
        count = 0
        for path in [path for path in self._root.glob("*/*") if path.is_symlink() or not path.is_dir()]:
            if path.name.startswith(".") or (path.parent.name, path.name.partition(".")[0]) not in known:
                path.unlink(missing_ok=True)
                count += 1
        return count


def _is_here(path: Path) -> bool:
    """:raises CannotLook:"""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        look_failed(error, "the picture")
        return False


def _keep(made: Path, target: Path) -> None:
    made.chmod(0o600)
    with made.open("rb") as file:
        os.fsync(file.fileno())
    made.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(folder)
    finally:
        os.close(folder)
