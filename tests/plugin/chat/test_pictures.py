"""Pictures that models are shown: captions, what is replied to, what a thread or a room has shown before."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from chat_servers import BOT, ROOM, USER, Rig, rig_in
from worker_double import png

from otterbot import texts
from otterbot.chat.entries import FLOWING


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig_in(tmp_path, system_prompt="") as rig:
        rig.worker.features = ["img2img", "chat_pictures"]
        yield rig


def sha(seed: int) -> str:
    return hashlib.sha256(png(seed)).hexdigest()


def post(rig: Rig, seed: int, caption: str = "", sender: str = USER, **more: Any) -> dict[str, Any]:
    rig.server.media[f"mxc://test/{seed}"] = png(seed)
    named = {"body": caption, "filename": "a.png"} if caption else {"body": "a.png"}
    content = {"msgtype": "m.image", "url": f"mxc://test/{seed}", "info": {}, **named, **more}
    return rig.server.add(ROOM, sender, "m.room.message", content)


def reply_to(event: dict[str, Any]) -> dict[str, Any]:
    return {"m.relates_to": {"m.in_reply_to": {"event_id": event["event_id"]}}}


async def told(rig: Rig, event: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """What the worker got."""
    job = await rig.job(await rig.ask(event, **more))
    messages: list[dict[str, Any]] = job["request"]["messages"]
    return messages


async def test_a_caption(rig: Rig) -> None:
    asked = post(rig, 1, "!chat what is this?")
    assert await told(rig, asked) == [{"role": "user", "content": "what is this?", "pictures": [sha(1)]}]
    assert rig.worker.inputs[sha(1)][2] == "false"


async def test_a_picture_that_is_replied_to(rig: Rig) -> None:
    """Anybody's, one of ours too."""
    drawn = post(rig, 2, "otter · seed 7", sender=BOT)
    asked = rig.server.say(ROOM, "!chat what is this?", **reply_to(drawn))
    [message] = await told(rig, asked)
    assert message["pictures"] == [sha(2)]
    assert message["content"].endswith("what is this?")


async def test_pictures_of_a_thread_and_of_what_it_hangs_on(rig: Rig) -> None:
    drawn = post(rig, 3, "otter · seed 7", sender=BOT)
    relation = {"rel_type": "m.thread", "event_id": drawn["event_id"], "is_falling_back": True}
    first = rig.server.say(ROOM, "!chat what is this?", **{"m.relates_to": relation})
    [message] = await told(rig, first)
    assert message["pictures"] == [sha(3)]
    root = rig.server.say(ROOM, "!chat look")
    relation = {"rel_type": "m.thread", "event_id": root["event_id"], "is_falling_back": True}
    post(rig, 4, **{"m.relates_to": relation})
    second = rig.server.in_thread(root["event_id"], "and what is that?")
    assert await told(rig, second) == [
        {"role": "user", "content": "look"},
        {"role": "user", "content": "", "pictures": [sha(4)]},
        {"role": "user", "content": "and what is that?"},
    ]


async def test_of_many_the_newest_eight(rig: Rig) -> None:
    for seed in range(10, 20):
        post(rig, seed, f"picture {seed}")
    asked = rig.server.say(ROOM, "what are they?")
    messages = await told(rig, asked, asked={FLOWING: True})
    assert [message.get("pictures", []) for message in messages] == [
        [], [], *([sha(seed)] for seed in range(12, 20)), [],
    ]  # fmt: skip
    assert rig.worker.uploads == 8


async def test_each_is_brought_once_and_again_where_it_is_gone(rig: Rig) -> None:
    asked = post(rig, 1, "!chat what is this?")
    await told(rig, asked)
    again = rig.server.say(ROOM, "!chat and this?", **reply_to(asked))
    await told(rig, again)
    assert rig.worker.uploads == 1
    rig.worker.inputs.clear()
    rig.worker.refuse = (422, {"code": "input_gone"})
    request = await rig.ask(rig.server.say(ROOM, "!chat once more?", **reply_to(asked)))
    await rig.server.wait(lambda: rig.worker.uploads >= 2)
    rig.worker.refuse = None
    job = await rig.job(request)
    assert job["request"]["messages"][-1]["pictures"] == [sha(1)]


async def test_what_cannot_be_had_is_said(rig: Rig) -> None:
    asked = post(rig, 1, "!chat what is this?", info={"mimetype": "image/svg+xml"})
    request = await rig.ask(asked)
    job = await rig.job(request)
    assert job["request"]["messages"] == [{"role": "user", "content": "what is this?"}]
    rig.worker.answer(job, "I do not know.")
    assert await rig.done(request) == "succeeded"
    assert texts.CHAT_PICTURE_MISSING in rig.server.shown()[-1]["body"]


async def test_an_old_worker_is_shown_none(rig: Rig) -> None:
    rig.worker.features = []
    asked = post(rig, 1, "!chat what is this?")
    request = await rig.ask(asked)
    job = await rig.job(request)
    assert job["request"]["messages"] == [{"role": "user", "content": "what is this?"}]
    assert rig.worker.uploads == 0
    rig.worker.answer(job, "I do not know.")
    await rig.done(request)
    assert texts.CHAT_PICTURES_OLD_WORKER in rig.server.shown()[-1]["body"]


async def test_which_models_see_is_said_with_what_to_type(rig: Rig) -> None:
    request = await rig.ask(post(rig, 1, "!chat what is this?"))
    job = await rig.job(request)
    rig.worker.answer(job, "A word.", notes=["It does not see pictures."], seeing=["llava:7b"])
    await rig.done(request)
    assert rig.server.shown()[-1]["body"].endswith("`!chat --model llava:7b …` asks that one.")


@pytest.mark.parametrize("caption", ["!draw otter", "!unknown otter"])
async def test_other_commands_captions_are_no_part_of_it(rig: Rig, caption: str) -> None:
    post(rig, 1, caption)
    asked = rig.server.say(ROOM, "what was that?")
    assert await told(rig, asked, asked={FLOWING: True}) == [{"role": "user", "content": "what was that?"}]
