"""What the model is told: the thread as it stands in the room."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from chat_servers import BOT, ROOM, STRANGER, Rig, rig_in
from chat_told import answered, told

from otterbot.chat import formatting
from otterbot.config import ChatValues
from otterbot.matrix import event_content
from otterbot.requests.active import CannotAsk
from otterbot.store.rows import Part, key_of
from otterbot.store.store import Commit


@pytest_asyncio.fixture(params=["whole", "none"])
async def rig(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """Homeservers with and without edits bundled."""
    async with rig_in(tmp_path, bundling=request.param, system_prompt="") as rig:
        yield rig


async def test_a_question_alone(rig: Rig) -> None:
    event = rig.server.say(ROOM, "!chat  why do otters\nhold hands?")
    assert await told(rig, event) == [("user", "why do otters\nhold hands?")]
    plain = rig.server.say(ROOM, "why?")
    assert await told(rig, plain) == [("user", "why?")]


async def test_the_persona_comes_first(tmp_path: Path) -> None:
    async with rig_in(tmp_path, system_prompt=" Be an otter. ") as rig:
        event = rig.server.say(ROOM, "hello")
        system = "Be an otter.\n\nYour name in this room is bot."
        assert await told(rig, event) == [("system", system), ("user", "hello")]


async def test_a_thread(rig: Rig) -> None:
    first = rig.server.say(ROOM, "!chat my name is Bo")
    root = first["event_id"]
    rig.server.say(ROOM, "not in the thread")
    answered(rig, first, root, "Hello Bo", "and more")
    second = rig.server.in_thread(root, "what is my name?")
    answered(rig, second, root, "Bo")
    third = rig.server.in_thread(root, "!chat thanks")
    rig.server.in_thread(root, "later")
    assert await told(rig, third) == [
        ("user", "my name is Bo"),
        ("assistant", "Hello Bo\n\nand more"),
        ("user", "what is my name?"),
        ("assistant", "Bo"),
        ("user", "thanks"),
    ]


async def test_an_answer_stands_after_its_question(rig: Rig) -> None:
    first = rig.server.say(ROOM, "!chat one")
    root = first["event_id"]
    second = rig.server.in_thread(root, "two")
    answered(rig, first, root, "answer to one")
    assert await told(rig, second) == [("user", "one"), ("assistant", "answer to one"), ("user", "two")]


async def test_what_is_not_for_us(rig: Rig) -> None:
    first = rig.server.say(ROOM, "!chat one")
    root = first["event_id"]
    rig.server.in_thread(root, "a stranger's words", STRANGER)
    rig.server.in_thread(root, "!draw an otter")
    rig.server.in_thread(root, "!unknown")
    relates = {"rel_type": "m.thread", "event_id": root}
    rig.server.say(ROOM, "cat.png", msgtype="m.image", url="mxc://x", **{"m.relates_to": relates})
    rig.server.add(
        ROOM, "@other:test", "m.room.message", {"msgtype": "m.notice", "body": "bot", "m.relates_to": relates}
    )
    rig.server.add(ROOM, "@other:test", "m.room.message", {"body": 7, "m.relates_to": relates})
    notice = await event_content.notice("❌ It failed.", "key", "final", None)
    rig.server.add(ROOM, BOT, "m.room.message", notice | {"m.relates_to": relates})
    rig.server.add(ROOM, BOT, "m.room.message", formatting.message("💭", "key", "chat/0") | {"m.relates_to": relates})
    last = rig.server.in_thread(root, "two")
    assert await told(rig, last) == [("user", "one"), ("user", "two")]


async def test_edits_and_deletions(rig: Rig) -> None:
    first = rig.server.say(ROOM, "!chat my name is Bo")
    root = first["event_id"]
    rig.server.change(first, "!chat my name is Ann")
    answered(rig, first, root, "Hello")
    second = rig.server.in_thread(root, "a secret")
    answered(rig, second, root, "I keep the secret")
    third = rig.server.in_thread(root, "who am I?")
    rig.server.delete(second)
    assert await told(rig, third) == [
        ("user", "my name is Ann"),
        ("assistant", "Hello"),
        ("assistant", "I keep the secret"),
        ("user", "who am I?"),
    ], "a deleted question that the database does not know leaves only its answer"
    await rig.store.commit(_commit(rig, second))
    assert ("assistant", "I keep the secret") not in await told(rig, third)


def _commit(rig: Rig, event: dict[str, Any]) -> Any:
    return Commit(mark=event["event_id"], room_id=ROOM, request=rig.request(event))


@pytest.mark.parametrize("rig", ["whole", "ids", "none"], indirect=True)
async def test_an_answer_that_grew_by_edits(rig: Rig) -> None:
    first = rig.server.say(ROOM, "!chat one")
    root, key = first["event_id"], key_of(BOT, ROOM, first["event_id"])
    relation = formatting.thread_relation(root, root)
    placeholder = rig.server.add(
        ROOM, BOT, "m.room.message", formatting.message("💭 Thinking…", key, "chat/0") | {"m.relates_to": relation}
    )
    for text, part in (("half …", "chat/edit"), ("the whole\n\n⚠️ note", "chat/1")):
        length = len("the whole") if part == "chat/1" else 4
        edit = event_content.edit(formatting.message(text, key, part, length=length), placeholder["event_id"])
        rig.server.add(ROOM, BOT, "m.room.message", edit)
    second = rig.server.in_thread(root, "two")
    assert await told(rig, second) == [("user", "one"), ("assistant", "the whole"), ("user", "two")]


async def test_the_edit_that_was_asked(rig: Rig) -> None:
    event = rig.server.say(ROOM, "!draw x")
    edit = rig.server.change(event, "!chat hello")
    rig.server.change(event, "!chat something else")
    assert await told(rig, event, edit=edit["event_id"]) == [("user", "hello")]


async def test_a_reply_goes_on_without_a_thread(rig: Rig) -> None:
    first = rig.server.say(ROOM, "!chat one")
    await rig.store.commit(_commit(rig, first))
    [answer] = answered(rig, first, first["event_id"], "answer")
    part = Part(key=key_of(BOT, ROOM, first["event_id"]), part="chat/1", room_id=ROOM, content={})
    await rig.store.add_part(part)
    await rig.store.mark_sending(*part.id)
    await rig.store.mark_sent(part, answer["event_id"])
    reply = {"m.relates_to": {"m.in_reply_to": {"event_id": answer["event_id"]}}}
    second = rig.server.say(ROOM, "> <@bot:test> answer\n\ntwo", **reply)
    assert await rig.history.root_of(rig.request(second)) == first["event_id"]
    assert await told(rig, second) == [("user", "one"), ("assistant", "answer"), ("user", "two")]
    await rig.store.commit(_commit(rig, second))
    answered(rig, second, first["event_id"], "second answer")
    third = rig.server.in_thread(first["event_id"], "three")
    assert await told(rig, third) == [
        ("user", "one"),
        ("assistant", "answer"),
        ("user", "two"),
        ("assistant", "second answer"),
        ("user", "three"),
    ]


async def test_only_the_newest_turns(rig: Rig) -> None:
    first = rig.server.say(ROOM, "!chat 0")
    root = first["event_id"]
    for number in range(1, 150):
        event = rig.server.in_thread(root, f"{number}")
        answered(rig, event, root, f"answer {number}")
    last = rig.server.in_thread(root, "last")
    rig.values = rig.values.__class__(chat=ChatValues(system_prompt="", history_messages=5))
    assert await told(rig, last) == [
        ("user", "148"),
        ("assistant", "answer 148"),
        ("user", "149"),
        ("assistant", "answer 149"),
        ("user", "last"),
    ]
    rig.values = rig.values.__class__(chat=ChatValues(system_prompt="", history_characters=100, history_messages=199))
    long = rig.server.in_thread(root, "x" * 95)
    assert await told(rig, long) == [("user", "last"), ("user", "x" * 95)]


async def test_a_question_that_is_gone(rig: Rig) -> None:
    event = rig.server.say(ROOM, "!chat one")
    rig.server.delete(event)
    for gone in (event, {**event, "event_id": "$nowhere"}):
        with pytest.raises(CannotAsk):
            await told(rig, gone)


async def test_half_characters_do_not_stop_anything(rig: Rig) -> None:
    event = rig.server.say(ROOM, "!chat \ud83d x")
    [(_, text)] = await told(rig, event)
    text.encode()
