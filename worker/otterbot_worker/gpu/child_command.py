"""How the GPU process is started: its command line and its environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..privacy import SILENT

PROGRAM = "otterbot_worker.images.child"
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
"""The libraries fetch nothing by themselves. ``images.load.download`` does, where the operator allows it."""
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
"""Threads that spin while they wait make drawing on a busy processor ten times slower."""


def command(
    *,
    device: str,
    lock_path: Path,
    lock_timeout: float,
    threads: int | None,
    downloads: bool,
    reserve_mb: int | None,
    ram_reserve_mb: int | None,
) -> list[str]:
    """The arguments are those of ``gpu.process.GpuProcess``."""
    words = [sys.executable, "-m", PROGRAM, "--device", device]
    words += ["--lock", str(lock_path), "--lock-timeout", str(lock_timeout), "--parent", str(os.getpid())]
    if threads:
        words += ["--threads", str(threads)]
    if downloads:
        words.append("--downloads")
    for option, megabytes in (("--reserve-mb", reserve_mb), ("--ram-reserve-mb", ram_reserve_mb)):
        words += [] if megabytes is None else [option, str(megabytes)]
    return words


def environment() -> dict[str, str]:
    """This process's own, with the worker's package to be found and libraries that are quiet and offline."""
    made = dict(os.environ)
    package_root = str(Path(__file__).resolve().parents[2])
    paths = [package_root, *filter(None, made.get("PYTHONPATH", "").split(os.pathsep))]
    made["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    made["PYTHONUNBUFFERED"] = "1"
    made["TOKENIZERS_PARALLELISM"] = "false"
    return {**PASSIVE, **made, **SILENT, **OFFLINE}
