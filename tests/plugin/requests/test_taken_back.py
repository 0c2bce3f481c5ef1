"""What is deleted or cancelled while its picture is on its way into the room takes the picture with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from plugin_rig import ROOM, Rig

from otterbot.store.rows import Part, Request

TakeBack = Callable[[Rig, Request], Awaitable[None]]


async def delete(rig: Rig, request: Request) -> None:
    await rig.delivery.cancelling.redacted(ROOM, request.event_id)


async def cancel(rig: Rig, request: Request) -> None:
    await rig.delivery.cancelling.cancel([request.key], ROOM)


take_back = pytest.mark.parametrize("take_back", [delete, cancel])


def redacted(rig: Rig) -> list[str]:
    return [event["redacts"] for event in rig.server.of_bot(ROOM, "m.room.redaction")]


def is_picture(content: dict[str, Any]) -> bool:
    return content.get("msgtype") == "m.image"


@take_back
async def test_a_picture_that_is_being_sent_is_deleted_again(rig: Rig, take_back: TakeBack) -> None:
    rig.server.hold = is_picture
    request = await rig.ask()
    await rig.until(lambda: rig.server.held)
    await take_back(rig, request)
    rig.server.let_go.set()
    [picture] = rig.server.pictures(ROOM)
    await rig.until(lambda: picture["event_id"] in redacted(rig))
    await rig.until(lambda: rig.reactions() == ["⏳", "❌"] or rig.reactions() == ["❌"])
    await rig.until(lambda: rig.worker_server.deleted == ["image-2"])
    assert (await rig.done(request)).outcome == "cancelled"


@take_back
async def test_a_picture_whose_answer_was_lost_is_deleted_again_after_a_restart(rig: Rig, take_back: TakeBack) -> None:
    rig.server.forget_transactions = True
    rig.server.hold = is_picture
    request = await rig.ask()
    await rig.until(lambda: rig.server.held)
    await take_back(rig, request)
    await rig.stop()
    rig.server.let_go.set()
    await rig.run()
    [picture] = rig.server.pictures(ROOM)
    await rig.until(lambda: picture["event_id"] in redacted(rig))
    assert len(rig.server.pictures(ROOM)) == 1


async def test_a_picture_that_never_arrived_is_not_sent_after_all(rig: Rig) -> None:
    rig.server.refuse = is_picture
    rig.server.limits = []
    rig.worker_server.auto = False
    request = await rig.ask()
    await rig.until(lambda: rig.worker_server.jobs)
    await rig.stop()  # as a crash behind the mark, before the request went out
    rig.server.refuse = lambda content: False
    await rig.start()
    part = Part(key=request.key, part="picture/0", room_id=ROOM, rank=0, image_id="image-9")
    await rig.store.add_part(part)
    assert await rig.store.mark_sending(*part.id)
    await cancel(rig, request)
    await rig.parts.start()
    await rig.until(lambda: rig.worker_server.deleted == ["image-9"])
    await rig.ask()
    await rig.until(lambda: rig.worker_server.jobs and len(rig.worker_server.submissions) == 2)
    rig.worker_server.draw_all(list(rig.worker_server.jobs.values())[1])
    await rig.until(lambda: len(rig.server.pictures(ROOM)) == 1)
    assert rig.server.pictures(ROOM)[0]["content"]["org.otterbot"]["key"] != request.key


async def test_pictures_that_were_sent_before_stay(rig: Rig) -> None:
    rig.worker_server.auto = False
    request = await rig.ask(body={"count": 2})
    await rig.until(lambda: rig.worker_server.jobs)
    job = rig.worker_server.by_key(request.key)
    rig.worker_server.draw(job, 0)
    [first] = await rig.until(lambda: rig.server.pictures(ROOM))
    await rig.until(lambda: rig.worker_server.delivered)
    rig.server.hold = is_picture
    rig.worker_server.draw(job, 1)
    await rig.until(lambda: rig.server.held)
    await delete(rig, request)
    rig.server.let_go.set()
    second = rig.server.pictures(ROOM)[1]
    await rig.until(lambda: second["event_id"] in redacted(rig))
    assert first["event_id"] not in redacted(rig)
