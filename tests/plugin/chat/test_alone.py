"""A room with one person is one conversation: in the main timeline, and read from it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from chat_servers import BOT, ROOM, USER, Rig, rig_in

from otterbot.chat import formatting
from otterbot.chat.entries import FLOWING
from otterbot.config import ChatValues
from otterbot.matrix import event_content
from otterbot.store.rows import Part, key_of
from otterbot.store.store import Commit

FLOWS = {"asked": {FLOWING: True}}


@pytest_asyncio.fixture(params=["whole", "none"])
async def rig(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """Homeservers with and without edits bundled."""
    async with rig_in(tmp_path, bundling=request.param, system_prompt="", placeholder_after=60.0) as rig:
        yield rig


def answered(rig: Rig, question: dict[str, Any], *texts: str, thread: str | None = None) -> list[dict[str, Any]]:
    """An answer of the bot's, as a reply or in a thread."""
    key, asked = key_of(BOT, ROOM, question["event_id"]), question["event_id"]
    reply = {"m.in_reply_to": {"event_id": asked}}
    relation = reply if thread is None else formatting.thread_relation(thread, asked)
    return [
        rig.server.add(
            ROOM, BOT, "m.room.message", formatting.message(text, key, f"chat/{n}") | {"m.relates_to": relation}
        )
        for n, text in enumerate(texts, 1)
    ]


async def told(rig: Rig, event: dict[str, Any], **more: Any) -> list[tuple[str, str]]:
    messages = await rig.history.build_messages(rig.request(event, **{**FLOWS, **more}))
    return [(message["role"], message["content"]) for message in messages]


def member(rig: Rig, user: str, membership: str, before: str | None = None) -> None:
    unsigned = {} if before is None else {"prev_content": {"membership": before}}
    rig.server.add(ROOM, user, "m.room.member", {"membership": membership}, state_key=user, unsigned=unsigned)


# ---------------------------------------------------------------- answers


async def test_an_answer_is_a_reply_without_a_thread(rig: Rig) -> None:
    event = rig.server.say(ROOM, "hello")
    request = await rig.ask(event, **FLOWS)
    rig.worker.answer(await rig.job(request), "\n\n".join("Otters swim. " * 60 for _ in range(20)))
    assert await rig.done(request) == "succeeded"
    shown = rig.server.shown()
    assert len(shown) > 1
    assert all(content["m.relates_to"] == {"m.in_reply_to": {"event_id": event["event_id"]}} for content in shown)


async def test_a_conversation_flows(rig: Rig) -> None:
    one = await rig.ask(rig.server.say(ROOM, "my name is Bo"), **FLOWS)
    two = await rig.ask(rig.server.say(ROOM, "!chat what is my name?"), **FLOWS)
    rig.worker.answer(await rig.job(one), "Hello Bo")
    await rig.done(one)
    job = await rig.job(two)
    assert [message["content"] for message in job["request"]["messages"]] == [
        "my name is Bo",
        "Hello Bo",
        "what is my name?",
    ]
    rig.worker.answer(job, "Bo")
    await rig.done(two)
    three = await rig.ask(rig.server.say(ROOM, "thanks"), **FLOWS)
    assert len((await rig.job(three))["request"]["messages"]) == 5


async def test_turns_run_one_after_another_and_threads_beside_them(rig: Rig) -> None:
    first = rig.server.say(ROOM, "one")
    one = await rig.ask(first, **FLOWS)
    two = await rig.ask(rig.server.say(ROOM, "two"), **FLOWS)
    beside = await rig.ask(rig.server.in_thread(first["event_id"], "in a thread"))
    await rig.job(one)
    await rig.job(beside)
    assert len(rig.worker.jobs) == 2
    await rig.delivery.cancelling.cancel([one.key], ROOM)
    await rig.job(two)


async def test_a_crash_between_asking_and_answering(rig: Rig) -> None:
    event = rig.server.say(ROOM, "hello")
    request = await rig.ask(event, **FLOWS)
    await rig.job(request)
    await rig.restart()
    rig.worker.answer(await rig.job(request), "Hello.")
    assert await rig.done(request) == "succeeded"
    [content] = rig.server.shown()
    assert "rel_type" not in content["m.relates_to"]


# ---------------------------------------------------------------- history


