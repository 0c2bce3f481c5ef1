"""The time that a picture still takes: it falls with every step, from the first picture on."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest
from core_lab import events, image, settings, worker_here

from otterbot_worker.runner.countdown import Countdown
from otterbot_worker.runner.job_view import Live
from otterbot_worker.schemas.jobs import Progress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def denoising(step: int, steps: int = 10) -> Progress:
    return Progress(phase="denoising", step=step, steps=steps)


def test_the_first_picture_of_all_counts_down_from_its_own_steps() -> None:
    clock = Clock()
    countdown = Countdown(work=20.0, pipeline=None, finish=None, load=0.0, clock=clock)
    assert countdown.left(Progress(phase="loading")) is None
    clock.now += 30
    assert countdown.left(denoising(0)) is None
    told = []
    for step in range(1, 11):
        clock.now += 2
        told.append(countdown.left(denoising(step)))
    assert told == pytest.approx([18, 16, 14, 12, 10, 8, 6, 4, 2, 0])
    assert countdown.speed == pytest.approx(1.0), "20 megapixel-steps in 20 s, the load left out"
    assert countdown.left(Progress(phase="decoding")) is None
    clock.now += 5
    assert countdown.left(Progress(phase="saving")) == 0
    assert countdown.finish_seconds == pytest.approx(5)


def test_what_was_measured_covers_load_steps_and_decoding() -> None:
    clock = Clock()
    countdown = Countdown(work=20.0, pipeline=25.0, finish=5.0, load=10.0, clock=clock)
    told = [countdown.left(Progress(phase="starting"))]
    clock.now += 4
    told.append(countdown.left(Progress(phase="loading")))
    clock.now += 6
    told.append(countdown.left(denoising(0)))
    for step in range(1, 11):
        clock.now += 2
        told.append(countdown.left(denoising(step)))
    told.append(countdown.left(Progress(phase="decoding")))
    clock.now += 4
    told.append(countdown.left(Progress(phase="decoding")))
    assert told == pytest.approx([35, 31, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 5, 1])


def test_one_slow_first_step_does_not_throw_it() -> None:
    clock = Clock()
    countdown = Countdown(work=20.0, pipeline=20.0, finish=None, load=0.0, clock=clock)
    countdown.left(denoising(0))
    clock.now += 8
    left = countdown.left(denoising(1))
    assert left is not None
    assert 18 < left < 36, "not 72"


def test_it_goes_on_counting_within_a_long_step(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, live = Clock(), Live()
    monkeypatch.setattr("otterbot_worker.runner.job_view.time.monotonic", clock)
    live.put("job", 0, Progress(phase="denoising", step=1, steps=4, eta_s=30.0))
    clock.now += 9
    shown = live.get("job", 0)
    assert shown is not None
    assert shown.eta_s == pytest.approx(21)
    clock.now += 60
    assert [progress.eta_s for progress in live.all()] == [0.0]


async def test_every_event_of_a_running_job_says_its_time_left_anew(tmp_path: Path) -> None:
    """The first job of a new worker, of two pictures: nothing has ever been measured."""
    async with worker_here(settings(tmp_path)) as here:
        await here.api.call("POST", "/v1/pause")
        job = await here.api.submit(image(prompt="slow", steps=8, count=2))
        assert job["eta_s"] is None
        told: list[tuple[int, float, float]] = []
        async with asyncio.timeout(30), aclosing(events(here.api)) as stream:
            async for name, data in stream:
                if name == "snapshot":
                    await here.api.call("POST", "/v1/resume")
                if name == "progress" and 2 <= data["progress"]["step"] < 8:
                    assert data["eta_s"] is not None
                    told.append((data["index"], data["progress"]["eta_s"], data["eta_s"]))
                if name == "job" and data["job"]["state"] == "succeeded":
                    break
        first = [whole for index, _, whole in told if index == 0]
        assert len(first) >= 4
        assert first == sorted(first, reverse=True)
        assert first[0] > first[-1] + 0.2
        assert all(whole > picture + 0.4 for index, picture, whole in told if index == 0), "the second one, too"
        assert all(whole <= picture + 0.1 for index, picture, whole in told if index == 1)


def test_a_download_counts_down_by_its_bytes() -> None:
    clock = Clock()
    countdown = Countdown(work=1.0, pipeline=30.0, finish=2.0, load=10.0, clock=clock)
    assert countdown.left(Progress(phase="downloading")) is None
    clock.now += 20
    assert countdown.left(Progress(phase="downloading", step=1_000)) is None
    assert countdown.left(Progress(phase="downloading", step=1_000, steps=5_000)) == 80 + 40
    assert countdown.left(Progress(phase="loading")) == 40
