"""Events that nobody's client would send, and people who want something else than a picture."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any
from urllib.parse import quote

import pytest

from lab import Lab
from lab.client import User
from lab.timeline import timeline

from .conftest import QUICK

RELATIONS: list[Any] = [
    5, [], "m.thread", {"rel_type": 7, "event_id": {}}, {"rel_type": "m.thread"}, {"m.in_reply_to": "x"},
    {"m.in_reply_to": {"event_id": 9}}, {"rel_type": "m.thread", "event_id": "$nowhere", "is_falling_back": "yes"},
    {"rel_type": "m.replace", "event_id": "$nowhere"}, {"rel_type": "m.annotation", "event_id": "$nowhere"},
    {"rel_type": "org.example.poll", "event_id": "$nowhere"},
]  # fmt: skip


async def raw(user: User, room: str, content: dict[str, Any], kind: str = "m.room.message") -> str | None:
    """Past the client library; ``None`` where the homeserver refuses it."""
    path = f"/_matrix/client/v3/rooms/{quote(room)}/send/{kind}/{uuid.uuid4().hex}"
    answer = await user.api("PUT", path, content, ok=False)
    return answer.get("event_id")


async def sent(user: User, room: str, content: dict[str, Any]) -> str | None:
    """Encrypted where the room is: then no homeserver looks into it."""
    try:
        return await user.send_event(room, "m.room.message", content)
    except RuntimeError:
        return None


async def test_odd_relations(lab: Lab, room: str) -> None:
    """Whatever stands in ``m.relates_to``: the room lives."""
    for relation in RELATIONS:
        await sent(lab.user, room, {"msgtype": "m.text", "body": "!queue", "m.relates_to": relation})
    assert "!draw" in (await lab.answer(room, "!help")).body  # another "!queue" might be one of many equal ones
    await lab.draw(room, f"!draw otter {QUICK}")


async def test_a_thread_cannot_begin_at_an_event_with_a_relation(lab: Lab, room: str) -> None:
    """Homeservers refuse a thread there; the answer comes all the same, as a reply."""
    first = await lab.user.send(room, "hello")
    related = {"rel_type": "m.reference", "event_id": first}
    content = {"msgtype": "m.text", "body": "!help", "m.relates_to": related}
    asked = await lab.user.send_event(room, "m.room.message", content)
    await lab.user.wait_for(lab.reply_to(asked))
    thread = {"rel_type": "m.thread", "event_id": asked, "m.in_reply_to": {"event_id": asked}}
    mark = lab.user.mark()
    if await sent(lab.user, room, {"msgtype": "m.text", "body": f"!draw otter {QUICK}", "m.relates_to": thread}):
        await lab.user.wait_for(lab.from_bot(room, msgtype="m.image"), mark, 60)


async def test_odd_fields(lab: Lab, room: str) -> None:
    usual = {"msgtype": "m.text", "body": "!queue", "format": "org.matrix.custom.html"}
    for part in ("body", "formatted_body", "msgtype", "format", "m.mentions", "filename", "info"):
        for value in (None, 5, [], {}, "\u202e\u200b\ufeff", "x" * 20_000):
            await sent(lab.user, room, {**usual, part: value})
    assert "!draw" in (await lab.answer(room, "!help")).body  # another "!queue" might be one of many equal ones


async def test_what_looks_encrypted_does_not_silence_a_plain_room(lab: Lab) -> None:
    room = await lab.room()
    fake = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "AwgA", "session_id": "none", "sender_key": "x"}
    assert await raw(lab.user, room, {**fake, "device_id": "Y"}, "m.room.encrypted")
    await lab.draw(room, f"!draw otter {QUICK}")


async def test_somebody_elses_words(lab: Lab, room: str) -> None:
    """Edits by others change nothing: not a waiting command, and not a message that was none."""
    hello = await lab.user.send(room, "hello")
    await lab.admin.send(room, "!queue", edit=hello)
    await lab.admin.send(room, f"!draw cat {QUICK}", edit=hello)
    mark = lab.user.mark()
    await lab.answer(room, "!help")
    assert not [event for event in lab.user.events[mark:] if lab.reply_to(hello)(event)]
    await lab.user.never(lab.reply_to(hello), mark)


async def test_nobody_is_called(lab: Lab, room: str) -> None:
    prompt = (
        f"@room {lab.admin.id} <a href='https://matrix.to/#/{lab.admin.id}'>x</a> <mx-reply>y</mx-reply> \u202eevil"
    )
    await lab.draw(room, f"!draw {prompt} --no <b>@room</b> {QUICK}")
    await lab.answer(room, f"!draw otter --model <b>@room</b>{lab.admin.id}")
    await lab.answer(room, "!draw otter --sampler @room")
    for event in await timeline(lab.user, room):
        if event.sender == lab.bot and event.type == "m.room.message":
            assert event.content["m.mentions"] == {}
            html = event.content.get("formatted_body", "")
            assert "<a " not in html
            assert "<b>" not in html
            assert "mx-reply" not in html.replace("&lt;mx-reply", "").replace("&lt;/mx-reply", "")
            new = event.content.get("m.new_content")
            assert new is None or new["m.mentions"] == {}


FAKES: list[Any] = [
    {"used": {"prompt": "x", "steps": 10**9}}, {"used": {"prompt": "x", "guidance_scale": "1e400"}},
    {"used": {"prompt": "x" * 5000}}, {"used": {"prompt": ["x"]}}, {"used": []}, {"used": {"seed": -1, "prompt": "x"}},
    {"used": {"prompt": "x", "width": 64}}, 7,
]  # fmt: skip


async def test_records_that_lie(lab: Lab, room: str) -> None:
    for record in FAKES:
        ours = {"v": 1, "key": "k", "part": "picture/0", "record": record}
        content = {"msgtype": "m.image", "body": "otter.png", "url": "mxc://x/y", "org.otterbot": ours}
        fake = await sent(lab.user, room, content)
        if fake is not None:
            assert (await lab.answer(room, "!again", reply=fake)).msgtype == "m.notice"


async def test_a_moderator_deletes_somebodys_command(lab: Lab, room: str) -> None:
    await lab.worker.api("POST", "/v1/pause")
    try:
        mark = lab.user.mark()
        asked = await lab.user.send(room, f"!draw otter {QUICK}")
        await lab.user.wait_for(lab.reaction(asked, "⏳"), mark)
        await lab.admin.redact(room, asked)
        await lab.user.wait_for(lab.reaction(asked, "❌"), mark)
        assert "Nothing" in (await lab.answer(room, "!queue")).body
    finally:
        await lab.worker.api("POST", "/v1/resume")


@pytest.mark.parametrize("how", ["kick", "ban", "tombstone", "leave"])
async def test_the_room_ends_in_the_middle(lab: Lab, room: str, how: str) -> None:
    """The bot is thrown out, the room moves on without it, everybody goes: elsewhere all goes on. Where nobody is left
    the request ends; where the bot may come back it waits (``test_rooms_live_on``)."""
    other = await lab.room()
    before = (await lab.answer(other, "!queue")).body
    await lab.worker.api("POST", "/v1/pause")
    try:
        asked = await lab.user.send(room, f"!draw otter {QUICK}")
        await lab.user.wait_for(lab.reaction(asked, "⏳"))
        path = f"/_matrix/client/v3/rooms/{quote(room)}/{how}"
        if how in ("kick", "ban"):
            await lab.admin.api("POST", path, {"user_id": lab.bot})
        elif how == "tombstone":
            await lab.admin.api("POST", f"/_matrix/client/v3/rooms/{quote(room)}/upgrade", {"new_version": "11"})
        else:
            for user in (lab.user, lab.admin):
                await user.api("POST", path, {})
    finally:
        await lab.worker.api("POST", "/v1/resume")
    await lab.draw(other, f"!draw otter {QUICK}")
    for _ in range(40):  # a request ends a moment after its picture stands in the room
        said = (await lab.answer(other, "!queue")).body
        if "Nothing" in said and (how != "leave" or said == before):
            break
        await asyncio.sleep(0.25)
    assert "Nothing" in said
    if how == "leave":
        assert said == before


async def test_a_room_is_encrypted_between_request_and_result(lab: Lab) -> None:
    room = await lab.room()
    await lab.worker.api("POST", "/v1/pause")
    try:
        mark = lab.user.mark()
        asked = await lab.user.send(room, f"!draw otter {QUICK}")
        await lab.user.wait_for(lab.reaction(asked, "⏳"), mark)
        await lab.admin.set_state(room, "m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
    finally:
        await lab.worker.api("POST", "/v1/resume")
    picture = await lab.user.wait_for(lab.reply_to(asked, msgtype="m.image"), mark, 60)
    assert picture.encrypted
    assert "url" not in picture.content
    assert "thumbnail_url" not in picture.content["info"]
