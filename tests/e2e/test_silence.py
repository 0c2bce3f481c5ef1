"""What the bot says nothing to, and what it must survive."""

from __future__ import annotations

import contextlib

import pytest

from lab import Lab

from .conftest import QUICK

NOT_FOR_US = ["hello", "!", "!!", "!drawotter", "!weather", "draw otter", "!8ball", "> !draw otter", "!draw! otter"]


async def still_there(lab: Lab, room: str) -> None:
    await lab.answer(room, "!help")


async def test_unknown_commands_and_small_talk(lab: Lab, room: str) -> None:
    mark = lab.user.mark()
    for line in NOT_FOR_US:
        await lab.user.send(room, line)
    await lab.user.never(lab.says(room), mark)
    await still_there(lab, room)


async def test_notices_are_other_bots(lab: Lab, room: str) -> None:
    mark = lab.user.mark()
    await lab.user.send(room, f"!draw otter {QUICK}", msgtype="m.notice")
    await lab.user.never(lab.says(room), mark)


async def test_strangers_get_silence_and_no_company(lab: Lab, encrypted: bool) -> None:
    """Everybody here is of another server than the one that may use the bot."""
    room = await lab.room(encrypted=encrypted)
    await lab.configure(allowed_users=["@*:another.server"])
    try:
        mark = lab.user.mark()
        await lab.user.send(room, "!help")
        await lab.user.send(room, f"!draw otter {QUICK}")
        lonely = await lab.user.create_room([lab.bot], encrypted=encrypted)
        await lab.user.never(lab.says(room), mark, within=2)
        assert lab.bot not in await lab.user.members(lonely)
    finally:
        await lab.configure()
    await still_there(lab, room)


async def test_nobody_is_nobody(lab: Lab, room: str) -> None:
    await lab.configure(allowed_users=[])
    try:
        mark = lab.user.mark()
        await lab.user.send(room, "!help")
        await lab.user.never(lab.says(room), mark)
    finally:
        await lab.configure()


MALFORMED: list[dict[str, object]] = [
    {},
    {"msgtype": "m.text"},
    {"msgtype": "m.text", "body": 7},
    {"msgtype": 5, "body": "!help"},
    {"msgtype": "m.text", "body": ["!help"]},
    {"msgtype": "m.text", "body": "!again", "m.relates_to": "nonsense"},
    {"msgtype": "m.text", "body": "!again", "m.relates_to": {"m.in_reply_to": {"event_id": 3}}},
    {"msgtype": "m.text", "body": "!again", "m.relates_to": {"rel_type": "m.thread", "event_id": None}},
    {"msgtype": "m.text", "body": "* !help", "m.relates_to": {"rel_type": "m.replace", "event_id": "$none"}},
    {"msgtype": "m.text", "body": "x", "m.new_content": 1, "m.relates_to": {"rel_type": "m.replace", "event_id": "$n"}},
    {"msgtype": "m.image", "body": "!draw otter", "info": 3},
    {"msgtype": "m.image", "body": "pic.png", "file": {"key": 1}, "filename": {}},
]


async def test_malformed_events_do_not_stop_it(lab: Lab, room: str) -> None:
    """What the homeserver itself refuses in clear comes through encrypted, and from other servers."""
    for content in MALFORMED:
        with contextlib.suppress(RuntimeError):
            await lab.user.send_event(room, "m.room.message", content)
    with contextlib.suppress(RuntimeError):
        await lab.user.send_event(room, "m.reaction", {"m.relates_to": {"rel_type": "m.annotation", "key": 4}})
    await still_there(lab, room)


async def test_undecryptable_messages_do_not_stop_it(lab: Lab) -> None:
    room = await lab.room(encrypted=True)
    keys = {"session_id": "none", "sender_key": "x", "device_id": "y"}
    junk = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "AwgA", **keys}
    path = f"/_matrix/client/v3/rooms/{room}/send/m.room.encrypted"
    for number, content in enumerate((junk, {}, {"algorithm": 1}, {**junk, "ciphertext": {"a": 1}})):
        await lab.user.api("PUT", f"{path}/junk{number}{room[1:5]}", content)
    await still_there(lab, room)


async def test_one_line_on_joining_and_only_once(lab: Lab, encrypted: bool) -> None:
    room = await lab.room(encrypted=encrypted)
    greeting = await lab.user.wait_for(lab.from_bot(room))
    assert "!help" in greeting.body
    await lab.maubot.restart()
    await still_there(lab, room)
    greetings = [event for event in lab.user.events if event.room_id == room and event.body == greeting.body]
    assert len(greetings) == 1


@pytest.mark.parametrize("line", ["!help", "!help draw", "!status", "!queue"])
async def test_what_is_answered_at_once(lab: Lab, room: str, line: str) -> None:
    answer = await lab.answer(room, line)
    assert answer.msgtype == "m.notice"
    assert answer.content["m.mentions"] == {}
