"""A seat with a real process: what comes, in which batches, and what is left of a picture on that machine."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from core_lab import gpu_processes, until
from draw_tasks import draw_task
from seat_lab import SEATING, machine, said, with_double

from otterbot_worker.cluster import seat as seats
from otterbot_worker.cluster import travel
from otterbot_worker.cluster.seat import Seat
from otterbot_worker.cluster.wire import Seating
from otterbot_worker.config import Config
from otterbot_worker.errors import LANE_LACKS
from otterbot_worker.gpu import messages
from otterbot_worker.models.entries import ModelEntry


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return machine(tmp_path / "there")


@pytest_asyncio.fixture
async def seat(config: Config, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Seat]:
    with_double(monkeypatch)
    made = Seat(config, SEATING, None)
    await made.start()
    await said(made, lambda one: isinstance(one, messages.Hello))
    yield made
    await made.stop()


@pytest.fixture
def task(mini: ModelEntry, tmp_path: Path) -> Callable[..., messages.Draw]:
    def make(**fields: Any) -> messages.Draw:
        needed = {"negative_prompt": "", "guidance_scale": 5.0, "width": 64, "height": 64, "sampler": "UniPC"}
        more = {"prompt": "otter", "steps": 2, "seed": 3, "task_id": "t", "output": tmp_path / "picture"}
        return draw_task(**{**needed, **more, "entry": mini, **fields})

    return make


def final(message: messages.ToParent) -> bool:
    return isinstance(message, messages.Drawn | messages.Failed | messages.Cancelled)


async def test_a_picture_comes_with_its_pixels(
    seat: Seat, config: Config, task: Callable[..., messages.Draw], tmp_path: Path
) -> None:
    (tmp_path / "start.png").write_bytes(b"not looked at by a double")
    packed, sent = travel.packed(task(init_image=tmp_path / "start.png"))
    line = messages.encode(packed)
    assert await seat.send(line) == ["input-0"], "it has to come first"
    for name, path in sent.items():
        await seat.put(name, path.read_bytes(), first=True)
    assert await seat.send(line) == []
    _, batches = await said(seat, final)
    assert batches[-1].pixels == bytes([3, 0, 0]) * 64 * 64
    assert list((config.data_dir / "cluster").rglob("*")) == [config.data_dir / "cluster" / "gpu"], "nothing stays"


async def test_steps_come_together(seat: Seat, task: Callable[..., messages.Draw]) -> None:
    await seat.send(messages.encode(travel.packed(task(steps=100))[0]))
    found, batches = await said(seat, final)
    assert len([one for one in found if isinstance(one, messages.Progress)]) > 100
    assert len(batches) < 30, "not a call for each"


async def test_a_cancel_comes_through_while_it_draws(seat: Seat, task: Callable[..., messages.Draw]) -> None:
    await seat.send(messages.encode(travel.packed(task(prompt="slow", steps=150))[0]))
    await said(seat, lambda one: isinstance(one, messages.Progress) and one.step > 1)
    await seat.send(messages.encode(messages.Cancel(task_id="t")))
    found, _ = await said(seat, final)
    assert isinstance(found[-1], messages.Cancelled)


async def test_what_it_lacks_is_said_at_once(seat: Seat, task: Callable[..., messages.Draw]) -> None:
    asked = task()
    other = asked.entry.from_dict({**asked.entry.as_dict(), "name": "elsewhere"})
    await seat.send(messages.encode(travel.packed(asked.model_copy(update={"entry": other}))[0]))
    found, _ = await said(seat, final)
    assert isinstance(found[-1], messages.Failed)
    assert found[-1].code == LANE_LACKS
    assert found[-1].memory.total_bytes == 8_000, "as last measured"


async def test_a_full_disk_there_is_not_one_of_the_worker(
    seat: Seat, config: Config, task: Callable[..., messages.Draw]
) -> None:
    (config.data_dir / "cluster" / "gpu" / "picture").symlink_to("/dev/full")
    await seat.send(messages.encode(travel.packed(task())[0]))
    found, _ = await said(seat, final)
    assert isinstance(found[-1], messages.Failed)
    assert (found[-1].code, found[-1].details) == (LANE_LACKS, {})


async def test_the_death_of_its_process_is_told_with_its_reason(seat: Seat, config: Config) -> None:
    (pid,) = gpu_processes(config.lock_file)
    os.kill(pid, signal.SIGSEGV)
    await until(lambda: gpu_processes(config.lock_file) == [])
    batch = await seat.take(30.0)
    while batch.end is None:
        batch = await seat.take(30.0)
    assert (batch.end.returncode, batch.end.reason) == (-signal.SIGSEGV, "killed by SIGSEGV")


async def test_only_names_of_files(seat: Seat, config: Config) -> None:
    for name in ("../gpu.lock", "/etc/passwd", "picture"):
        with pytest.raises(ValueError, match="no name"):
            await seat.put(name, b"x", first=True)


async def test_files_of_loras_stay_up_to_a_bound(
    seat: Seat, config: Config, task: Callable[..., messages.Draw], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seats, "KEPT_BYTES", 25)

    async def draws(digit: str) -> None:
        lora = {"name": digit, "weight": 1.0, "hash": digit * 64, "path": f"/here/{digit}.safetensors"}
        line = messages.encode(travel.packed(task(loras=[lora]))[0])
        for name in await seat.send(line):
            await seat.put(name, b"0123456789", first=True)
        assert await seat.send(line) == []
        await said(seat, final)

    for digit in "1213":
        await draws(digit)
    left = sorted(path.name[:6] for path in (config.data_dir / "cluster").rglob("lora-*"))
    assert left == ["lora-1", "lora-3"], "the least recently used one went"


def test_the_lock_is_that_of_a_worker_there(config: Config) -> None:
    def name(card: str | None, number: int = 0, *, gpu: bool = True) -> str:
        return Seat(config, Seating(number=number, lanes=2, gpu=gpu, lease=9), card)._lock.name

    assert [name("0"), name("1"), name(None, 1)] == ["gpu.lock", "gpu-cuda-1.lock", "gpu-cuda-1.lock"]
    assert [name(None, gpu=False), name(None, 1, gpu=False)] == ["gpu.lock", "gpu-cpu-2.lock"]
