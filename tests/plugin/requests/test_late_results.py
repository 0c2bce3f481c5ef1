"""Results that come, or go, while their request ends: none stays behind in the outbox."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from plugin_rig import ROOM, Rig

from otterbot.requests.completion import closing


class Asked:
    """The worker's answer about a job takes its time."""

    def __init__(self, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers = asyncio.Event()
        self.count = 0
        job = rig.worker.job

        async def slow(job_id: str) -> Any:
            self.count += 1
            await self.answers.wait()
            return await job(job_id)

        monkeypatch.setattr(rig.worker, "job", slow)


async def test_a_picture_that_comes_as_its_request_is_cancelled(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """After what is there has been taken back, and before the request is forgotten."""
    rig.worker_server.auto = False
    request = await rig.ask()
    await rig.until(lambda: (live := rig.delivery.active(request.key)) is not None and live.request.job_id)
    asked = Asked(rig, monkeypatch)

    async def slow(*given: Any) -> Any:
        rig.worker_server.draw_all(rig.worker_server.by_key(request.key))
        async with asyncio.timeout(60):
            while "picture/0" not in await rig.store.parts_of(request.key):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return await closing(*given)

    monkeypatch.setattr("otterbot.requests.cancel.closing", slow)
    await rig.delivery.cancelling.cancel([request.key], ROOM)
    asked.answers.set()
    await asyncio.sleep(0.3)
    assert "picture/0" in await rig.store.parts_of(request.key), "it came"
    assert await rig.store.pending_parts() == []
    assert rig.server.pictures(ROOM) == []


@pytest.mark.parametrize("how", ["cancelled", "expired"])
@pytest.mark.parametrize("forgets", [False, True])
async def test_a_request_that_ends_while_its_picture_is_looked_for(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, how: str, forgets: bool
) -> None:
    rig.worker_server.auto = False
    request = await rig.ask()
    await rig.until(lambda: rig.worker_server.jobs)
    asked = Asked(rig, monkeypatch)
    rig.worker_server.draw_all(rig.worker_server.by_key(request.key))
    rig.worker_server.images.clear()
    await rig.until(lambda: asked.count)
    if forgets:
        rig.worker_server.forget()
    if how == "cancelled":
        await rig.delivery.cancelling.cancel([request.key], ROOM)
    else:
        await rig.delivery.giving_up.expire(request)
    asked.answers.set()
    assert (await rig.done(request)).outcome == how
    await asyncio.sleep(0.3)
    assert await rig.store.pending_parts() == []
    assert rig.server.pictures(ROOM) == []


@pytest.mark.parametrize("drawn", [False, True], ids=["still to be drawn", "drawn by now"])
async def test_a_worker_out_of_a_backup_draws_a_picture_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, drawn: bool
) -> None:
    """What it told of is gone, and its job is open again: nobody is told that the picture is lost."""
    rig.worker_server.auto = False
    request = await rig.ask()
    await rig.until(lambda: rig.worker_server.jobs)
    asked, job = Asked(rig, monkeypatch), rig.worker_server.by_key(request.key)
    rig.worker_server.draw_all(job)
    rig.worker_server.images.clear()
    await rig.until(lambda: asked.count)
    job["pictures"][0].update(state="queued", result=None)
    job["state"] = "queued"
    if drawn:
        rig.worker_server.draw_all(job)
    asked.answers.set()
    await asyncio.sleep(0.3)
    if not drawn:
        rig.worker_server.draw_all(job)
    assert (await rig.done(request)).outcome == "succeeded"
    assert len(rig.server.pictures(ROOM)) == 1
    assert "final" not in await rig.store.parts_of(request.key)
