"""A drawn picture that nobody will post is deleted with the worker, however long it takes to tell it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from plugin_rig import ROOM, Rig
from upload_answers import refused, uploads

from otterbot.matrix.room_state import Place
from otterbot.outbox import room_watch
from otterbot.requests import housekeeping
from otterbot.store.rows import PartState, Request


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "RETRY", 0.1)


async def nothing_owed(owed: Callable[[], Awaitable[list[Any]]], but: int = 0) -> None:
    """Until the worker's answers are written down, which is a moment after it gave them."""
    async with asyncio.timeout(10):
        while len(await owed()) > but:  # noqa: ASYNC110  nothing else tells
            await asyncio.sleep(0.02)


async def drawn(rig: Rig, count: int = 1, **more: Any) -> tuple[Request, dict[str, Any]]:
    """A request whose pictures are drawn but do not get into the room: the homeserver is away."""
    rig.worker_server.auto = False
    request = await rig.ask(body={"count": count}, **more)
    await rig.until(lambda: rig.worker_server.jobs and rig.reactions() == ["⏳"])
    rig.server.instead = uploads(lambda: web.Response(status=502))
    job = rig.worker_server.by_key(request.key)
    return request, job


async def test_a_picture_of_a_cancelled_request(rig: Rig) -> None:
    """One is on its way, one is drawn while nobody could hear of it, one is not drawn."""
    request, job = await drawn(rig, 3)
    rig.worker_server.draw(job, 0)
    await rig.until(lambda: rig.outbox.waiting(request.key, "picture/0"))
    await rig.delivery.cancelling.cancel([request.key], ROOM)
    await rig.until(lambda: rig.worker_server.deleted)
    assert rig.worker_server.deleted == [job["pictures"][0]["result"]["image_id"]]
    assert rig.worker_server.delivered == []


async def test_a_picture_that_was_drawn_before_the_cancel_arrived(rig: Rig) -> None:
    """The plugin has not heard of it: the worker's answer to the cancel names it."""
    request, job = await drawn(rig, 2)
    rig.worker_server.say = lambda name, data: None  # type: ignore[method-assign]
    rig.worker_server.draw(job, 1)
    await rig.delivery.cancelling.cancel([request.key], ROOM)
    await rig.until(lambda: rig.worker_server.deleted == [job["pictures"][1]["result"]["image_id"]])


async def test_the_message_was_deleted(rig: Rig) -> None:
    request, job = await drawn(rig)
    rig.worker_server.draw(job, 0)
    await rig.until(lambda: rig.outbox.waiting(request.key, "picture/0"))
    await rig.delivery.cancelling.redacted(ROOM, request.event_id)
    await rig.until(lambda: rig.worker_server.deleted == [job["pictures"][0]["result"]["image_id"]])


