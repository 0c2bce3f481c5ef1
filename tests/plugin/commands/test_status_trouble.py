"""``!status`` where something stands between the bot and its worker."""

from __future__ import annotations

import time

from aiohttp import web
from command_rig import Rig

from otterbot import texts
from otterbot.worker.client import Address


async def test_something_else_answers(rig: Rig) -> None:
    """A login page at the worker's address."""

    async def login(_: web.Request) -> web.Response:
        return web.Response(text="<html>Log in</html>", content_type="text/html")

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", login)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    rig.services.worker._http._address = lambda: Address(url=f"http://127.0.0.1:{runner.addresses[0][1]}", token="t")
    await rig.drawn("!draw otter")
    said = await rig.answer("!status")
    await runner.cleanup()
    assert said.startswith(texts.WORKER_FOREIGN)
    assert "in this room: 1 request" in said


async def test_events_and_pictures_that_do_not_get_through(rig: Rig) -> None:
    assert texts.STREAM_SILENT not in await rig.answer("!status")
    rig.services.worker.stream.polled = True
    rig.services.worker.spoiled_at = time.monotonic()
    said = await rig.answer("!status")
    assert texts.STREAM_SILENT in said
    assert texts.PICTURES_SPOILED in said
