"""A message of which nothing is accepted gets ❌, once, whatever is done with it afterwards."""

from __future__ import annotations

from typing import Any

from homeserver_double import BOT
from listening import Listening
from plugin_rig import ROOM, Rig
from worker_double import WorkerDouble

from otterbot.store.part_names import REFUSED
from otterbot.store.rows import PartState, key_of


def edit(rig: Rig, event: dict[str, Any], body: str) -> dict[str, Any]:
    content = {
        "msgtype": "m.text", "body": f"* {body}", "m.new_content": {"msgtype": "m.text", "body": body},
        "m.relates_to": {"rel_type": "m.replace", "event_id": event["event_id"]},
    }  # fmt: skip
    return rig.server.add(ROOM, event["sender"], "m.room.message", content)


def standing(rig: Rig) -> list[str]:
    """The reactions of the bot that are not taken back."""
    gone = {
        event.get("redacts") or event["content"].get("redacts") for event in rig.server.of_bot(ROOM, "m.room.redaction")
    }
    reactions = [event for event in rig.server.of_bot(ROOM, "m.reaction") if event["event_id"] not in gone]
    return [event["content"]["m.relates_to"]["key"] for event in reactions]


async def test_a_refusal_is_a_sentence_and_a_mark(listening: Listening, rig: Rig) -> None:
    asked = rig.server.say(ROOM, "!refuse that")
    await listening.sync(asked, rig.server.say(ROOM, "!say hello"))
    await rig.until(lambda: standing(rig) == ["❌"])
    await rig.until(lambda: rig.bodies() == ["!refuse that", "!say hello"])
    [mark] = rig.server.of_bot(ROOM, "m.reaction")
    assert mark["content"]["m.relates_to"]["event_id"] == asked["event_id"]


async def test_what_breaks_is_marked_too(listening: Listening, rig: Rig) -> None:
    await listening.sync(rig.server.say(ROOM, "!fail"))
    await rig.until(lambda: standing(rig) == ["❌"] and rig.bodies())


async def test_an_edit_that_is_refused_again_adds_none(listening: Listening, rig: Rig) -> None:
    asked = rig.server.say(ROOM, "!refuse a")
    await listening.sync(asked, edit(rig, asked, "!refuse b"), edit(rig, asked, "!refuse c"))
    await rig.until(lambda: len(rig.bodies()) == 3)
    await rig.until(lambda: standing(rig) == ["❌"])
    assert rig.reactions() == ["❌"]


async def test_an_edit_that_mends_it_takes_the_mark_away(listening: Listening, rig: Rig) -> None:
    asked = rig.server.say(ROOM, "!refuse a")
    await listening.sync(asked)
    await rig.until(lambda: standing(rig) == ["❌"])
    await listening.sync(edit(rig, asked, "!draw b"))
    await rig.until(lambda: standing(rig) == ["✅"])
    assert rig.seeds() == [7]
    await listening.sync(edit(rig, asked, "!refuse c"), rig.server.say(ROOM, "!say d"))
    await rig.until(lambda: rig.bodies()[-1] == "!say d")
    assert standing(rig) == ["✅"], "its picture has come"


async def test_a_mark_that_waits_is_not_sent_for_what_was_mended_meanwhile(
    listening: Listening, rig: Rig, worker_server: WorkerDouble
) -> None:
    rig.server.limits = [300] * 4
    asked = rig.server.say(ROOM, "!refuse a")
    await listening.sync(asked, edit(rig, asked, "!draw b"))
    await rig.until(lambda: worker_server.jobs)
    part = await rig.store.part(key_of(BOT, ROOM, asked["event_id"]), REFUSED)
    assert part is not None
    assert part.state is PartState.DROPPED
    await rig.until(lambda: "✅" in standing(rig))
    assert "❌" not in rig.reactions()


async def test_an_edit_of_what_is_drawn_is_refused_without_a_mark(
    listening: Listening, rig: Rig, worker_server: WorkerDouble
) -> None:
    worker_server.auto = False
    asked = rig.server.say(ROOM, "!draw a")
    await listening.sync(asked)
    await rig.until(lambda: worker_server.jobs)
    await listening.sync(edit(rig, asked, "!refuse b"))
    await rig.until(lambda: "!refuse b" in rig.bodies())
    worker_server.auto = True
    worker_server.draw_all(next(iter(worker_server.jobs.values())))
    await rig.until(lambda: standing(rig) == ["✅"])
    assert "❌" not in rig.reactions()


async def test_a_restart_in_between_sends_it_once(listening: Listening, rig: Rig) -> None:
    await listening.events.stop()
    again = Listening(rig)
    again.start()
    asked = rig.server.say(ROOM, "!refuse a")
    await again.sync(asked)
    await rig.until(lambda: standing(rig) == ["❌"])
    await again.events.stop()
    await rig.restart()
    third = Listening(rig)
    third.start()
    await third.sync(asked, rig.server.say(ROOM, "!say b"))
    await rig.until(lambda: rig.bodies()[-1] == "!say b")
    assert rig.reactions() == ["❌"]
    await third.events.stop()
