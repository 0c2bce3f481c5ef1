"""Two cards for real: two GPU processes on the processor, with the model that ships with the worker."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from core_lab import Json, Process, gpu_processes, image, until

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


async def test_two_cards(tmp_path: Path) -> None:
    """Both draw; one is killed while the other goes on; a cancel stops both; one is paused; nothing is left behind."""
    worker = Process(tmp_path / "data", OTTERBOT_GPU__DEVICE="auto", OTTERBOT_GPU__DEVICES='["cpu", "cpu"]')
    locks = [worker.folder / "gpu.lock", worker.folder / "gpu-cpu-2.lock"]

    def begun(job: Json) -> int:
        """How many pictures have begun."""
        return sum(bool(one["progress"] and one["progress"]["step"]) for one in job["pictures"])

    def processes() -> list[list[int]]:
        return [gpu_processes(lock) for lock in locks]

    async with worker.running() as api:
        job = await api.submit(image(steps=40, count=4))
        await api.until(job["id"], lambda job: begun(job) == 2)
        assert [len(found) for found in processes()] == [1, 1]
        os.kill(processes()[1][0], signal.SIGKILL)
        done = await api.done(job["id"])
        assert done["state"] == "succeeded"
        assert sorted(one["attempt"] for one in done["pictures"]) == [1, 1, 1, 2]
        long = await api.submit(image("key-00002", steps=90, count=4))
        await api.until(long["id"], lambda job: begun(job) == 2)
        code, printed = await worker.command("lanes")
        assert code == 0
        # The second has its model since its first picture is done; whose that was is the schedule's affair.
        states = {line.partition(":")[2] for line in printed.splitlines()}
        assert " at work, otter-mini is loaded" in states
        assert states <= {" at work, otter-mini is loaded", " at work"}
        assert await worker.command("pause", "--lane", "cpu-2") == (0, "paused; cpu-2 is free\n")
        assert processes()[1] == []
        await api.call("DELETE", f"/v1/jobs/{long['id']}")
        rows = (await api.done(long["id"]))["pictures"]
        assert {one["state"] for one in rows} <= {"cancelled", "succeeded"}
        assert (await worker.command("lanes"))[1].splitlines()[1].endswith(": paused")
        assert await worker.command("resume", "--lane", "cpu-2") == (0, "cpu-2 goes on\n")
        code, said = await worker.command("pause", "--lane", "cuda:7")
        assert code == 2
        assert "There is no such card; there are: cpu, cpu-2." in said
        after = await api.done((await api.submit(image("key-00003", steps=2)))["id"])
        assert after["state"] == "succeeded"
    await until(lambda: processes() == [[], []])