async def test_what_belongs_to_it(rig: Rig) -> None:
    first = rig.server.say(ROOM, "one")
    answered(rig, first, "answer one", "and more")
    for silent in ("!draw an otter", "!unknown", "! draw x", "!"):
        rig.server.say(ROOM, silent)
    rig.server.say(ROOM, "cat.png", msgtype="m.image", url="mxc://x")
    rig.server.say(ROOM, "a notice", msgtype="m.notice")
    notice = await event_content.notice("❌ It failed.", "key", "final", None)
    rig.server.add(ROOM, BOT, "m.room.message", notice)
    picture = {"msgtype": "m.image", "body": "otter.png", "url": "mxc://x", event_content.OUR_KEY: {"key": "k"}}
    rig.server.add(ROOM, BOT, "m.room.message", picture)
    rig.server.add(ROOM, USER, "m.room.message", {"body": 7})
    rig.server.say(ROOM, "somebody who was here before", "@other:test")
    in_thread = rig.server.in_thread(first["event_id"], "in a thread")
    answered(rig, in_thread, "answered there", thread=first["event_id"])
    rig.server.say(ROOM, "!chat two")
    third = rig.server.say(ROOM, "three")
    rig.server.say(ROOM, "later")
    assert await told(rig, third) == [
        ("user", "one"),
        ("assistant", "answer one\n\nand more"),
        ("user", ""),
        ("user", "two"),
        ("user", "three"),
    ], "a picture without words is a part of it, commands and our own pictures are none"


async def test_an_answer_stands_after_its_question(rig: Rig) -> None:
    first = rig.server.say(ROOM, "one")
    second = rig.server.say(ROOM, "two")
    answered(rig, first, "answer to one")
    assert await told(rig, second) == [("user", "one"), ("assistant", "answer to one"), ("user", "two")]


@pytest.mark.parametrize("rig", ["whole", "ids", "none"], indirect=True)
async def test_edits_and_deletions(rig: Rig) -> None:
    first = rig.server.say(ROOM, "my name is Bo")
    key = key_of(BOT, ROOM, first["event_id"])
    placeholder = rig.server.add(ROOM, BOT, "m.room.message", formatting.message("💭 Thinking…", key, "chat/0"))
    for text, part in (("half …", "chat/edit"), ("Hello", "chat/1")):
        edit = event_content.edit(formatting.message(text, key, part), placeholder["event_id"])
        rig.server.add(ROOM, BOT, "m.room.message", edit)
    rig.server.change(first, "my name is Ann")
    forged = {"m.new_content": {"msgtype": "m.text", "body": "forged"}}
    relates = {"m.relates_to": {"rel_type": "m.replace", "event_id": placeholder["event_id"]}}
    rig.server.say(ROOM, "* forged", **forged, **relates)
    gone = rig.server.say(ROOM, "a secret")
    request = rig.request(gone, **FLOWS)
    await rig.store.commit(Commit(mark=gone["event_id"], room_id=ROOM, request=request))
    answered(rig, gone, "I keep the secret")
    rig.server.delete(gone)
    last = rig.server.say(ROOM, "who am I?")
    assert await told(rig, last) == [("user", "my name is Ann"), ("assistant", "Hello"), ("user", "who am I?")]


async def test_the_edit_that_was_asked(rig: Rig) -> None:
    rig.server.say(ROOM, "before")
    event = rig.server.say(ROOM, "!oops")
    rig.server.say(ROOM, "between")
    edit = rig.server.change(event, "hello")
    assert await told(rig, event, edit=edit["event_id"]) == [("user", "before"), ("user", "hello")]


async def test_a_silence_ends_it(rig: Rig) -> None:
    rig.server.say(ROOM, "long ago")
    rig.server.later(11.9)
    rig.server.say(ROOM, "a while ago")
    rig.server.later(11.9)
    last = rig.server.say(ROOM, "now")
    assert [text for _, text in await told(rig, last)] == ["long ago", "a while ago", "now"]
    rig.server.later(12.1)
    last = rig.server.say(ROOM, "new")
    assert await told(rig, last) == [("user", "new")]
    rig.values = rig.values.__class__(chat=ChatValues(system_prompt="", conversation_hours=13))
    assert len(await told(rig, last)) == 4


async def test_what_people_do_is_part_of_it(rig: Rig) -> None:
    first = rig.server.say(ROOM, "waves", msgtype="m.emote")
    answered(rig, first, "Hello!")
    rig.server.say(ROOM, "!chat is no command here", msgtype="m.emote")
    second = rig.server.say(ROOM, "smiles", msgtype="m.emote")
    assert await told(rig, second) == [("user", "*waves*"), ("assistant", "Hello!"), ("user", "*smiles*")]


