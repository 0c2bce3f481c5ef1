"""``!queue``, ``!cancel``, deleting one's message, ``!status``, pausing, and a worker that is off."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from lab import Ev, Lab

from .conftest import QUICK

LONG = "--steps 100 --size 192x192"


@pytest.fixture
async def paused(lab: Lab) -> AsyncIterator[None]:
    """Nothing is drawn while this holds."""
    await lab.worker.api("POST", "/v1/pause", {})
    yield
    await lab.worker.api("POST", "/v1/resume")


async def accepted(lab: Lab, room: str, line: str, mark: int) -> str:
    """Types ``line`` and waits until it stands in the worker's queue."""
    with lab.worker_proxy.hold_after("POST", "/v1/jobs$", times=1) as held:
        asked = await lab.user.send(room, line)
        await held.reached()
    await lab.user.wait_for(lab.reaction(asked, "⏳"), mark)
    return asked


def others(queue: Ev) -> int:
    """How many requests of other rooms ``!queue`` counts: those of earlier tests wait for a bot that was put out."""
    found = re.search(r"Other rooms: (\d+)", queue.body)
    return int(found[1]) if found else 0


async def test_the_queue_shows_this_room_and_counts_the_others(lab: Lab, room: str, paused: None) -> None:
    mark = lab.user.mark()
    elsewhere = await lab.room()
    before = others(await lab.answer(room, "!queue"))
    await accepted(lab, elsewhere, f"!draw a secret badger {QUICK}", mark)
    await accepted(lab, room, f"!draw a visible otter {QUICK}", mark)
    shown = await lab.answer(room, "!queue")
    said = shown.body
    assert "a visible otter" in said
    assert "badger" not in said
    assert others(shown) == before + 1
    for place in (room, elsewhere):
        await lab.answer(place, "!cancel")


async def test_cancel_takes_back_ones_own_and_only_these(lab: Lab, room: str, paused: None) -> None:
    mark = lab.user.mark()
    asked = await accepted(lab, room, f"!draw otter {QUICK}", mark)
    nothing = await lab.answer(room, "!cancel", by=lab.admin)
    assert "nothing" in nothing.body.lower()
    await lab.answer(room, "!cancel")
    await lab.user.wait_for(lab.reaction(asked, "❌"), mark)
    assert "Nothing" in (await lab.answer(room, "!queue")).body


async def test_moderators_cancel_anybodys(lab: Lab, room: str, paused: None) -> None:
    mark = lab.user.mark()
    asked = await accepted(lab, room, f"!draw otter {QUICK}", mark)
    await lab.answer(room, "!cancel", by=lab.admin, reply=asked)
    await lab.user.wait_for(lab.reaction(asked, "❌"), mark)


async def test_members_do_not(lab: Lab, room: str, paused: None) -> None:
    mark = lab.admin.mark()
    asked = await lab.admin.send(room, f"!draw otter {QUICK}")
    await lab.admin.wait_for(lab.reaction(asked, "⏳"), mark)
    refused = await lab.answer(room, "!cancel", reply=asked)
    assert "50" in refused.body
    assert "otter" in (await lab.answer(room, "!queue")).body
    await lab.answer(room, "!cancel", by=lab.admin)


async def test_deleting_the_request_cancels_it(lab: Lab, room: str, paused: None) -> None:
    mark = lab.user.mark()
    asked = await accepted(lab, room, f"!draw otter {QUICK}", mark)
    await lab.user.redact(room, asked)
    for _ in range(40):
        if "Nothing" in (await lab.answer(room, "!queue")).body:
            break
    else:
        pytest.fail("it still stands in the queue")


async def test_a_running_one_stops_within_a_step(lab: Lab, room: str) -> None:
    mark = lab.user.mark()
    asked = await lab.user.send(room, f"!draw otter {LONG}")
    await lab.worker.wait_step(2)
    await lab.answer(room, "!cancel")
    await lab.user.wait_for(lab.reaction(asked, "❌"), mark, timeout=15)
    await lab.user.never(lab.from_bot(room, msgtype="m.image"), mark, within=1)
    assert await lab.worker.open_jobs() == []


async def test_status_says_what_the_worker_is_and_does(lab: Lab, room: str) -> None:
    await lab.draw(room, f"!draw otter {QUICK}")
    said = (await lab.answer(room, "!status")).body
    assert "otter-mini" in said
    assert "sync: false" not in said


async def test_paused_is_said_and_the_request_is_kept(lab: Lab, room: str) -> None:
    mark = lab.user.mark()
    await lab.worker.api("POST", "/v1/pause", {"minutes": 30})
    try:
        asked = await lab.user.send(room, f"!draw otter {QUICK}")
        said = await lab.user.wait_for(lab.reply_to(asked, msgtype="m.notice"), mark)
        assert "⏸" in said.body
        assert "⏸" in (await lab.answer(room, "!status")).body
    finally:
        await lab.worker.api("POST", "/v1/resume")
    await lab.user.wait_for(lab.reply_to(asked, msgtype="m.image"), mark, timeout=60)


async def test_a_worker_that_is_off_keeps_and_draws_later(lab: Lab, room: str) -> None:
    await lab.worker.stop()
    try:
        mark = lab.user.mark()
        asked = await lab.user.send(room, f"!draw otter --seed 11 {QUICK}")
        kept = await lab.user.wait_for(lab.reply_to(asked, msgtype="m.notice"), mark)
        assert "💤" in kept.body
        assert "24 h" in kept.body
        assert "💤" in (await lab.answer(room, "!status")).body
        assert "otter" in (await lab.answer(room, "!queue")).body
        assert "💤" in (await lab.answer(room, "!model")).body or "default" in (await lab.answer(room, "!model")).body
    finally:
        await lab.worker.start()
    picture = await lab.user.wait_for(lab.reply_to(asked, msgtype="m.image"), mark, timeout=90)
    assert picture.record["used"]["seed"] == 11
    pictures = await lab.pictures(room)
    assert len(pictures) == 1


async def test_the_plugin_starts_while_the_worker_is_off(lab: Lab, room: str) -> None:
    await lab.worker.stop()
    try:
        await lab.maubot.restart()
        assert "💤" in (await lab.answer(room, "!status")).body
    finally:
        await lab.worker.start()


async def test_cancelling_what_the_worker_has_not_seen(lab: Lab, room: str) -> None:
    await lab.worker.stop()
    try:
        mark = lab.user.mark()
        asked = await lab.user.send(room, f"!draw otter {QUICK}")
        await lab.user.wait_for(lab.reaction(asked, "⏳"), mark)
        await lab.answer(room, "!cancel")
        await lab.user.wait_for(lab.reaction(asked, "❌"), mark)
    finally:
        await lab.worker.start()
    await lab.user.never(lab.from_bot(room, msgtype="m.image"), mark, within=2)


async def test_deleting_a_picture_deletes_it_in_the_archive(lab: Lab) -> None:
    room = await lab.room()
    (picture,) = await lab.draw(room, f"!draw otter {QUICK}")
    name = picture.content["filename"]
    kept = list(lab.worker.data.rglob(name))
    assert kept, "a plain room's pictures stay in the archive"
    with lab.worker_proxy.hold_after("DELETE", "/v1/images/") as deleted:
        await lab.admin.redact(room, picture.event_id)
        await deleted.reached()
    assert not list(lab.worker.data.rglob(name))
