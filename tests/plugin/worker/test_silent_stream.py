"""An event stream that stands and brings nothing: a proxy holds it back. Pictures come all the same."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import pytest
from aiohttp import web
from plugin_rig import Rig

from otterbot.worker import polling, stream


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "SOON", 0.2)
    monkeypatch.setattr(stream, "SILENCE", 0.5)
    monkeypatch.setattr(polling, "LOOK", 0.05)
    monkeypatch.setattr(polling, "EVERY", 0.1)


async def test_a_buffered_stream_is_polled_around(rig: Rig) -> None:
    """From its beginning: not even the snapshot comes."""
    await rig.until(lambda: rig.worker.stream.connected)
    rig.worker_server.buffered = True
    rig.worker.stream.reconnect()
    await rig.until(lambda: rig.worker.stream.polled)
    assert (await rig.done(await rig.ask())).outcome == "succeeded"
    assert rig.delivery.worker_state.away_since is None


async def test_a_stream_that_falls_silent_with_a_job_open(rig: Rig) -> None:
    rig.worker_server.auto = False
    request = await rig.ask()
    await rig.until(lambda: rig.worker_server.jobs and rig.worker.stream.connected)
    rig.worker_server.say = lambda name, data: None  # type: ignore[method-assign]
    rig.worker_server.draw_all(rig.worker_server.by_key(request.key))
    assert (await rig.done(request)).outcome == "succeeded"


async def test_it_stays_so_from_one_attempt_to_the_next(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is given up now and then, and once the proxy answers with a page of its own."""
    monkeypatch.setattr(stream, "STREAM", aiohttp.ClientTimeout(total=None, connect=5, sock_read=0.4))
    attempts = 0

    def instead(request: web.Request) -> web.Response | None:
        nonlocal attempts
        if not request.path.endswith("/events"):
            return None
        attempts += 1
        page = web.Response(status=504, text="<html>Gateway timeout</html>", content_type="text/html")
        return page if attempts == 2 else None

    await rig.until(lambda: rig.worker.stream.connected)
    rig.worker_server.buffered = True
    rig.worker_server.instead = instead
    rig.worker.stream.reconnect()
    await rig.until(lambda: rig.worker.stream.polled)
    await rig.until(lambda: attempts >= 3)
    assert rig.worker.stream.polled
    assert rig.delivery.worker_state.away_since is None
    assert (await rig.done(await rig.ask())).outcome == "succeeded"


async def test_the_stream_comes_again(rig: Rig) -> None:
    rig.worker_server.auto = False
    await rig.until(lambda: rig.worker.stream.connected)
    rig.worker_server.buffered = True
    rig.worker.stream.reconnect()
    await rig.until(lambda: rig.worker.stream.polled)
    rig.worker_server.buffered = False
    await rig.worker_server.stop()
    await rig.worker_server.start()
    await rig.until(lambda: rig.worker.stream.connected and not rig.worker.stream.polled)
    request = await rig.ask()
    await rig.until(lambda: rig.worker_server.jobs)
    rig.worker_server.draw_all(rig.worker_server.by_key(request.key))
    assert (await rig.done(request)).outcome == "succeeded"


async def test_a_worker_that_is_off_is_off(rig: Rig) -> None:
    """Behind a silent stream as well: nobody is told that it answers."""
    await rig.until(lambda: rig.worker.stream.connected)
    rig.worker_server.buffered = True
    rig.worker.stream.reconnect()
    await rig.until(lambda: rig.worker.stream.polled)
    await rig.worker_server.stop()
    await rig.until(lambda: rig.delivery.worker_state.away_since is not None and not rig.worker.stream.polled)


async def test_a_job_without_news_is_asked_for(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream is alive, but what happened to this job never came."""
    monkeypatch.setattr(stream, "SILENCE", 60.0)
    monkeypatch.setattr(polling, "OVERDUE", 0.3)
    rig.worker_server.auto = False
    request = await rig.ask()
    await rig.until(lambda: rig.worker_server.jobs and rig.worker.stream.connected)
    rig.worker_server.say = lambda name, data: None  # type: ignore[method-assign]
    rig.worker_server.draw_all(rig.worker_server.by_key(request.key))
    assert (await rig.done(request)).outcome == "succeeded"
    assert not rig.worker.stream.polled


async def test_a_stream_that_speaks_is_left_alone(rig: Rig) -> None:
    """Nothing is asked while the worker says every now and then that it is there."""
    asked: list[float] = []

    def instead(request: web.Request) -> None:
        if request.path == "/v1/jobs" and request.method == "GET":
            asked.append(time.monotonic())

    await rig.until(lambda: rig.worker.stream.connected)
    rig.worker_server.instead = instead
    for _ in range(15):
        rig.worker_server.say("nothing", {})
        await asyncio.sleep(0.1)
    assert asked == []
