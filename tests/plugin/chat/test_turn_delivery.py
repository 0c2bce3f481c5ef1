"""From a question to its answer in the thread, once, whatever is cut off in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from chat_servers import ROOM, Rig, rig_in

from otterbot import texts

VERY_LONG = "\n\n".join(f"Otter {number} swims, and otter {number} sleeps. " * 12 for number in range(120))
"""More than 50 kB."""
LONG = "\n\n".join("Otters swim and otters sleep. " * 20 for _ in range(40))


@pytest_asyncio.fixture(params=["whole", "none"])
async def rig(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """The placeholder comes late: what is tested is the answer."""
    async with rig_in(tmp_path, bundling=request.param, placeholder_after=60.0) as rig:
        yield rig


@pytest_asyncio.fixture(params=["whole", "none"])
async def early(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """The placeholder comes at once, and edits as fast as they may."""
    async with rig_in(tmp_path, bundling=request.param, placeholder_after=0.0, edit_seconds=0.05, max_edits=3) as rig:
        yield rig


def bodies(rig: Rig) -> list[str]:
    return [content["body"] for content in rig.server.shown()]


async def placeholder(rig: Rig) -> None:
    await rig.server.wait(lambda: bodies(rig))


# ---------------------------------------------------------------- an answer


async def test_a_quick_answer_is_one_message_in_a_thread(rig: Rig) -> None:
    event = rig.server.say(ROOM, "!chat hello")
    request = await rig.ask(event)
    job = await rig.job(request)
    assert job["request"]["messages"][-1] == {"role": "user", "content": "hello"}
    assert job["request"]["messages"][0]["role"] == "system"
    rig.worker.answer(job, "**Hello** <you>", notes=["A note."])
    assert await rig.done(request) == "succeeded"
    [content] = rig.server.shown()
    assert content["body"] == "**Hello** <you>\n\nA note."
    assert content["formatted_body"].startswith("<p><strong>Hello</strong> &lt;you&gt;</p>")
    assert content["msgtype"] == "m.text"
    assert content["m.mentions"] == {}
    assert content["m.relates_to"] == {
        "rel_type": "m.thread",
        "event_id": event["event_id"],
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": event["event_id"]},
    }
    assert not rig.server.edits()


async def test_first_words_wait_for_nothing(tmp_path: Path) -> None:
    """Neither for the time after which "Thinking…" appears, nor for the time between two edits."""
    async with rig_in(tmp_path, placeholder_after=3_600.0, edit_seconds=3_600.0) as rig:
        job = await rig.job(await rig.ask(rig.server.say(ROOM, "!chat hello")))
        rig.worker.stream(job, "Otters hold")
        await rig.server.wait(lambda: bodies(rig) == ["Otters hold …"])
    thinks = tmp_path / "thinks"
    thinks.mkdir()
    async with rig_in(thinks, placeholder_after=0.0, edit_seconds=3_600.0) as rig:
        job = await rig.job(await rig.ask(rig.server.say(ROOM, "!chat hello")))
        await placeholder(rig)
        rig.worker.stream(job, "Otters hold")
        await rig.server.wait(lambda: bodies(rig) == ["Otters hold …"])


async def test_an_answer_grows_in_its_placeholder(early: Rig) -> None:
    request = await early.ask(early.server.say(ROOM, "!chat hello"))
    job = await early.job(request)
    await placeholder(early)
    early.worker.run(job, "loading")
    await early.server.wait(lambda: "Loading" in bodies(early)[0])
    early.worker.stream(job, "```py\nx")
    await early.server.wait(lambda: bodies(early) == ["```py\nx\n```\n\n…"])
    for number in range(20):
        early.worker.stream(job, f"growing {number}")
        await asyncio.sleep(0.02)
    early.worker.answer(job, "The whole answer.")
    assert await early.done(request) == "succeeded"
    assert bodies(early) == ["The whole answer."]
    assert len(early.server.edits()) <= 3 + 1, "capped, but the last one always comes"
    assert all(edit["m.mentions"] == {} == edit["m.new_content"]["m.mentions"] for edit in early.server.edits())
    assert early.server.edits()[-1]["org.otterbot"]["part"] == "chat/1"


async def test_a_long_answer_comes_in_order(early: Rig) -> None:
    request = await early.ask(early.server.say(ROOM, "!chat hello"))
    await placeholder(early)
    early.worker.answer(await early.job(request), LONG)
    assert await early.done(request) == "succeeded"
    shown = early.server.shown()
    assert len(shown) > 2
    assert [content["org.otterbot"]["part"] for content in shown] == [f"chat/{n}" for n in range(1, len(shown) + 1)]
    assert "".join("".join(bodies(early)).split()) == "".join(LONG.split())
    assert len({content["m.relates_to"]["event_id"] for content in shown}) == 1


async def test_a_broken_off_answer_keeps_what_came(rig: Rig) -> None:
    request = await rig.ask(rig.server.say(ROOM, "!chat hello"))
    rig.worker.answer(await rig.job(request), "Otters hold hands\n```py\nbecause", complete=False)
    assert await rig.done(request) == "succeeded"
    assert bodies(rig) == [f"Otters hold hands\n```py\nbecause\n```\n\n{texts.CHAT_BROKE_OFF}"]


async def test_no_text_is_stored(early: Rig) -> None:
    request = await early.ask(early.server.say(ROOM, "!chat canary"))
    job = await early.job(request)
    early.worker.stream(job, "canary answer")
    await early.server.wait(lambda: bodies(early) == ["canary answer …"])
    early.server.limits = [200] * 3
    early.worker.answer(job, "canary answer\n\n" + LONG)
    for _ in range(20):
        for part in (await early.store.parts_of(request.key)).values():
            assert "canary" not in str(part.content)
        await asyncio.sleep(0.02)
    assert await early.done(request) == "succeeded"
    dump = [line async for line in _dump(early)]
    assert not any("canary" in line for line in dump)


async def _dump(rig: Rig) -> AsyncIterator[str]:
    for table in ("requests", "parts", "handled", "rooms", "settings"):
        for row in await rig.db.fetch(f"SELECT * FROM {table}"):
            yield str(tuple(row))


# ---------------------------------------------------------------- what is too long for the room


def said(rig: Rig) -> str:
    """The model's words as they stand in the room, the file's included; without white space."""
    found = []
    for content in rig.server.shown():
        if content["msgtype"] == "m.file":
            found.append(rig.server.media[content["url"]].decode())
        else:
            found.append(content["body"][: content["org.otterbot"]["length"]])
    return "".join("".join(found).split())


async def test_the_rest_of_a_very_long_answer_is_a_file(early: Rig) -> None:
    asked = early.server.say(ROOM, "!chat hello")
    request = await early.ask(asked)
    await placeholder(early)
    early.worker.answer(await early.job(request), VERY_LONG)
    assert await early.done(request) == "succeeded"
    shown = early.server.shown()
    assert said(early) == "".join(VERY_LONG.split()), "nothing is cut"
    assert [content["msgtype"] for content in shown] == ["m.text"] * (len(shown) - 1) + ["m.file"]
    assert shown[-1]["m.relates_to"] == shown[0]["m.relates_to"]
    assert texts.CHAT_GOES_ON in shown[-2]["body"]
    later = await early.ask(early.server.in_thread(asked["event_id"], "go on"))
    heard = [message["content"] for message in (await early.job(later))["request"]["messages"][1:]]
    assert (heard[0], heard[-1]) == ("hello", "go on")
    assert heard[1].startswith("Otter 0 swims")
    assert heard[1].rstrip().endswith("otter 119 sleeps."), "the file is part of it"


async def test_a_very_long_answer_is_remembered_whole_where_the_settings_allow_it(tmp_path: Path) -> None:
    async with rig_in(tmp_path, placeholder_after=60.0, history_characters=200_000) as rig:
        asked = rig.server.say(ROOM, "!chat hello")
        request = await rig.ask(asked)
        rig.worker.answer(await rig.job(request), VERY_LONG[:59_000])
        await rig.done(request)
        [file] = [content for content in rig.server.shown() if content["msgtype"] == "m.file"]
        later = await rig.ask(rig.server.in_thread(asked["event_id"], "go on"))
        answer = (await rig.job(later))["request"]["messages"][2]["content"]
        assert "".join(answer.split()) == "".join(VERY_LONG[:59_000].split())
        rig.worker.answer(await rig.job(later), "Fine.")
        await rig.done(later)
        del rig.server.media[file["url"]]
        last = await rig.ask(rig.server.in_thread(asked["event_id"], "and now?"))
        answer = (await rig.job(last))["request"]["messages"][2]["content"]
        assert answer.endswith(texts.CHAT_REST_UNREADABLE)


async def test_the_plugin_dies_wherever_it_likes_around_the_file(rig: Rig) -> None:
    request = await rig.ask(rig.server.say(ROOM, "!chat hello"))
    job = await rig.job(request)
    rig.server.forget_transactions = True
    rig.worker.answer(job, VERY_LONG)
    await rig.server.wait(lambda: rig.server.media)
    for _ in range(4):  # with the upload made and the message not; with both, and the mark not; …
        await rig.restart()
        await asyncio.sleep(0.05)
    assert await rig.done(request) == "succeeded"
    assert said(rig) == "".join(VERY_LONG.split())
    parts = [content["org.otterbot"]["part"] for content in rig.server.shown()]
    assert parts == [f"chat/{n}" for n in range(1, len(parts) + 1)], "each once"


async def test_a_file_whose_answer_was_lost_is_sent_once(rig: Rig) -> None:
    request = await rig.ask(rig.server.say(ROOM, "!chat hello"))
    rig.server.forget_transactions = True
    rig.server.hold = lambda content: content.get("msgtype") == "m.file"
    rig.worker.answer(await rig.job(request), VERY_LONG)
    await rig.server.wait(lambda: rig.server.held)
    await rig.stop()
    rig.server.hold = lambda content: False
    rig.server.let_go.set()
    await rig.start()
    assert await rig.done(request) == "succeeded"
    assert [content["msgtype"] for content in rig.server.shown()].count("m.file") == 1
    assert len(rig.server.media) == 1


async def test_a_homeserver_that_takes_no_file_is_said(rig: Rig) -> None:
    request = await rig.ask(rig.server.say(ROOM, "!chat hello"))
    rig.server.upload_limit = 1_000
    rig.worker.answer(await rig.job(request), VERY_LONG)
    assert await rig.done(request) == "failed"
    await rig.server.wait(lambda: bodies(rig)[-1] == texts.CHAT_REST_NOT_POSTED)


# ---------------------------------------------------------------- thoughts


async def test_thoughts_are_folded_and_not_remembered(early: Rig) -> None:
    asked = early.server.say(ROOM, "!chat hello")
    request = await early.ask(asked)
    await placeholder(early)
    early.worker.answer(await early.job(request), "Hello.", reasoning="They greet. Secret plan.")
    assert await early.done(request) == "succeeded"
    [content] = early.server.shown()
    assert content["body"] == f"Hello.\n\n{texts.THOUGHTS_FOLDED}"
    assert content["formatted_body"].startswith("<details><summary>Thoughts</summary>They greet. Secret plan.</det")
    later = await early.ask(early.server.in_thread(asked["event_id"], "go on"))
    heard = [message["content"] for message in (await early.job(later))["request"]["messages"][1:]]
    assert heard == ["hello", "Hello.", "go on"]


# ---------------------------------------------------------------- how many events


@pytest.mark.parametrize("a_time", [1, 7])
async def test_an_answer_of_a_thousand_tokens_takes_a_dozen_events(tmp_path: Path, a_time: int) -> None:
    """At the pace of somebody who reads along, and the edits as often as they are worth it."""
    async with rig_in(tmp_path, placeholder_after=0.0, edit_seconds=0.001) as rig:
        request = await rig.ask(rig.server.say(ROOM, "!chat hello"))
        job = await rig.job(request)
        await placeholder(rig)
        words = [f"otter{number % 10} " for number in range(1_000)]
        text = ""
        for place in range(0, 1_000, a_time):
            text += "".join(words[place : place + a_time])
            rig.worker.stream(job, text)
            await asyncio.sleep(0.003 * a_time)
        await rig.server.wait(lambda: len(rig.server.edits()) >= 4)
        rig.worker.answer(job, text)
        assert await rig.done(request) == "succeeded"
        await rig.settled()
        events = [event for event in rig.server.rooms[ROOM] if event["sender"] == "@bot:test"]
        shown = [edit["m.new_content"]["org.otterbot"]["length"] for edit in rig.server.edits()]
        assert len(events) <= 12, [event["type"] for event in events]
        assert shown == sorted(shown)
        assert shown[1] < 1_500, "it begins to grow at once"


# ---------------------------------------------------------------- turns


async def test_the_turns_of_a_thread_run_one_after_another(rig: Rig) -> None:
    first = rig.server.say(ROOM, "!chat one")
    second = rig.server.in_thread(first["event_id"], "two")
    one, two = await rig.ask(first), await rig.ask(second)
    other = await rig.ask(rig.server.say(ROOM, "!chat elsewhere"))
    await rig.job(other)
    job = await rig.job(one)
    assert len(rig.worker.jobs) == 2
    rig.worker.answer(job, "answer one")
    await rig.done(one)
    job = await rig.job(two)
    assert [message["content"] for message in job["request"]["messages"][1:]] == ["one", "answer one", "two"]
    rig.worker.answer(job, "answer two")
    assert await rig.done(two) == "succeeded"


async def test_a_cancelled_turn_lets_the_next_go_on(rig: Rig) -> None:
    first = rig.server.say(ROOM, "!chat one")
    second = rig.server.in_thread(first["event_id"], "two")
    one, two = await rig.ask(first), await rig.ask(second)
    await rig.job(one)
    rig.server.delete(first)
    await rig.delivery.cancelling.redacted(ROOM, first["event_id"])
    assert await rig.done(one) == "cancelled"
    job = await rig.job(two)
    assert [message["content"] for message in job["request"]["messages"][1:]] == ["two"]
    await rig.server.wait(lambda: rig.worker.cancelled == [one.key])


# ---------------------------------------------------------------- no answer


async def test_a_failure_is_one_sentence(rig: Rig) -> None:
    event = rig.server.say(ROOM, "!chat hello")
    request = await rig.ask(event)
    message = "The chat model tiny is not installed. The operator can fetch it with `ollama pull tiny`."
    rig.worker.break_down(await rig.job(request), "chat_model_missing", message)
    assert await rig.done(request) == "failed"
    [content] = await rig.server.wait(rig.server.shown)
    assert "`ollama pull tiny`" in content["body"] or "<code>ollama pull tiny</code>" in content["formatted_body"]
    assert content["msgtype"] == "m.notice"
    assert content["m.relates_to"]["event_id"] == event["event_id"]


async def test_a_failure_takes_the_place_of_the_placeholder(early: Rig) -> None:
    request = await early.ask(early.server.say(ROOM, "!chat hello"))
    job = await early.job(request)
    await placeholder(early)
    early.worker.break_down(job, "ollama_unreachable", "Ollama cannot be reached.")
    assert await early.done(request) == "failed"
    await early.server.wait(lambda: bodies(early) == ["❌ Ollama cannot be reached."])
    assert len(early.server.shown()) == 1


async def test_a_refusal_and_its_placeholder(early: Rig) -> None:
    early.worker.refuse = (503, {"code": "starting"})
    request = await early.ask(early.server.say(ROOM, "!chat hello"))
    await placeholder(early)
    early.worker.refuse = (429, {"code": "queue_full"})
    early.delivery.signals.submit.ring()
    assert await early.done(request) == "refused"
    await early.server.wait(lambda: len(set(bodies(early))) == 1 and len(bodies(early)) == 2)
    assert "queue is full" in bodies(early)[0]


async def test_a_question_that_is_deleted_leaves_nothing_of_its_answer(early: Rig) -> None:
    request = await early.ask(early.server.say(ROOM, "!chat hello"))
    job = await early.job(request)
    early.worker.stream(job, "half")
    await early.server.wait(lambda: bodies(early) == ["half …"])
    await early.delivery.cancelling.cancel([request.key], ROOM)
    assert await early.done(request) == "cancelled"
    await early.server.wait(lambda: bodies(early) == [texts.CANCELLED])


async def test_a_worker_that_is_off_is_said(tmp_path: Path) -> None:
    async with rig_in(tmp_path, placeholder_after=0.3) as rig:
        await rig.worker.stop()
        request = await rig.ask(rig.server.say(ROOM, "!chat hello"))
        await placeholder(rig)
        assert "is off" in bodies(rig)[0]
        await rig.worker.start()
        rig.worker.answer(await rig.job(request), "Hello.")
        assert await rig.done(request) == "succeeded"
        assert bodies(rig) == ["Hello."]


async def test_an_answer_that_the_worker_has_forgotten(rig: Rig) -> None:
    request = await rig.ask(rig.server.say(ROOM, "!chat hello"))
    job = await rig.job(request)
    job["turn"] |= {"state": "succeeded", "text": ""}
    rig.worker.changed(job)
    assert await rig.done(request) == "failed"
    await rig.server.wait(lambda: bodies(rig) == [texts.CHAT_FORGOTTEN])


# ---------------------------------------------------------------- crashes


async def test_the_plugin_dies_while_the_answer_grows(early: Rig) -> None:
    request = await early.ask(early.server.say(ROOM, "!chat hello"))
    job = await early.job(request)
    early.worker.stream(job, "half")
    await early.server.wait(lambda: bodies(early) == ["half …"])
    await early.stop()
    early.worker.answer(job, "The whole answer.")
    await early.start()
    assert await early.done(request) == "succeeded"
    assert bodies(early) == ["The whole answer."]


async def test_an_answer_of_the_homeserver_is_lost(early: Rig) -> None:
    request = await early.ask(early.server.say(ROOM, "!chat hello"))
    job = await early.job(request)
    await placeholder(early)
    early.server.forget_transactions = True
    early.server.swallow = 2
    early.worker.answer(job, LONG)
    assert await early.done(request) == "succeeded"
    shown = early.server.shown()
    assert [content["org.otterbot"]["part"] for content in shown] == [f"chat/{n}" for n in range(1, len(shown) + 1)]
    final = [edit for edit in early.server.edits() if edit["org.otterbot"]["part"] == "chat/1"]
    assert len(final) == 1


async def test_the_plugin_dies_between_two_pieces(rig: Rig) -> None:
    request = await rig.ask(rig.server.say(ROOM, "!chat hello"))
    job = await rig.job(request)
    rig.server.forget_transactions = True
    rig.worker.answer(job, LONG)
    seen = 0
    while True:
        await rig.server.wait(lambda seen=seen: len(bodies(rig)) > seen)
        seen = len(bodies(rig))
        await rig.restart()
        stored = await rig.store.request(request.key)
        if stored is not None and not stored.open:
            break
        if seen >= 3:
            break
    assert await rig.done(request) == "succeeded"
    parts = [content["org.otterbot"]["part"] for content in rig.server.shown()]
    assert parts == [f"chat/{n}" for n in range(1, len(parts) + 1)]
    assert "".join("".join(bodies(rig)).split()) == "".join(LONG.split())


async def test_the_worker_forgets_a_turn(early: Rig) -> None:
    request = await early.ask(early.server.say(ROOM, "!chat hello"))
    await early.job(request)
    await placeholder(early)
    await early.worker.stop()
    early.worker.forget()
    await early.worker.start()
    await early.server.wait(lambda: early.worker.jobs)
    early.worker.answer(await early.job(request), "Hello again.")
    assert await early.done(request) == "succeeded"
    assert bodies(early) == ["Hello again."]


async def test_an_answer_may_not_be_posted(rig: Rig) -> None:
    request = await rig.ask(rig.server.say(ROOM, "!chat hello"))
    job = await rig.job(request)
    rig.server.forbidden.add(ROOM)
    rig.worker.answer(job, "Hello.")
    assert await rig.done(request) == "failed"
    assert bodies(rig) == []


async def test_an_answer_that_is_being_sent_goes_with_its_question(early: Rig) -> None:
    request = await early.ask(early.server.say(ROOM, "!chat hello"))
    job = await early.job(request)
    early.worker.stream(job, "half")
    await early.server.wait(lambda: bodies(early) == ["half …"])
    early.server.hold = lambda content: content.get("org.otterbot", {}).get("part") == "chat/1"
    early.worker.answer(job, "The whole answer.")
    await early.server.wait(lambda: early.server.held)
    await early.delivery.cancelling.redacted(ROOM, request.event_id)
    early.server.let_go.set()
    [answer] = [event for event in early.server.of_bot(ROOM) if early.server.hold(event["content"])]
    redactions = early.server.of_bot
    await early.server.wait(lambda: answer["event_id"] in [e["redacts"] for e in redactions(ROOM, "m.room.redaction")])
    await early.server.wait(lambda: bodies(early) == [texts.CANCELLED])
