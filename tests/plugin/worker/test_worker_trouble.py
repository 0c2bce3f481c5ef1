"""A worker that is somewhere else, somebody else, or not itself; and news that cannot be taken in at once."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from impostor import impostor
from plugin_rig import ROOM, Rig
from worker_double import TOKEN, WorkerDouble

from otterbot.errors import WorkerError, WorkerUnreachable
from otterbot.store.rows import Part, PartState, Request
from otterbot.worker import event_listener, stream, transport

DEEP = b"[" * 200_000


# ---------------------------------------------------------------- another address


async def test_another_address_at_run_time(rig: Rig) -> None:
    """The old worker is still there and its stream stands; what it had not drawn, the new one draws."""
    rig.worker_server.auto = False
    first = await rig.ask()
    await rig.until(lambda: rig.worker_server.jobs)
    async with WorkerDouble() as other:
        rig.address = replace(rig.address, url=other.url)
        assert (await rig.done(await rig.ask(body={"seed": 9}))).outcome == "succeeded"
        assert (await rig.done(first)).outcome == "succeeded"
        assert sorted(rig.seeds()) == [7, 9]
        assert (await rig.worker.info()).version == "0"


async def test_what_one_worker_said_of_itself_is_not_said_of_another(rig: Rig) -> None:
    await rig.worker.models()
    await rig.worker.info(max_age=60)
    rig.address = replace(rig.address, url="http://127.0.0.1:1")
    assert rig.worker.known_models is None
    with pytest.raises(WorkerUnreachable):
        await rig.worker.info(max_age=60)


async def test_what_a_worker_said_of_itself_holds_until_its_stream_begins_anew(rig: Rig) -> None:
    """It may have been updated meanwhile."""
    await rig.until(lambda: rig.worker.stream.connected)
    before = (await rig.worker.info(max_age=60)).features
    rig.worker_server.features = [*before, "another"]
    assert (await rig.worker.info(max_age=60)).features == before
    begun = rig.worker.stream.begun
    rig.worker.stream.reconnect()
    await rig.until(lambda: rig.worker.stream.begun > begun)
    assert "another" in (await rig.worker.info(max_age=60)).features


async def test_the_end_of_the_old_stream_says_nothing_of_the_new_address(rig: Rig) -> None:
    """A submission has found out already that the token is wrong there, when the old stream is given up."""
    await rig.until(lambda: rig.worker.stream.connected)
    lost: list[bool] = []
    told = rig.delivery.worker_state.lost
    rig.delivery.worker_state.lost = (  # type: ignore[method-assign]
        lambda *, unauthorized, foreign: (lost.append(unauthorized), told(unauthorized=unauthorized, foreign=foreign))[
            1
        ]
    )
    rig.address = replace(rig.address, token="another")
    rig.worker_server.say("pause", {"pause": {"paused": False}})
    await rig.ask()
    await rig.until(lambda: len(lost) >= 3)
    assert set(lost) == {True}


async def test_a_token_that_no_header_can_hold(rig: Rig) -> None:
    """Corrected at run time; nobody has to restart anything."""
    rig.address = replace(rig.address, token=f"{TOKEN}\nand a second line")
    rig.worker.stream.reconnect()
    request = await rig.ask()
    await rig.until(lambda: rig.delivery.worker_state.unauthorized)
    rig.address = replace(rig.address, token=TOKEN)
    assert (await rig.done(request)).outcome == "succeeded"


# ---------------------------------------------------------------- only submissions fail


@pytest.fixture(params=[401, 502, 200], ids=["the token is refused", "no worker", "another program"])
def not_passed_on(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, worker_server: WorkerDouble) -> None:
    """The event stream stands and is never taken for silent, and what is submitted fails."""
    monkeypatch.setattr(stream, "SOON", 3600.0)
    monkeypatch.setattr(stream, "SILENCE", 3600.0)
    monkeypatch.setattr(stream, "STREAM", aiohttp.ClientTimeout(total=None, connect=5))

    def instead(asked: web.Request) -> web.Response | None:
        submits = asked.method == "POST" and asked.path == "/v1/jobs"
        return web.json_response({}, status=request.param) if submits else None

    worker_server.instead = instead


def _all_pass(rig: Rig) -> None:
    rig.worker_server.instead = lambda _: None


async def _fails(rig: Rig) -> Request:
    await rig.until(lambda: rig.worker.stream.connected)
    request = await rig.ask()
    await rig.until(lambda: rig.delivery.worker_state.away_since is not None)
    return request


@pytest.mark.usefixtures("not_passed_on")
async def test_a_submission_that_passes_again_says_that_the_worker_is_there(rig: Rig) -> None:
    request = await _fails(rig)
    _all_pass(rig)
    assert (await rig.done(request)).outcome == "succeeded"
    await rig.until(lambda: rig.delivery.worker_state.away_since is None)
    assert not rig.delivery.worker_state.is_away(time.monotonic())


@pytest.mark.usefixtures("not_passed_on")
async def test_a_refusal_says_it_too(rig: Rig) -> None:
    request = await _fails(rig)
    rig.worker_server.refuse = 422, {"code": "bad_request", "detail": "No."}
    _all_pass(rig)
    assert (await rig.done(request)).outcome == "refused"
    await rig.until(lambda: rig.delivery.worker_state.away_since is None)


@pytest.mark.usefixtures("not_passed_on")
async def test_the_stream_finds_out_when_nothing_is_left_to_submit(rig: Rig) -> None:
    request = await _fails(rig)
    await rig.delivery.cancelling.cancel([request.key], ROOM)
    await rig.until(lambda: rig.delivery.worker_state.away_since is None)


# ---------------------------------------------------------------- not the worker


async def _page(_: web.Request) -> web.Response:
    return web.Response(status=502, text="<html>Bad gateway</html>", content_type="text/html")


async def _welcome(_: web.Request) -> web.Response:
    return web.Response(text="<html>Welcome to your router</html>", content_type="text/html")


async def _half(_: web.Request) -> web.Response:
    return web.Response(body=b'{"id": "job-1", "key": ', content_type="application/json")


async def _deep(_: web.Request) -> web.Response:
    return web.Response(body=DEEP, content_type="application/json")


async def _other_json(_: web.Request) -> web.Response:
    return web.json_response([{"id": 5, "jobs": "none"}])


async def _bad_events(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b"\xff\xfe\x00\n\nevent: snapshot\ndata: " + DEEP + b"\n\n")
    await response.write(b'event: snapshot\ndata: {"jobs": [{"id": 1}, 7], "pause": 3}\n\n')
    await response.write(b'event: job\ndata: {"job": {"id": {}, "key": [], "kind": 1, "state": null}}\n\n')
    await response.write(b'event: progress\ndata: {"job_id": null, "index": "x", "progress": {"phase": 1}}\n\n')
    return response


@pytest.mark.parametrize("answer", [_page, _welcome, _half, _deep, _other_json, _bad_events])
async def test_somebody_else_at_the_address(rig: Rig, answer: Callable[[web.Request], Any]) -> None:
    """For a while; then the worker is back and everything goes on."""
    await rig.worker_server.stop()
    async with impostor(answer, rig.worker_server.port):
        request = await rig.ask()
        with pytest.raises(WorkerError):
            await rig.worker.job("job-1")
        await asyncio.sleep(0.6)
    await rig.worker_server.start()
    assert (await rig.done(request, 20)).outcome == "succeeded"
    assert rig.seeds() == [7]


async def test_a_prompt_follows_no_redirect(rig: Rig) -> None:
    seen: list[bytes] = []

    async def spy(request: web.Request) -> web.Response:
        seen.append(await request.read())
        return web.Response()

    await rig.worker_server.stop()
    async with impostor(spy) as elsewhere:

        async def away(request: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": elsewhere + request.path})

        async with impostor(away, rig.worker_server.port):
            await rig.ask()
            await asyncio.sleep(0.6)
    assert seen == []


async def test_an_answer_without_end(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_ANSWER", 100_000)
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(50_000))
            sent += 50_000

    async with impostor(endless) as url:
        rig.address = replace(rig.address, url=url)
        with pytest.raises(WorkerUnreachable):
            await rig.worker.image("one")
    assert sent < 20_000_000


# ---------------------------------------------------------------- news that cannot be taken in


async def test_news_that_came_while_the_database_was_locked(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else happens to the job, and the stream stands: it is asked for again all the same."""
    monkeypatch.setattr(event_listener, "REPEAT", 0.2)
    rig.worker_server.auto = False
    request = await rig.ask()
    await rig.until(lambda: rig.worker_server.jobs)
    await asyncio.sleep(0.2)
    failures, parts_of = 2, rig.store.parts_of

    async def locked(key: str) -> dict[str, Part]:
        nonlocal failures
        if failures:
            failures -= 1
            raise sqlite3.OperationalError("database is locked")
        return await parts_of(key)

    monkeypatch.setattr(rig.store, "parts_of", locked)
    rig.worker_server.draw_all(rig.worker_server.by_key(request.key))
    assert (await rig.done(request)).outcome == "succeeded"
    assert rig.seeds() == [7]