async def test_what_was_said_since_the_invitation_is_ours(rig: Rig) -> None:
    """The first message stands before the bot's coming."""
    rig.server.say(ROOM, "said to myself")
    member(rig, BOT, "invite")
    first = rig.server.say(ROOM, "one")
    member(rig, BOT, "join", "invite")
    answered(rig, first, "answer one")
    second = rig.server.say(ROOM, "two")
    assert await told(rig, second) == [("user", "one"), ("assistant", "answer one"), ("user", "two")]


async def test_what_was_said_while_others_were_here_is_not_ours(rig: Rig) -> None:
    rig.server.say(ROOM, "before us")
    member(rig, BOT, "join", "invite")
    rig.server.say(ROOM, "alone")
    assert [text for _, text in await told(rig, rig.server.say(ROOM, "one"))] == ["alone", "one"]
    member(rig, USER, "join", "join")
    member(rig, USER, "leave", "join")
    member(rig, USER, "join", "leave")
    member(rig, "@other:test", "invite")
    member(rig, "@other:test", "leave", "invite")
    member(rig, BOT, "join", "join")
    assert len(await told(rig, rig.server.say(ROOM, "two"))) == 3
    member(rig, "@other:test", "join", "invite")
    rig.server.say(ROOM, "among three")
    member(rig, "@other:test", "leave", "join")
    last = rig.server.say(ROOM, "three")
    member(rig, "@other:test", "join", "leave")
    assert await told(rig, last) == [("user", "three")]


async def test_only_the_newest_turns(rig: Rig) -> None:
    for number in range(150):
        answered(rig, rig.server.say(ROOM, f"{number}"), f"answer {number}")
    last = rig.server.say(ROOM, "last")
    rig.values = rig.values.__class__(chat=ChatValues(system_prompt="", history_messages=3))
    assert await told(rig, last) == [("user", "149"), ("assistant", "answer 149"), ("user", "last")]
    rig.values = rig.values.__class__(chat=ChatValues(system_prompt="", history_characters=100))
    assert await told(rig, rig.server.say(ROOM, "x" * 95)) == [("user", "last"), ("user", "x" * 95)]


async def test_questions_that_have_threads_stay_there(rig: Rig) -> None:
    """Asked when the room had others in it, or before it could be seen that it has none."""
    old = rig.server.say(ROOM, "!chat old")
    await rig.store.commit(Commit(mark=old["event_id"], room_id=ROOM, request=rig.request(old)))
    answered(rig, old, "in its thread", thread=old["event_id"])
    assert await told(rig, rig.server.say(ROOM, "new")) == [("user", "new")]


# ---------------------------------------------------------------- out of it


async def stand(rig: Rig, question: dict[str, Any], *texts: str) -> list[dict[str, Any]]:
    """A turn of the conversation and its answer, in the database too."""
    request = rig.request(question, **FLOWS)
    await rig.store.commit(Commit(mark=question["event_id"], room_id=ROOM, request=request))
    events = answered(rig, question, *texts)
    for number, event in enumerate(events, 1):
        part = Part(key=request.key, part=f"chat/{number}", room_id=ROOM, content={})
        await rig.store.add_part(part)
        await rig.store.mark_sending(*part.id)
        await rig.store.mark_sent(part, event["event_id"])
    return events


async def test_a_thread_on_a_turn_knows_question_and_answer(rig: Rig) -> None:
    first = rig.server.say(ROOM, "one")
    [answer, _] = await stand(rig, first, "answer one", "and more")
    expected = [("user", "one"), ("assistant", "answer one\n\nand more"), ("user", "go on")]
    assert await told(rig, rig.server.in_thread(first["event_id"], "go on"), asked={}) == expected
    [_, said, _] = await told(rig, rig.server.in_thread(answer["event_id"], "go on"), asked={})
    assert said == ("assistant", "answer one")


async def test_a_reply_once_others_are_here_opens_a_thread(rig: Rig) -> None:
    first = rig.server.say(ROOM, "one")
    [answer] = await stand(rig, first, "answer one")
    again = rig.server.say(ROOM, "two", **{"m.relates_to": {"m.in_reply_to": {"event_id": answer["event_id"]}}})
    assert await rig.history.root_of(rig.request(again)) == first["event_id"]
    assert await told(rig, again, asked={}) == [("user", "one"), ("assistant", "answer one"), ("user", "two")]
