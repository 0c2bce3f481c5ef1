"""A disk becomes full under the worker, and under Maubot: nobody ends, nothing is lost, all goes on with new space."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab import Lab
from lab.power import why_not
from lab.proc import Proc, until

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")


@pytest.fixture(scope="module")
async def lab(folder: Path) -> AsyncIterator[Lab]:
    async with Lab(folder / "full-disk", disks=True, worker_config={"archive": {"min_free_gb": 0}}) as lab:
        yield lab


async def said(proc: Proc, what: str, start: int = 0) -> None:
    await until(lambda: re.search(what, proc.log_text(start)), f"{proc.name} says it", timeout=60)


async def test_under_the_worker(lab: Lab) -> None:
    room = await lab.room(encrypted=True)
    mark = lab.user.mark()
    asked = await lab.user.send(room, "!draw otter --steps 30")
    await lab.worker.wait_step(2)
    drawing, gpu = lab.worker.proc.pid, lab.worker.gpu_pids()
    ballast = lab.disks["worker"].fill()
    await said(lab.worker.proc, "No space left|disk takes nothing|disk is full")
    assert lab.worker.proc.alive()
    assert lab.worker.gpu_pids() == gpu
    ballast.unlink()
    await lab.user.wait_for(lab.reply_to(asked, msgtype="m.image"), mark, 90)
    await lab.user.wait_for(lab.reaction(asked, "✅"), mark, 30)
    assert lab.worker.proc.pid == drawing
    assert len(await lab.pictures(room)) == 1


async def test_the_worker_starts_on_a_full_disk(lab: Lab) -> None:
    """It says why it does not answer, and answers as soon as there is space."""
    await lab.worker.stop()
    log = lab.worker.proc.log_size()
    ballast = lab.disks["worker"].fill()
    start = asyncio.create_task(lab.worker.start())
    await said(lab.worker.proc, "disk is full", log)
    assert lab.worker.proc.alive()
    ballast.unlink()
    await start


async def test_under_maubot(lab: Lab) -> None:
    room = await lab.room(encrypted=True)
    mark = lab.user.mark()
    await lab.worker.api("POST", "/v1/pause", {})
    first = await lab.user.send(room, "!draw otter --steps 1")
    await lab.user.wait_for(lab.reaction(first, "⏳"), mark, 20)
    log = lab.maubot.proc.log_size()
    ballast = lab.disks["maubot"].fill()
    await lab.worker.api("POST", "/v1/resume")
    second = await lab.user.send(room, "!draw otter --steps 1 --seed 5")
    await said(lab.maubot.proc, "OperationalError", log)
    ballast.unlink()
    for asked in (first, second):
        await lab.user.wait_for(lab.reaction(asked, "✅"), mark, 120)
    assert sorted(picture.part for picture in await lab.pictures(room)) == ["picture/0", "picture/0"]
    assert lab.maubot.proc.alive()