async def test_the_bot_was_kicked(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as it may come back, the picture is wanted."""
    monkeypatch.setattr(room_watch, "BACKOFF", (0.05,))
    request, job = await drawn(rig)
    rig.server.instead = lambda request: None
    rig.server.outside.add(ROOM)
    rig.worker_server.draw(job, 0)
    await rig.until(lambda: rig.outbox.blocked.place(ROOM) is Place.OUT)
    part = await rig.store.part(request.key, "picture/0")
    assert part is not None
    assert part.state is PartState.READY
    assert await rig.store.deletes_owed() == []
    await rig.delivery.giving_up.expire(request)
    assert (await rig.done(request)).outcome == "expired"
    await rig.until(lambda: rig.worker_server.deleted)


async def test_the_room_takes_no_picture(rig: Rig) -> None:
    request, job = await drawn(rig)
    rig.server.instead = lambda request: None
    rig.server.forbidden.add(ROOM)
    rig.worker_server.draw(job, 0)
    await rig.done(request)
    await rig.until(lambda: rig.worker_server.deleted)


async def test_the_picture_is_too_large(rig: Rig) -> None:
    rig.server.upload_limit = 10
    request = await rig.ask()
    assert (await rig.done(request)).outcome == "failed"
    await rig.until(lambda: rig.worker_server.deleted)


async def test_the_room_cannot_be_encrypted_for(rig: Rig) -> None:
    rig.encryption.seen_encrypted(ROOM)
    assert (await rig.done(await rig.ask())).outcome == "failed"
    await rig.until(lambda: rig.worker_server.deleted)


async def test_the_request_has_waited_for_too_long(rig: Rig) -> None:
    request, job = await drawn(rig)
    rig.worker_server.draw(job, 0)
    await rig.until(lambda: rig.outbox.waiting(request.key, "picture/0"))
    await rig.delivery.giving_up.expire(request)
    assert (await rig.done(request)).outcome == "expired"
    await rig.until(lambda: rig.worker_server.deleted)
    await rig.until(lambda: any("could not put it into the room" in body for body in rig.bodies()))


async def test_it_is_told_when_the_worker_is_back(rig: Rig) -> None:
    """Through a restart of the plugin as well."""
    request, job = await drawn(rig, 2)
    rig.worker_server.draw(job, 0)
    await rig.until(lambda: rig.outbox.waiting(request.key, "picture/0"))
    await rig.worker_server.stop()
    await rig.delivery.cancelling.cancel([request.key], ROOM)
    await rig.until(lambda: rig.reactions()[-1:] == ["❌"])
    await rig.restart()
    assert rig.worker_server.deleted == []
    await rig.worker_server.start()
    await rig.until(lambda: rig.worker_server.deleted, 20)
    await rig.until(lambda: rig.worker_server.cancelled == [request.key])


async def test_a_page_in_place_of_an_answer_pays_nothing(rig: Rig) -> None:
    """A login page answers DELETE with 200: the worker has not heard of it."""
    login = web.Response
    rig.worker_server.instead = lambda request: (
        login(text="<html>Log in</html>", content_type="text/html") if request.method == "DELETE" else None
    )
    rig.server.upload_limit = 10
    await rig.done(await rig.ask())
    await asyncio.sleep(0.3)
    assert len(await rig.store.deletes_owed()) == 1
    rig.worker_server.instead = lambda request: None
    await rig.until(lambda: rig.worker_server.deleted)


async def test_one_that_the_worker_refuses_keeps_no_other(rig: Rig) -> None:
    problem = {"code": "odd", "title": "odd", "status": 409}
    bad = "image-2"
    rig.worker_server.instead = lambda request: (
        web.json_response(problem, status=409) if request.method == "DELETE" and request.path.endswith(bad) else None
    )
    rig.server.instead = uploads(lambda: refused(403, "M_FORBIDDEN"))
    await rig.done(await rig.ask())
    await rig.done(await rig.ask())
    await rig.until(lambda: rig.worker_server.deleted == ["image-4"])
    await nothing_owed(rig.store.deletes_owed, but=1)
    assert [part.image_id for part in await rig.store.deletes_owed()] == [bad]


async def test_what_stands_in_the_room_stays_with_the_worker(rig: Rig) -> None:
    """A request that is cancelled after one of its two pictures was posted."""
    rig.worker_server.auto = False
    request = await rig.ask(body={"count": 2})
    await rig.until(lambda: rig.worker_server.jobs)
    rig.worker_server.draw(rig.worker_server.by_key(request.key), 0)
    await rig.until(lambda: rig.worker_server.delivered)
    await rig.delivery.cancelling.cancel([request.key], ROOM)
    await rig.until(lambda: rig.worker_server.cancelled)
    await nothing_owed(rig.store.cancels_owed)
    assert rig.worker_server.deleted == []


@pytest.mark.parametrize("known", [True, False])
async def test_a_cancelled_choice_leaves_the_picture_to_its_sheet(rig: Rig, known: bool) -> None:
    """The picture that somebody chose and took back is that of a sheet of somebody else's. ``known``: the plugin has
    heard that it is there."""
    sheet = await rig.ask(body={"count": 3, "sheet": {}})
    await rig.done(sheet)
    chosen = rig.worker_server.by_key(sheet.key)["pictures"][1]["result"]["image_id"]
    rig.server.instead = uploads(lambda: web.Response(status=502))
    rig.worker_server.auto = False
    if not known:
        rig.worker_server.say = lambda name, data: None  # type: ignore[method-assign]
    request = await rig.ask(body={"drawn_before": chosen})
    await rig.until(lambda: request.key in rig.worker_server.bodies)
    if known:
        await rig.until(lambda: rig.outbox.waiting(request.key, "picture/0"))
    await rig.delivery.cancelling.cancel([request.key], ROOM)
    await rig.until(lambda: request.key in rig.worker_server.cancelled)
    await nothing_owed(rig.store.cancels_owed)
    await nothing_owed(rig.store.deletes_owed)
    assert rig.worker_server.deleted == []


async def test_a_sheet_that_came_before_the_worker_was_told_keeps_its_pictures(rig: Rig) -> None:
    request = await rig.ask(body={"count": 3, "sheet": {}})
    await rig.done(request)
    await rig.store.owe_cancel(request.key)
    rig.delivery.signals.housekeeping.set()
    await rig.until(lambda: request.key in rig.worker_server.cancelled)
    await nothing_owed(rig.store.cancels_owed)
    assert rig.worker_server.deleted == []
