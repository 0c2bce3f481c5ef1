"""A description's way: the picture to the worker, its words into the room, once."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from homeserver_double import HomeserverDouble
from plugin_rig import ROOM, Rig
from worker_double import WorkerDouble, png

from otterbot import texts
from otterbot.config import Values
from otterbot.store.rows import Request
from otterbot.store.store import Commit

PICTURE = png(5)
ID = hashlib.sha256(PICTURE).hexdigest()
SAID = {"alt": "An otter @room.", "prompts": ["otter, hat", "otter, <b>night</b>"], "model": "llava:7b", "took": 2.0}


class Describing(WorkerDouble):
    """Descriptions wait until the test ends them."""

    def __init__(self) -> None:
        super().__init__()
        self.features = ["img2img", "describe"]

    async def _submit(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body["kind"] != "describe" or self.refuse is not None:
            return await super()._submit(request)
        self.submissions.append(body)
        if body["request"]["picture"]["id"] not in self.inputs:
            return web.json_response({"status": 422, "code": "input_gone"}, status=422)
        if body["key"] not in self.bodies:
            self._number += 1
            fields = {name: body[name] for name in ("key", "kind", "owner", "room", "private", "request")}
            job = {**fields, "id": f"job-{self._number}", "state": "queued", "created_at": time.time(), "pictures": []}
            self.jobs[job["id"]] = job | {"description": {"state": "queued", "attempt": 0}}
            self.bodies[body["key"]] = body
        return web.json_response(self.by_key(body["key"]), status=202)

    def changed(self, job: dict[str, Any]) -> None:
        if "description" in job:
            job["state"] = job["description"]["state"]
            self.say("job", {"job": job})
        else:
            super().changed(job)

    def end(self, job: dict[str, Any], state: str = "succeeded", **more: Any) -> None:
        job["description"] |= {"state": state, "attempt": 1, **more}
        self.changed(job)


@pytest_asyncio.fixture
async def worker_server() -> AsyncIterator[Describing]:
    async with Describing() as double:
        yield double


@pytest_asyncio.fixture
async def rig(
    tmp_path: Path, server: HomeserverDouble, worker_server: Describing, values: Values
) -> AsyncIterator[Rig]:
    built = await Rig(tmp_path / "plugin.db", server, worker_server, values).run()
    yield built
    await built.stop()


async def ask(rig: Rig, **more: Any) -> tuple[Request, str]:
    rig.server.media["mxc://test/cat"] = PICTURE
    content = {"msgtype": "m.image", "body": "cat.png", "url": "mxc://test/cat", "info": {}}
    event = str(rig.server.add(ROOM, "@user:test", "m.room.message", content)["event_id"])
    request = rig.request(rig.server.say(ROOM, "!describe"), **more)
    request = Request(**{**vars(request), "kind": "describe", "body": {"picture": {"event": event}}})
    parts = rig.delivery.first_parts(request)
    await rig.store.commit(Commit(mark=request.event_id, room_id=ROOM, request=request, parts=parts))
    rig.outbox.enqueue(parts)
    rig.delivery.accepted_request(request)
    return request, event


async def job(rig: Rig, request: Request) -> dict[str, Any]:
    await rig.until(lambda: any(one["key"] == request.key for one in rig.worker_server.jobs.values()))
    return rig.worker_server.by_key(request.key)


def answers(rig: Rig) -> list[dict[str, Any]]:
    found = [event["content"] for event in rig.server.of_bot(ROOM)]
    return [content for content in found if content.get("org.otterbot", {}).get("part") == "described/1"]


async def test_its_words_come_once_and_mention_nobody(rig: Rig, worker_server: Describing) -> None:
    request, event = await ask(rig)
    worker_server.end(await job(rig, request), result=SAID)
    assert (await rig.done(request)).outcome == "succeeded"
    [content] = answers(rig)
    assert worker_server.submissions[0]["request"] == {"picture": {"id": ID}}
    assert content["msgtype"] == "m.text"
    assert content["body"].startswith("An otter @room.")
    assert "1. otter, hat" in content["body"]
    assert "&lt;b&gt;night" in content["formatted_body"]
    assert content["m.mentions"] == {}
    assert content["m.relates_to"] == {"m.in_reply_to": {"event_id": request.event_id}}
    ours = content["org.otterbot"]
    assert (ours["prompts"], ours["describes"]) == (SAID["prompts"], event)
    await rig.until(lambda: "✅" in rig.reactions())
    assert b"night" not in rig.path.read_bytes(), "no words of it are stored"


async def test_after_a_restart_and_with_a_worker_that_forgot(rig: Rig, worker_server: Describing) -> None:
    request, _ = await ask(rig)
    await job(rig, request)
    await rig.stop()
    worker_server.forget()
    await rig.run()
    worker_server.end(await job(rig, request), result=SAID)
    assert (await rig.done(request)).outcome == "succeeded"
    assert len(answers(rig)) == 1
    assert worker_server.uploads == 2, "the picture was brought again"


async def test_that_ended_while_the_plugin_was_off(rig: Rig, worker_server: Describing) -> None:
    request, _ = await ask(rig)
    found = await job(rig, request)
    await rig.stop()
    worker_server.end(found, result=SAID)
    await rig.run()
    assert (await rig.done(request)).outcome == "succeeded"
    assert len(answers(rig)) == 1


async def test_words_that_are_forgotten_are_said_to_be(rig: Rig, worker_server: Describing) -> None:
    request, _ = await ask(rig)
    worker_server.end(await job(rig, request), result={**SAID, "alt": "", "prompts": []})
    assert (await rig.done(request)).outcome == "failed"
    await rig.until(lambda: texts.DESCRIPTION_FORGOTTEN in rig.bodies())


async def test_failures_and_cancellations_are_one_sentence(rig: Rig, worker_server: Describing) -> None:
    request, _ = await ask(rig)
    worker_server.end(
        await job(rig, request), "failed", error={"code": "describe_failed", "message": "It saw nothing."}
    )
    assert (await rig.done(request)).outcome == "failed"
    await rig.until(lambda: "❌ It saw nothing." in rig.bodies())
    request, _ = await ask(rig)
    worker_server.end(await job(rig, request), "cancelled")
    assert (await rig.done(request)).outcome == "cancelled"


@pytest.mark.parametrize("case", ["old worker", "nothing sees"])
async def test_where_nobody_can_one_sentence_says_why(rig: Rig, worker_server: Describing, case: str) -> None:
    if case == "old worker":
        worker_server.features, said = ["img2img"], texts.DESCRIBE_OLD_WORKER
    else:
        worker_server.refuse, said = (422, {"code": "cannot_describe", "detail": "no"}), texts.CANNOT_DESCRIBE
    request, _ = await ask(rig)
    assert (await rig.done(request)).outcome == "refused"
    start = f"❌ {said}".partition("`")[0]
    await rig.until(lambda: any(body.startswith(start) for body in rig.bodies()))


async def test_a_picture_of_ours_begins_with_what_it_shows(rig: Rig, worker_server: Describing) -> None:
    worker_server.alt = "An otter & <b>hat</b>, @room"
    request = await rig.ask()
    assert (await rig.done(request)).outcome == "succeeded"
    content = rig.server.pictures(ROOM)[0]["content"]
    assert content["body"].startswith("🖼️ An otter & <b>hat</b>, @room\n\nan otter")
    assert "&lt;b&gt;hat" in content["formatted_body"]
    assert content["m.mentions"] == {}
