"""What Prometheus gets of the plugin, over HTTP as Maubot serves it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web
from homeserver_double import HomeserverDouble
from maubot.plugin_server import PluginWebApp
from outbox_parts import note, sent
from plugin_rig import ROOM, Rig

from otterbot.bot import metrics
from otterbot.bot.parts import Inbox, build_inbox
from otterbot.config import MetricsValues
from otterbot.inbox.parked import Waiting
from otterbot.language.message import Message
from otterbot.store.rows import Rank

TOKEN = "a-long-random-word"


async def nothing(_: Message) -> None:
    return None


class Served:
    def __init__(self, address: str, inbox: Inbox) -> None:
        self.address, self.inbox = address, inbox

    async def get(self, token: str | None = TOKEN) -> tuple[int, str]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession() as session, session.get(self.address, headers=headers) as response:
            return response.status, await response.text()

    async def samples(self) -> dict[str, float]:
        status, text = await self.get()
        assert status == 200
        lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        return {name.removeprefix("otterbot_plugin_"): float(value) for name, value in lines}


@asynccontextmanager
async def served(rig: Rig) -> AsyncIterator[Served]:
    inbox = build_inbox(rig.parts, handle=nothing, signed=lambda: None)
    plugin = PluginWebApp()
    plugin.add_get(metrics.PATH, metrics.Metrics(rig.parts, inbox, lambda: rig.values).answer)
    app = web.Application()
    app.router.add_route("GET", "/{rest:.*}", plugin.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield Served(f"http://127.0.0.1:{runner.addresses[0][1]}/metrics", inbox)
    finally:
        await runner.cleanup()


def opened(rig: Rig) -> None:
    rig.values = replace(rig.values, metrics=MetricsValues(token=TOKEN))


async def test_closed_until_the_operator_opens_it(rig: Rig) -> None:
    async with served(rig) as here:
        assert (await here.get())[0] == 404
        opened(rig)
        assert (await here.get())[0] == 200


@pytest.mark.parametrize("token", [None, "", "a-long-random-wore", TOKEN + "x", "ü" * 18])
async def test_another_token(rig: Rig, token: str | None) -> None:
    opened(rig)
    async with served(rig) as here:
        status, text = await here.get(token)
    assert status == 401
    assert "otterbot_plugin" not in text


async def test_what_was_sent_and_how_often_it_had_to_wait(rig: Rig) -> None:
    opened(rig)
    rig.server.limits = [300]
    await rig.outbox.post(note("canary", "a result", rank=Rank.RESULT))
    await sent(rig, note("canary", "a result"))
    async with served(rig) as here:
        found = await here.samples()
        _, text = await here.get()
    assert found['sent_total{rank="result"}'] == 1
    assert found['sent_total{rank="edit"}'] == 0
    assert 0.3 <= found['delivery_seconds_total{rank="result"}'] < 60
    assert (found["throttled_total"], found["given_up_total"]) == (1, 0)
    assert found["throttled_seconds_total"] == pytest.approx(0.3)
    assert found["worker_connected"] == 1
    assert "canary" not in text
    assert ROOM not in text


async def test_what_waits(rig: Rig, server: HomeserverDouble) -> None:
    opened(rig)
    server.limits = [60_000]
    await rig.outbox.post(note("one", rank=Rank.REFUSAL))
    await rig.outbox.post(note("two", rank=Rank.STATUS))
    async with served(rig) as here:
        found = await here.samples()
        assert (found['outbox_depth{rank="refusal"}'], found['outbox_depth{rank="status"}']) == (1, 1)
        assert found["outbox_oldest_seconds"] > 0
        here.inbox.unread.parked.add(Waiting(room=ROOM, sender="@ann:here", session="s", raw={}))
        here.inbox.unread.parked.strangers += 2
        found = await here.samples()
    assert found["undecryptable"] == 1
    assert found['undecryptable_dropped_total{why="stranger"}'] == 2


async def test_prometheus_can_read_it(rig: Rig) -> None:
    """Each sample stands behind the help and type of its metric, and no metric comes twice."""
    opened(rig)
    async with served(rig) as here:
        _, text = await here.get()
    known: list[str] = []
    for line in text.splitlines():
        if line.startswith("# HELP "):
            known.append(line.split()[2])
        elif line.startswith("# TYPE "):
            assert line.split()[2:] in ([known[-1], "gauge"], [known[-1], "counter"])
            assert line.endswith("counter") == known[-1].endswith("_total")
        else:
            assert line.partition("{")[0].partition(" ")[0] == known[-1]
    assert len(known) == len(set(known))
    assert text.endswith("\n")
