"""Disks whose power can be cut: what was written and not synced is gone, as on a real machine.

A kill shows nothing of this, because the kernel keeps what a killed program wrote. So a folder becomes an ext4 file
system in an image of its own. A cut freezes the programs, shuts the file system down without its journal (what the
kernel's own tests of file systems call a power cut), ends the programs, and mounts the image again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from .proc import Proc

_SHUTDOWN = 0x8004587D
"""``FS_IOC_SHUTDOWN``."""
_WITHOUT_JOURNAL = 2
"""``EXT4_GOING_FLAGS_NOLOGFLUSH``."""
MIB = 96


def _run(*command: str) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip() or done.returncode}")


class Disk:
    """An ext4 file system, mounted at ``folder``. ``image`` holds what a cut leaves; its folder must exist."""

    def __init__(self, folder: Path, image: Path, *, mib: int = MIB) -> None:
        self.folder, self.image, self.mib = folder, image, mib

    def __enter__(self) -> Disk:
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.image.open("wb") as file:
            file.truncate(self.mib * 2**20)
        _run("mkfs.ext4", "-q", "-m", "0", str(self.image))
        self._mount()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            _run("umount", "-l", str(self.folder))
        self.image.unlink(missing_ok=True)

    def _mount(self) -> None:
        _run("mount", "-o", "loop,nosuid,nodev", str(self.image), str(self.folder))

    def sync(self) -> None:
        """Everything that was written so far is on the disk."""
        _run("sync", "-f", str(self.folder))

    def shut_down(self) -> None:
        """From here on nothing is written, and whoever tries gets an I/O error."""
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, _SHUTDOWN, struct.pack("I", _WITHOUT_JOURNAL))
        finally:
            os.close(handle)

    def come_back(self) -> None:
        """Mount it again, as the next start of the machine does. Nobody may use it any more."""
        _run("umount", str(self.folder))
        self._mount()

    async def cut(self, procs: Sequence[Proc] = ()) -> None:
        """The power fails under ``procs``, and is back when this returns; they have to be started again."""
        running = [proc for proc in procs if proc.alive()]
        for proc in running:
            proc.freeze()
        self.shut_down()
        for proc in running:
            await proc.kill()
        self.come_back()

    # ------------------------------------------------------------ a full disk

    def fill(self) -> Path:
        """Take all the space that is left; the returned file gives it back when it is deleted."""
        ballast = self.folder / "ballast"
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * 65536)
        with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0")
        return ballast


@cache
def why_not() -> str:
    """Why there can be no such disk on this machine; empty if there can."""
    for program in ("mkfs.ext4", "mount", "umount"):
        if shutil.which(program) is None:
            return f"no {program} on this machine"
    if os.geteuid() != 0:
        return "only root may mount a file system"
    with tempfile.TemporaryDirectory(prefix="otterbot-disk-") as name:
        try:
            with Disk(Path(name) / "disk", Path(name) / "image", mib=8) as disk:
                disk.shut_down()
                disk.come_back()
        except OSError as error:
            return f"no file system can be mounted here: {error}"
    return ""