async def test_the_last_mark_finds_the_database_locked(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture stands in the room; that this was all is written down later."""
    monkeypatch.setattr(event_listener, "REPEAT", 0.2)
    failures, finish = 1, rig.store.finish

    async def locked(*args: Any, **more: Any) -> bool:
        nonlocal failures
        if failures:
            failures -= 1
            raise sqlite3.OperationalError("database is locked")
        return await finish(*args, **more)

    monkeypatch.setattr(rig.store, "finish", locked)
    assert (await rig.done(await rig.ask())).outcome == "succeeded"
    assert rig.seeds() == [7]


async def test_a_search_that_is_refused_proves_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """What may stand in the room is not taken for unsent because the room could not be read just now."""
    part = Part(key="one", part="reply", room_id=ROOM, content={"msgtype": "m.notice", "body": "hello"})
    await rig.store.add_part(part)
    await rig.store.mark_sending(*part.id)
    stored = await rig.store.part(*part.id)
    assert stored is not None
    rig.server.read_limits = [300_000]
    rig.outbox.enqueue([stored])
    await rig.until(lambda: not rig.server.read_limits)
    await asyncio.sleep(0.2)
    still = await rig.store.part(*part.id)
    assert still is not None
    assert still.state is PartState.SENDING


async def test_a_cancel_finds_the_database_locked(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mark is made, what follows fails at first: the room hears of it, and nothing goes on."""
    rig.worker_server.auto = False
    request = await rig.ask()
    await rig.until(lambda: rig.reactions() == ["⏳"])
    failures, parts_of = 2, rig.store.parts_of

    async def locked(key: str) -> dict[str, Part]:
        nonlocal failures
        if failures:
            failures -= 1
            raise sqlite3.OperationalError("database is locked")
        return await parts_of(key)

    monkeypatch.setattr(rig.store, "parts_of", locked)
    await rig.delivery.cancelling.cancel([request.key], ROOM)
    await rig.until(lambda: rig.reactions() == ["⏳", "❌"])
    assert rig.delivery.active(request.key) is None


# ---------------------------------------------------------------- a full disk

FULL = (507, {"code": "disk_full", "detail": "The disk with the pictures is nearly full."})


async def test_a_new_request_hears_of_a_full_disk_at_once(rig: Rig) -> None:
    rig.worker_server.refuse = FULL
    assert (await rig.done(await rig.ask())).outcome == "refused"
    [said] = await rig.until(rig.bodies)
    assert "disk is full" in said


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_kept_request_waits_for_room_on_the_disk(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, restarted: bool
) -> None:
    """The room has read that it is kept; the worker comes back with a full disk, the plugin perhaps restarts."""
    monkeypatch.setattr("otterbot.requests.submit.BACKOFF", (0.05,))
    rig.values = replace(rig.values, status=replace(rig.values.status, after_seconds=0.1, edit_seconds=0.1))
    await rig.worker_server.stop()
    request = await rig.ask()
    await rig.until(lambda: any("is off" in body for body in rig.bodies()))
    rig.worker_server.refuse = FULL
    await rig.worker_server.start()
    await rig.until(lambda: len(rig.worker_server.submissions) > 2)
    if restarted:
        before = len(rig.worker_server.submissions)
        await rig.restart()
        await rig.until(lambda: len(rig.worker_server.submissions) > before + 2)
    await rig.until(lambda: any("disk is full. I keep this" in body for body in rig.bodies()))
    assert rig.reactions() == ["⏳"]
    rig.worker_server.refuse = None
    assert (await rig.done(request)).outcome == "succeeded"
    assert rig.seeds() == [7]


async def test_what_the_worker_has_forgotten_waits_too(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was accepted once: that its database is an older one now, and its disk full, is no refusal."""
    monkeypatch.setattr("otterbot.requests.submit.BACKOFF", (0.05,))
    rig.worker_server.auto = False
    request = await rig.ask()
    await rig.until(lambda: rig.worker_server.jobs)
    await rig.worker_server.stop()
    rig.worker_server.forget()
    rig.worker_server.refuse = FULL
    before = len(rig.worker_server.submissions)
    await rig.worker_server.start()
    await rig.until(lambda: len(rig.worker_server.submissions) > before + 2)
    rig.worker_server.refuse, rig.worker_server.auto = None, True
    assert (await rig.done(request)).outcome == "succeeded"
