"""Pictures that are shown while they are drawn: in one message, which goes at the end, whatever the end is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from plugin_rig import ROOM, Rig

from otterbot.config import StatusValues
from otterbot.requests import watching
from otterbot.store.part_names import PartName
from otterbot.store.quotas import Quota
from otterbot.store.rows import Request

Event = dict[str, Any]


@pytest.fixture(autouse=True)
def soon(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.values = replace(rig.values, status=StatusValues(after_seconds=60, edit_seconds=1))
    rig.worker_server.auto = False
    monkeypatch.setattr(watching, "PAUSE", 0.05)
    monkeypatch.setattr(watching, "UNSENT", 0.02)


def previews(rig: Rig) -> list[Event]:
    """The message, and its edits."""
    return [event for event in rig.server.pictures(ROOM) if event["content"]["org.otterbot"].get("preview")]


def left(rig: Rig) -> list[Event]:
    """What of it nobody has redacted."""
    redacted = {event["redacts"] for event in rig.server.of_bot(ROOM, "m.room.redaction")}
    return [event for event in previews(rig) if event["event_id"] not in redacted]


async def watched(rig: Rig, **more: Any) -> tuple[Request, dict[str, Any]]:
    """A request that is watched, and its job at the worker."""
    request = await rig.ask(body={"preview": True, **more.pop("body", {})}, **more)
    await rig.until(lambda: rig.worker_server.jobs)
    await asyncio.sleep(0.1)
    return request, rig.worker_server.by_key(request.key)


async def gone(rig: Rig) -> None:
    await rig.until(lambda: previews(rig) and not left(rig))


async def test_it_comes_is_replaced_and_goes(rig: Rig) -> None:
    request, job = await watched(rig)
    first = rig.worker_server.show(job, 0, eta_s=30.0)
    await rig.until(lambda: len(previews(rig)) == 1)
    content = previews(rig)[0]["content"]
    assert rig.server.media[content["url"]] == first
    assert content["m.relates_to"] == {"m.in_reply_to": {"event_id": request.event_id}}
    assert (content["info"]["mimetype"], content["info"]["w"], content["info"]["h"]) == ("image/jpeg", 8, 8)
    assert content["m.mentions"] == {}
    assert "record" not in content["org.otterbot"]
    await asyncio.sleep(0.1)
    second = rig.worker_server.show(job, 0, eta_s=20.0)
    await rig.until(lambda: len(previews(rig)) == 2)
    edit = previews(rig)[1]["content"]
    assert edit["m.relates_to"] == {"rel_type": "m.replace", "event_id": previews(rig)[0]["event_id"]}
    assert rig.server.media[edit["m.new_content"]["url"]] == second
    rig.worker_server.draw_all(job)
    assert (await rig.done(request)).outcome == "succeeded"
    await gone(rig)
    assert len(rig.server.of_bot(ROOM, "m.room.redaction")) == 3, "message, edit, and ⏳"
    last = await rig.store.last_picture(ROOM)
    assert last == rig.server.pictures(ROOM)[-1]["event_id"], "the picture"
    assert rig.server.pictures(ROOM)[-1]["content"]["org.otterbot"]["part"] == "picture/0"


async def test_not_where_nobody_asked_nor_for_the_last_seconds(rig: Rig) -> None:
    request = await rig.ask()
    await rig.until(lambda: rig.worker_server.jobs)
    await asyncio.sleep(0.1)
    job = rig.worker_server.by_key(request.key)
    rig.worker_server.show(job, 0, eta_s=60.0)
    late, job_of_late = await rig.ask(body={"preview": True}), None
    await rig.until(lambda: len(rig.worker_server.jobs) == 2)
    await asyncio.sleep(0.1)
    job_of_late = rig.worker_server.by_key(late.key)
    for number in range(3):
        rig.worker_server.show(job_of_late, 0, eta_s=3.0 - number)
        await asyncio.sleep(0.05)
    assert previews(rig) == []
    rig.worker_server.draw_all(job)
    rig.worker_server.draw_all(job_of_late)
    await rig.done(late)
    assert rig.server.of_bot(ROOM, "m.room.message") == rig.server.pictures(ROOM)


async def test_of_several_the_one_that_is_drawn_now_in_the_same_message(rig: Rig) -> None:
    request, job = await watched(rig, body={"count": 2})
    rig.worker_server.show(job, 0, eta_s=30.0)
    await rig.until(lambda: len(previews(rig)) == 1)
    rig.worker_server.draw(job, 0)
    await rig.until(lambda: rig.seeds() == [7])
    assert left(rig), "there is one more to come"
    second = rig.worker_server.show(job, 1, eta_s=30.0)
    await rig.until(lambda: len(previews(rig)) == 2)
    edit = previews(rig)[1]["content"]
    assert edit["m.relates_to"]["event_id"] == previews(rig)[0]["event_id"]
    assert rig.server.media[edit["m.new_content"]["url"]] == second
    rig.worker_server.draw_all(job)
    await rig.done(request)
    await gone(rig)


@pytest.mark.parametrize("end", ["cancelled", "failed", "expired"])
async def test_it_goes_whatever_the_end_is(rig: Rig, end: str) -> None:
    request, job = await watched(rig)
    rig.worker_server.show(job, 0, eta_s=30.0)
    await rig.until(lambda: left(rig))
    if end == "cancelled":
        await rig.delivery.cancelling.cancel([request.key], ROOM)
    elif end == "failed":
        rig.worker_server.fail(job, 0)
    else:
        await rig.worker_server.stop()
        await rig.delivery.giving_up.expire(request)
    assert (await rig.done(request)).outcome == end
    await gone(rig)
    await asyncio.sleep(0.1)
    assert len(previews(rig)) == 1, "nothing is shown afterwards"


@pytest.mark.parametrize("when", ["on its way", "there"])
async def test_a_restart_in_the_middle(rig: Rig, when: str) -> None:
    request, job = await watched(rig)
    if when == "on its way":
        rig.server.swallow = 1
    rig.worker_server.show(job, 0, eta_s=30.0)
    await rig.until(lambda: previews(rig))
    await rig.restart()
    rig.worker_server.draw_all(job)
    assert (await rig.done(request)).outcome == "succeeded"
    await gone(rig)
    assert len(previews(rig)) == 1


async def test_it_goes_on_after_a_restart(rig: Rig) -> None:
    request, job = await watched(rig)
    rig.worker_server.show(job, 0, eta_s=30.0)
    await rig.until(lambda: previews(rig))
    await rig.restart()
    await asyncio.sleep(0.2)
    rig.worker_server.show(job, 0, eta_s=20.0)
    await rig.until(lambda: len(previews(rig)) == 2)
    assert previews(rig)[1]["content"]["m.relates_to"]["rel_type"] == "m.replace"
    rig.worker_server.draw_all(job)
    await rig.done(request)
    await gone(rig)


async def test_one_that_cannot_be_had_or_uploaded_is_dropped_and_the_picture_comes(rig: Rig) -> None:
    def instead(asked: web.Request) -> web.StreamResponse | None:
        return web.Response(text="<html>") if asked.path.endswith("/preview") else None

    rig.worker_server.instead = instead
    request, job = await watched(rig)
    rig.worker_server.show(job, 0, eta_s=30.0)
    await rig.until(lambda: rig.worker_server.jobs)
    await asyncio.sleep(0.3)
    assert previews(rig) == []
    rig.worker_server.draw_all(job)
    assert (await rig.done(request)).outcome == "succeeded"
    assert rig.seeds() == [7]
    part = await rig.store.part(request.key, PartName.preview(0))
    assert part is not None
    assert (part.state, part.event_id) == ("failed", None)


async def test_what_waits_is_replaced_by_what_is_newer(rig: Rig) -> None:
    """The homeserver lets nothing through: of two edits the room sees the second."""
    request, job = await watched(rig)
    rig.worker_server.show(job, 0, eta_s=60.0)
    await rig.until(lambda: previews(rig))
    await asyncio.sleep(0.1)
    rig.server.limits = [1_000]
    rig.worker_server.show(job, 0, eta_s=50.0)
    await rig.until(lambda: not rig.server.limits)
    newest = rig.worker_server.show(job, 0, eta_s=40.0)
    await rig.until(lambda: len(previews(rig)) == 2)
    assert rig.server.media[previews(rig)[1]["content"]["m.new_content"]["url"]] == newest
    states = {name: part.state for name, part in (await rig.store.parts_of(request.key)).items() if name.is_preview}
    assert states[PartName.preview(1)] == "dropped"
    rig.worker_server.draw_all(job)
    await rig.done(request)
    await gone(rig)


async def test_what_was_shown_counts_though_it_is_cancelled(rig: Rig) -> None:
    """Else a day's limit could be gone round: watched to the last step, and cancelled."""
    day = Quota(scope="person", kind="image", sender="@user:test")
    request, job = await watched(rig, body={"count": 3})
    rig.worker_server.draw(job, 0)
    rig.worker_server.show(job, 1, eta_s=30.0)
    await rig.until(lambda: previews(rig))
    await rig.delivery.cancelling.cancel([request.key], ROOM)
    await rig.done(request)
    assert await rig.store.used(day) == 2, "one drawn, one shown"
    request, job = await watched(rig)
    rig.worker_server.show(job, 0, eta_s=30.0)
    await rig.until(lambda: len(left(rig)) == 1)
    rig.worker_server.fail(job, 0)
    assert (await rig.done(request)).outcome == "failed"
    assert await rig.store.used(day) == 2, "what fails does not count"
    request, job = await watched(rig)
    await rig.delivery.cancelling.cancel([request.key], ROOM)
    await rig.done(request)
    assert await rig.store.used(day) == 2, "nothing was seen of it"


async def test_a_worker_that_is_too_old_draws_all_the_same(rig: Rig) -> None:
    rig.worker_server.features = ["img2img"]
    request, job = await watched(rig)
    assert "preview" not in job["request"]
    rig.worker_server.draw_all(job)
    assert (await rig.done(request)).outcome == "succeeded"


async def test_they_are_few(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "SLOWER", 1.0)
    request, job = await watched(rig)
    for _ in range(40):
        rig.worker_server.show(job, 0, eta_s=60.0)
        await asyncio.sleep(0.04)
    assert 3 <= len(previews(rig)) <= 1 + watching.MOST_EDITS
    rig.worker_server.draw_all(job)
    await rig.done(request)
    await gone(rig)
