"""Watches a download into the hub cache, which runs in a process of its own. Free of torch.

That process (``images.load.download``) is the only one that talks to the hub. It says in a line of JSON how many bytes
are missing, before it fetches them; here the cache is watched while it grows, and the process is ended when nobody
wants it any more, or nothing arrives.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from ..privacy import SILENT
from . import files

PROGRAM = "otterbot_worker.images.load.download"
POLL_S = 0.5
STALLED_S = 300.0
ASK_S = 120.0
REPORT_S = 1.0
RESERVE = 1_000_000_000
"""Bytes that stay free on the disk."""
EXIT_GATED, EXIT_UNKNOWN, EXIT_LACKS = 3, 4, 5
"""What the process ends with where the hub answers: a licence has to be accepted first; it shows no such repository;
the repository has other files than are wanted."""


class Watcher(Protocol):
    """As ``images.monitor.Monitor``."""

    def progress(self, phase: Literal["downloading", "loading"], step: int = 0, steps: int = 0) -> None:
        """Bytes that have come, and all of them; 0: nobody knows yet."""

    def check(self) -> None:
        """Called often. May raise, and so end the download."""


class DownloadFailed(Exception):
    """The message is a short phrase for people."""


def fetch(
    hub: str,
    *,
    monitor: Watcher,
    variant: str | None = None,
    single: bool = False,
    without: Collection[str] = (),
    only: str | None = None,
    chosen: Sequence[str] = (),
) -> Path:
    """The snapshot's folder. ``single``: one component (a VAE), not a pipeline. ``without``: components of a pipeline
    that are not fetched; ``only``: the one that is; ``chosen``: nothing but these files.

    :raises DownloadFailed:

    """
    command = _command(hub, variant=variant, single=single, without=without, only=only, chosen=chosen)
    process = subprocess.Popen(command, env=_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        _watch(process, files.hub_cache() / files.repository_folder(hub) / "blobs", monitor)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    if process.returncode != 0:
        raise _failed(process.returncode, hub)
    folder = files.snapshot(hub)
    if folder is None:
        raise DownloadFailed("it is not in the cache afterwards")
    return folder


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What the hub says of a repository before anything is fetched."""

    missing: int
    """Bytes to fetch."""
    gated: bool
    """Its licence has to be accepted at the hub, by an account."""
    licence: str | None
    """As its page says, ``cc-by-nc-4.0`` for example."""


def ask(
    hub: str,
    *,
    variant: str | None = None,
    single: bool = False,
    without: Collection[str] = (),
    only: str | None = None,
    chosen: Sequence[str] = (),
) -> Offer:
    """What `fetch` with the same arguments would fetch. :raises DownloadFailed:"""
    command = _command(hub, variant=variant, single=single, without=without, only=only, chosen=chosen)
    try:
        done = subprocess.run([*command, "--ask"], env=_environment(), capture_output=True, timeout=ASK_S, check=False)
    except subprocess.TimeoutExpired:
        raise DownloadFailed("the hub does not answer") from None
    said = _first_line(done.stdout)
    if done.returncode != 0 or said is None:
        raise _failed(done.returncode, hub)
    return Offer(missing=int(said["missing"]), gated=bool(said["gated"]), licence=said["licence"])


def _command(
    hub: str, *, variant: str | None, single: bool, without: Collection[str], only: str | None, chosen: Sequence[str]
) -> list[str]:
    command = [sys.executable, "-m", PROGRAM, hub, "--parent", str(os.getpid())]
    command += ["--variant", variant] if variant else []
    command += ["--single"] if single else []
    command += [word for name in sorted(without) for word in ("--without", name)]
    command += ["--only", only] if only else []
    return command + [word for name in chosen for word in ("--file", name)]


def _environment() -> dict[str, str]:
    # Plain HTTP instead of Xet: the cache file grows, so progress can be measured.
    changes = {"HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    return {**os.environ, **changes, **SILENT}


def _failed(code: int, hub: str) -> DownloadFailed:
    page = f"https://huggingface.co/{hub}"
    said = {
        EXIT_GATED: f"its licence has to be accepted first at {page}, and HF_TOKEN be a token of that account",
        EXIT_UNKNOWN: "the hub has no such repository, or shows it to some accounts alone (HF_TOKEN)",
        EXIT_LACKS: "the hub does not have the files of it that the catalogue asks for",
    }
    return DownloadFailed(said.get(code, "the hub could not be reached"))


def _watch(process: subprocess.Popen[bytes], blobs: Path, monitor: Watcher) -> None:
    """:raises DownloadFailed: :raises Cancelled:"""
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    before, said, total = _whole_files(blobs), b"", None
    size, changed, reported = -1, time.monotonic(), 0.0
    while process.poll() is None:
        monitor.check()
        said += process.stdout.read() or b""
        if total is None and (total := _announced(said)) is not None:
            _check_room(total, blobs)
        now = files.folder_size(blobs)
        if now != size:
            size, changed = now, time.monotonic()
        elif time.monotonic() - changed > STALLED_S:
            raise DownloadFailed("nothing arrived for minutes")
        if time.monotonic() - reported >= REPORT_S:
            reported = time.monotonic()
            done = max(0, now - before)
            monitor.progress("downloading", done if total is None else min(done, total), total or 0)
        time.sleep(POLL_S)
    monitor.progress("loading")


def _whole_files(blobs: Path) -> int:
    """Bytes of complete files in the cache; partial files are continued and count as missing."""
    return files.folder_size(blobs) - arrived(blobs)


def _announced(said: bytes) -> int | None:
    """How many bytes are missing; ``None`` until the process has printed it."""
    found = _first_line(said)
    missing = None if found is None else found.get("missing")
    return missing if isinstance(missing, int) else None


def _first_line(said: bytes) -> dict[str, Any] | None:
    line, end, _ = said.partition(b"\n")
    try:
        found = json.loads(line) if end else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _check_room(missing: int, blobs: Path) -> None:
    """:raises DownloadFailed: the disk is too full"""
    free = free_for(blobs)
    if missing - arrived(blobs) + RESERVE > free:
        raise DownloadFailed(f"it needs {missing / 1e9:.1f} GB, and of the disk {free / 1e9:.1f} GB are free")


def arrived(blobs: Path) -> int:
    """Bytes of partial files that are continued."""
    return sum(path.stat().st_size for path in blobs.glob("*.incomplete"))


def free_for(folder: Path) -> int:
    """Free bytes of the disk where a folder is, or will be."""
    return shutil.disk_usage(next(parent for parent in folder.parents if parent.exists())).free
