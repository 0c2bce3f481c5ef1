"""What holds pictures up without being their fault: a disk that takes nothing, a pause in the middle of a start."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from core_lab import image, settings, until, worker_here

from otterbot_worker import durable
from otterbot_worker.gpu.child_handle import Child
from otterbot_worker.runner import pictures


async def test_pixels_that_find_no_room_wait_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "FULL_DISK_SECONDS", 0.5)
    async with worker_here(settings(tmp_path), paused=True) as here:
        job = await here.api.submit(image())
        scratch = here.parts.archive.scratch(f"{job['id']}-0-1")
        scratch.symlink_to("/dev/full")
        await here.api.call("POST", "/v1/resume")
        await until(lambda: "image" in here.parts.dispatcher.obstacles)
        assert "No space left" in here.parts.dispatcher.obstacles["image"]
        done = await here.api.done(job["id"])
        assert done["state"] == "succeeded"
        assert done["pictures"][0]["attempt"] == 1, "the try without room is given back"


async def test_a_picture_that_finds_no_room_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "FULL_DISK_SECONDS", 0.5)
    tries: list[Path] = []
    write = durable.write

    def full(target: Path, data: bytes, temporary: Path | None = None) -> None:
        tries.append(target)
        if len(tries) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(target, data, temporary)

    async with worker_here(settings(tmp_path), paused=True) as here:
        monkeypatch.setattr(durable, "write", full)
        job = await here.api.submit(image())
        await here.api.call("POST", "/v1/resume")
        await until(lambda: "image" in here.parts.dispatcher.obstacles)
        assert len(tries) == 1, "it is not drawn again and again meanwhile"
        assert (await here.api.done(job["id"]))["state"] == "succeeded"
        assert len(list(tmp_path.glob("archive/2*/*"))) == 3, "picture, sidecar and thumbnail, once"


@pytest.mark.parametrize("state", ["starting", "loading"])
async def test_a_pause_frees_the_card_in_the_middle_of(state: str, tmp_path: Path) -> None:
    if state == "starting":
        (tmp_path / "slow-start").touch()
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.submit(image(prompt="slowload"))
        await until(lambda: here.parts.gpu.info.state == state and here.parts.gpu.pid is not None)
        async with asyncio.timeout(5):
            await here.api.call("POST", "/v1/pause")
            await until(lambda: here.parts.gpu.info.state == "stopped")
            waiting = await here.api.until(job["id"], lambda job: job["state"] == "queued")
        assert waiting["pictures"][0]["attempt"] == 0
        row = (await here.parts.store.rows([job["id"]]))[job["id"]][0]
        assert row.gpu_deaths == 0
        (tmp_path / "slow-start").unlink(missing_ok=True)
        await here.api.call("POST", "/v1/resume")
        await until(lambda: here.parts.gpu.info.state == "loading")


@pytest.mark.parametrize("ends", [True, False])
async def test_a_process_whose_own_child_lives_on_is_buried(ends: bool, tmp_path: Path) -> None:
    """A download keeps the pipe of the dead GPU process open."""
    pid_file = tmp_path / "pid"
    program = "import subprocess, sys, time; open(sys.argv[1], 'w').write(str(subprocess.Popen(['sleep', '60']).pid))"
    program += "" if ends else "; time.sleep(60)"
    child = await Child.spawn([sys.executable, "-c", program, str(pid_file)], dict(os.environ), logging.getLogger())
    try:
        await until(lambda: pid_file.exists() and bool(pid_file.read_text()))
        async with asyncio.timeout(5):
            if ends:
                assert await child.wait(4)
            assert await child.end() is not ends, "whether it had to be killed"
    finally:
        with suppress(ProcessLookupError):
            os.kill(int(pid_file.read_text()), signal.SIGKILL)
