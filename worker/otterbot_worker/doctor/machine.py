"""The machine: packages, the cards, free disk, the clock, the user, and a picture drawn in a real GPU process."""

from __future__ import annotations

import ctypes
import json
import logging
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .. import privacy, space
from ..config import Config
from ..errors import JobFailed, ProcessDied
from ..gpu import deaths
from ..gpu.messages import Draw
from ..gpu.process import GpuProcess
from ..models import files
from ..models.catalogue import SMALL_MODEL, load_catalogue
from .report import Report

MIN_FREE_DISK = 10e9
CARD_SECONDS = 180
DAY = 86_400
UNSYNCHRONISED = 5
"""``TIME_ERROR``: what ``adjtimex`` answers while nothing keeps the clock right."""
TIMEX_BYTES = 1024
"""More than any ``struct timex`` has."""


def check_packages(report: Report) -> bool:
    """Whether everything is installed that draws."""
    report.ok("python", f"Python {'.'.join(str(part) for part in sys.version_info[:3])}")
    complete = True
    for package in ("torch", "diffusers", "transformers", "compel", "accelerate", "safetensors"):
        try:
            report.ok("package", f"{package} {version(package)}")
        except PackageNotFoundError:
            report.fail("package.missing", f"{package} is not installed")
            complete = False
    return complete


def check_card(report: Report, devices: Sequence[str]) -> None:
    """In a process of its own: PyTorch and the driver may take it down."""
    command = [sys.executable, "-m", "otterbot_worker.doctor.card", *devices]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=CARD_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        report.fail("card.hangs", f"PyTorch or the card's driver did not answer within {CARD_SECONDS} s")
        return
    report.take(json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    if done.returncode != 0:
        how = f"signal {-done.returncode}" if done.returncode < 0 else (done.stderr.strip().splitlines() or ["?"])[-1]
        report.fail("card.died", f"the look at PyTorch and the card ended with {how}")


def check_user(report: Report) -> None:
    if privacy.is_root():
        report.note("user.root", f"this runs as root: {privacy.ROOT}")


def check_disk(report: Report, config: Config) -> None:
    """Free space, judged by the same function as in the worker."""
    for place in space.places(config.archive_dir, config.data_dir, config.archive.min_free_gb):
        room = space.look(place)
        if room.problem is not None:
            report.fail("disk.floor", f"{room.problem} ({place.path}; archive.min_free_gb)")
    for what, path in (("data", config.data_dir), ("model cache", files.hub_cache())):
        existing = next(parent for parent in (path, *path.parents) if parent.exists())
        free = shutil.disk_usage(existing).free
        line = f"{free / 1e9:.1f} GB free for {what} ({path})"
        (report.ok if free >= MIN_FREE_DISK else report.note)("disk.free", line)


def check_clock(report: Report, data_dir: Path) -> None:
    """A wrong clock makes certificates invalid, and old pictures look new."""
    now, here = time.time(), _last_written(data_dir)
    installed = Path(__file__).stat().st_mtime
    if now < installed - DAY:
        report.fail("clock.past", f"the clock says {_day(now)}, but this was installed on {_day(installed)}")
    elif here is not None and now < here - DAY:
        said = f"the clock says {_day(now)}, but the worker wrote its database on {_day(here)}: one of them is wrong"
        report.fail("clock.past", said)
    elif _unsynchronised():
        said = "nothing keeps this machine's clock right (no time service, such as systemd-timesyncd or chrony)"
        report.note("clock.unsynchronised", said)
    else:
        report.ok("clock", f"the clock says {time.strftime('%Y-%m-%d %H:%M %Z')}")


def _day(moment: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(moment))


def _last_written(data_dir: Path) -> float | None:
    try:
        return (data_dir / "jobs.sqlite").stat().st_mtime
    except OSError:
        return None


def _unsynchronised() -> bool:
    """As the kernel says; ``False`` where it says nothing."""
    try:
        answer = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))  # changes nothing: no mode is set
    except (OSError, AttributeError):
        return False
    return bool(answer == UNSYNCHRONISED)


async def check_drawing(report: Report, data_dir: Path, device: str) -> None:
    """Draw a picture with the shipped model in a real GPU process."""
    entry = load_catalogue(data_dir=data_dir).images[SMALL_MODEL]
    with tempfile.TemporaryDirectory(prefix="otterbot-doctor-") as scratch_name:
        scratch = Path(scratch_name)
        gpu = GpuProcess(
            device=device,
            lock_path=scratch / "card.lock",
            threads=None,
            step_timeout=120,
            load_timeout=120,
            log=logging.getLogger("otterbot_worker.doctor"),
        )
        task = Draw(
            task_id="doctor",
            entry=entry,
            model=entry.name,
            prompt="otter, cowboy hat",
            negative_prompt="",
            steps=4,
            guidance_scale=5.0,
            width=128,
            height=128,
            sampler="UniPC",
            seed=1,
            output=scratch / "picture.rgb",
        )
        try:
            drawn = await gpu.draw(task, lambda _: None)
            where = f"{gpu.info.device} ({gpu.info.name})"
            report.ok("picture", f"drew a small picture on {where} in {drawn.seconds:.1f} s")
        except ProcessDied as died:
            report.fail("picture.none", f"no picture: {deaths.sentence(died.reason)}")
        except JobFailed as failed:
            report.fail("picture.none", f"no picture: {failed.message}")
        finally:
            await gpu.stop()
