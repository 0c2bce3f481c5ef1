"""What is remembered on other homeservers than Synapse: without bundled edits, with odd pages, with refusals."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from chat_servers import BOT, ROOM, STRANGER, Rig, rig_in
from chat_told import answered, told

from otterbot import texts
from otterbot.chat import formatting, newest_edits
from otterbot.chat.entries import FLOWING
from otterbot.matrix import event_content
from otterbot.store.rows import key_of


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig_in(tmp_path, bundling="none", system_prompt="", placeholder_after=60.0) as rig:
        yield rig


def grown(rig: Rig, question: dict[str, Any], root: str, text: str) -> dict[str, Any]:
    """An answer that grew in its place."""
    key = key_of(BOT, ROOM, question["event_id"])
    first = formatting.message("💭 Thinking…", key, "chat/0")
    relation = formatting.thread_relation(root, question["event_id"])
    place = rig.server.add(ROOM, BOT, "m.room.message", first | {"m.relates_to": relation})
    for part, said in (("chat/edit", text[:3]), ("chat/1", text)):
        edit = event_content.edit(formatting.message(said, key, part), place["event_id"])
        rig.server.add(ROOM, BOT, "m.room.message", edit)
    return place


async def test_own_answers_and_peoples_edits(rig: Rig) -> None:
    first = rig.server.say(ROOM, "!chat my name is Bo")
    root = first["event_id"]
    grown(rig, first, root, "Hello Bo")
    rig.server.change(first, "!chat my name is Ann")
    second = rig.server.in_thread(root, "I am ten")
    rig.server.change(second, "I am twenty")
    third = rig.server.in_thread(root, "what is my name?")
    assert await told(rig, third) == [
        ("user", "my name is Ann"),
        ("assistant", "Hello Bo"),
        ("user", "I am twenty"),
        ("user", "what is my name?"),
    ]


async def test_a_server_that_bundles_is_not_asked_about_each_message(tmp_path: Path) -> None:
    async with rig_in(tmp_path, system_prompt="") as rig:
        first = rig.server.say(ROOM, "!chat one")
        root = first["event_id"]
        for number in range(20):
            answered(rig, rig.server.in_thread(root, f"{number}"), root, "answer")
        rig.server.change(rig.server.in_thread(root, "twenty"), "21")
        await told(rig, rig.server.in_thread(root, "x"))
        rig.server.asked_relations.clear()
        assert ("user", "21") in await told(rig, rig.server.in_thread(root, "last"))
        asked = [event for event, kind in rig.server.asked_relations if kind == "m.replace"]
        assert asked in ([], [root]), "at most about the beginning, which another call brings"


async def test_a_server_that_stops_bundling_is_noticed(tmp_path: Path) -> None:
    async with rig_in(tmp_path, system_prompt="") as rig:
        first = rig.server.say(ROOM, "!chat one")
        root = first["event_id"]
        rig.server.change(rig.server.in_thread(root, "two"), "2")
        rig.server.change(first, "!chat 1")
        await told(rig, rig.server.in_thread(root, "x"))
        rig.server.bundling = "none"
        rig.server.change(first, "!chat uno")
        third = rig.server.in_thread(root, "three")
        rig.server.change(third, "3")
        grown(rig, third, root, "the third")
        heard = await told(rig, rig.server.in_thread(root, "last"))
        assert heard[-3:] == [("user", "3"), ("assistant", "the third"), ("user", "last")]
        assert heard[0] == ("user", "uno")


async def test_only_what_may_have_been_edited_is_asked_about(rig: Rig) -> None:
    first = rig.server.say(ROOM, "!chat one")
    root = first["event_id"]
    for number in range(10):
        answered(rig, rig.server.in_thread(root, f"{number}"), root, "answer", "and more")
    await told(rig, rig.server.in_thread(root, "last"))
    assert sum(kind == "m.replace" for _, kind in rig.server.asked_relations) == 11, "ten questions and the first"


async def test_the_questions_have_a_bound(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newest_edits.Budget, "__init__", lambda self: setattr(self, "left", 5))
    first = rig.server.say(ROOM, "!chat one")
    root = first["event_id"]
    for number in range(10):
        answered(rig, rig.server.in_thread(root, f"{number}"), root, f"answer {number}")
    heard = await told(rig, rig.server.in_thread(root, "last"))
    assert sum(kind == "m.replace" for _, kind in rig.server.asked_relations) == 5
    assert heard[-3:] == [("user", "9"), ("assistant", "answer 9"), ("user", "last")]
    assert ("user", "4") not in heard, "what cannot be asked about is left out, not guessed"


async def test_edits_of_others_hide_nothing(rig: Rig) -> None:
    first = rig.server.say(ROOM, "!chat my name is Bo")
    rig.server.change(first, "!chat my name is Ann")
    relates = {"rel_type": "m.replace", "event_id": first["event_id"]}
    for _ in range(70):
        new = {"msgtype": "m.text", "body": "!chat my name is Mud"}
        rig.server.say(ROOM, "* x", STRANGER, **{"m.new_content": new, "m.relates_to": relates})
    second = rig.server.in_thread(first["event_id"], "who am I?")
    assert (await told(rig, second))[0] == ("user", "my name is Ann")


async def test_a_deleted_edit_is_none(rig: Rig) -> None:
    first = rig.server.say(ROOM, "!chat my name is Bo")
    edit = rig.server.change(first, "!chat my name is Ann")
    edit["content"] = {"m.relates_to": edit["content"]["m.relates_to"]}
    second = rig.server.in_thread(first["event_id"], "who am I?")
    assert (await told(rig, second))[0] == ("user", "my name is Bo")


@pytest.mark.parametrize("overlap", [1, 30, 99])
async def test_pages_that_overlap_repeat_nothing(rig: Rig, overlap: int) -> None:
    first = rig.server.say(ROOM, "!chat 0")
    root = first["event_id"]
    for number in range(1, 80):
        answered(rig, rig.server.in_thread(root, f"{number}"), root, f"answer {number}")
    rig.values = rig.values.__class__(chat=rig.values.chat.__class__(system_prompt="", history_messages=199))
    rig.server.overlap = overlap
    heard = [text for _, text in await told(rig, rig.server.in_thread(root, "last"))]
    assert len(heard) == len(set(heard)) > 100


REFUSALS = [
    (404, {"errcode": "M_UNRECOGNIZED", "error": "no"}),
    (404, {"errcode": "M_NOT_FOUND", "error": "no"}),
    (403, {"errcode": "M_FORBIDDEN", "error": "no"}),
    (400, {"errcode": "M_UNKNOWN", "error": "no"}),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal[1]["errcode"])
async def test_a_thread_whose_relations_are_refused_is_read_from_the_timeline(
    rig: Rig, refusal: tuple[int, dict[str, Any]]
) -> None:
    rig.server.relations_refused = refusal
    rig.server.say(ROOM, "before it")
    first = rig.server.say(ROOM, "!chat my name is Bo")
    root = first["event_id"]
    grown(rig, first, root, "Hello Bo")
    rig.server.say(ROOM, "beside it")
    second = rig.server.in_thread(root, "I am ten")
    rig.server.change(second, "I am twenty")
    third = rig.server.in_thread(root, "who am I?")
    conversation = await rig.history.conversation(rig.request(third))
    assert [message["content"] for message in conversation.messages] == [
        "my name is Bo",
        "Hello Bo",
        "I am twenty",
        "who am I?",
    ]
    assert conversation.notes == ()


async def test_where_relations_are_refused_the_beginning_is_heard_as_it_was_edited(rig: Rig) -> None:
    rig.server.relations_refused = REFUSALS[0]
    first = rig.server.say(ROOM, "!chat my name is Bo")
    rig.server.change(first, "!chat my name is Ann")
    second = rig.server.in_thread(first["event_id"], "who am I?")
    assert await told(rig, second) == [("user", "my name is Ann"), ("user", "who am I?")]


async def test_an_answer_outside_the_thread_is_heard_as_it_grew_where_relations_are_refused(rig: Rig) -> None:
    """In a room for two it stands in the main timeline, and somebody goes on in a thread on the question."""
    rig.server.relations_refused = REFUSALS[0]
    first = rig.server.say(ROOM, "my name is Bo")
    request = await rig.ask(first, asked={FLOWING: True})
    rig.worker.answer(await rig.job(request), "Hello Bo")
    assert await rig.done(request) == "succeeded"
    [answer] = rig.server.of_bot(ROOM)
    edit = event_content.edit(formatting.message("Hello you", request.key, "chat/1"), answer["event_id"])
    rig.server.add(ROOM, BOT, "m.room.message", edit)
    heard = await told(rig, rig.server.in_thread(first["event_id"], "who am I?"))
    assert heard == [("user", "my name is Bo"), ("assistant", "Hello you"), ("user", "who am I?")]


async def test_pages_that_are_refused_behind_the_first_are_picked_out_of_the_timeline(rig: Rig) -> None:
    root = long_thread(rig, 120)
    rig.server.relations_refused, rig.server.relations_refused_from = REFUSALS[3], "1"
    heard = [text for _, text in await told(rig, rig.server.in_thread(root, "last"))]
    assert heard[0] == "0"
    assert heard[-1] == "last"
    assert len(heard) == len(set(heard)) == 122


async def test_pages_that_never_end_are_no_whole_conversation(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newest_edits.Budget, "__init__", lambda self: setattr(self, "left", 5_000))
    root = long_thread(rig, 220)
    rig.server.relations_cycle = True
    conversation = await rig.history.conversation(rig.request(rig.server.in_thread(root, "last")))
    assert conversation.notes == (texts.CHAT_HISTORY_UNREAD, texts.CHAT_LEFT_OUT)
    rig.server.relations_cycle = False
    conversation = await rig.history.conversation(rig.request(rig.server.in_thread(root, "last")))
    assert conversation.notes == (texts.CHAT_LEFT_OUT,)


def long_thread(rig: Rig, messages: int) -> str:
    first = rig.server.say(ROOM, "!chat 0")
    for number in range(1, messages + 1):
        rig.server.in_thread(first["event_id"], f"{number}")
    rig.values = rig.values.__class__(chat=rig.values.chat.__class__(system_prompt="", history_messages=199))
    return str(first["event_id"])


async def test_what_cannot_be_read_at_all_is_said_under_the_answer(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.server.relations_refused = REFUSALS[2]
    rig.server.messages_refused = True
    first = rig.server.say(ROOM, "!chat my name is Bo")
    second = rig.server.in_thread(first["event_id"], "who am I?")
    request = await rig.ask(second)
    job = await rig.job(request)
    assert [message["content"] for message in job["request"]["messages"]] == ["my name is Bo", "who am I?"]
    rig.server.messages_refused = False  # a restart looks into the room for what was sent already
    await rig.restart()
    rig.worker.answer(job, "You are Bo.")
    assert await rig.done(request) == "succeeded"
    [shown] = rig.server.shown()
    assert shown["body"] == f"You are Bo.\n\n{texts.CHAT_HISTORY_UNREAD}"


async def test_a_root_that_is_refused_is_said(rig: Rig) -> None:
    second = rig.server.in_thread("$elsewhere", "who am I?")
    assert (await rig.history.conversation(rig.request(second))).notes == (texts.CHAT_HISTORY_UNREAD,)
