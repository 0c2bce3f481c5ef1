"""What comes from the rooms: once, in order, not from before, whatever way it takes."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest
from homeserver_double import BOT
from listening import Listening
from plugin_rig import ROOM, Rig
from worker_double import WorkerDouble

from otterbot import texts


async def test_a_message_is_handled_once_whatever_way_it_comes(listening: Listening) -> None:
    event = listening.rig.server.say(ROOM, "!say one")
    await listening.sync(event)
    await listening.sync(event, limited=True)
    await listening.events.on_sync_error({})
    await listening.sync()
    await listening.hear("!say one")
    await asyncio.sleep(0.3)
    assert listening.heard == ["!say one"]
    assert listening.rig.bodies() == ["!say one"]


async def test_not_again_after_a_restart(listening: Listening, rig: Rig) -> None:
    await listening.sync(rig.server.say(ROOM, "!say one"))
    await rig.until(rig.bodies)
    await listening.events.stop()
    again = Listening(rig)
    again.start()
    missed = rig.server.say(ROOM, "!say two")
    await again.sync(missed)
    await again.hear("!say two")
    await rig.until(lambda: len(rig.bodies()) == 2)
    assert rig.bodies() == ["!say one", "!say two"]
    await again.events.stop()


async def test_what_came_while_nobody_listened_is_found(rig: Rig) -> None:
    for number in range(250):
        rig.server.say(ROOM, f"chatter {number}")
    rig.server.say(ROOM, "!say one")
    for number in range(250):
        rig.server.say("!other:test", f"!say {number}")
    late = Listening(rig)
    late.start()
    await rig.until(lambda: len(late.heard) == 251, 20)
    await late.events.stop()
    assert [word for word in late.heard if word != "!say one"] == [f"!say {number}" for number in range(250)]


async def test_in_order(listening: Listening) -> None:
    listening.slow = 0.02
    events = [listening.rig.server.say(ROOM, f"!say {number}") for number in range(5)]
    await listening.sync(*events)
    await listening.hear(*(f"!say {number}" for number in range(5)))


async def test_a_fresh_database_does_not_run_old_commands(rig: Rig) -> None:
    old = rig.server.say(ROOM, "!say old")
    old["origin_server_ts"] -= 60_000
    rig.server.say(ROOM, "!say new")
    late = Listening(rig)
    late.start()
    await late.hear("!say new")
    await late.events.stop()


async def test_too_old_is_not_answered(listening: Listening, rig: Rig) -> None:
    rig.store.installed_at -= 100 * 3600
    old = rig.server.say(ROOM, "!say old")
    old["origin_server_ts"] -= 25 * 3600 * 1000
    recent = rig.server.say(ROOM, "!say recent")
    recent["origin_server_ts"] -= 23 * 3600 * 1000
    await listening.sync(old, recent)
    await listening.hear("!say recent")


async def test_what_was_said_before_the_bot_came_is_not_meant_for_it(listening: Listening, rig: Rig) -> None:
    before = rig.server.say(ROOM, "!say before")
    before["origin_server_ts"] -= 5_000
    rig.store.installed_at -= 3600
    join = rig.server.add(ROOM, BOT, "m.room.member", {"membership": "join"}, state_key=BOT)
    after = rig.server.say(ROOM, "!say after")
    await listening.sync(before, join, after)
    await listening.hear("!say after")
    await rig.until(lambda: len(rig.bodies()) == 2)
    assert any("Otterbot" in body for body in rig.bodies())
    await listening.sync(join)
    await asyncio.sleep(0.2)
    assert len(rig.bodies()) == 2, "it says hello once"


async def test_an_exception_becomes_a_sentence_and_leaves_no_words_in_the_log(
    listening: Listening, rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    await listening.sync(rig.server.say(ROOM, "!fail secret words"))
    [said] = await rig.until(rig.bodies)
    assert said == texts.INTERNAL
    assert "RuntimeError" in caplog.text
    assert "secret words" not in caplog.text


async def test_own_messages_notices_and_chatter_are_nothing(listening: Listening, rig: Rig) -> None:
    await listening.sync(
        rig.server.say(ROOM, "!say a", sender=BOT),
        rig.server.say(ROOM, "!say b", msgtype="m.notice"),
        rig.server.say(ROOM, "hello"),
        rig.server.say(ROOM, "!say c"),
    )
    await listening.hear("!say c")


ODD: list[Any] = [None, 5, "x", [], {}, {"type": 5}, {"type": "m.room.message"}, {"type": "m.room.encrypted"},
                  {"type": "m.room.redaction", "event_id": "$x", "sender": 5}]  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
async def test_malformed_syncs_are_survived(listening: Listening, rig: Rig, odd: Any) -> None:
    for data in (odd, {"rooms": odd}, {"rooms": {"join": odd}}, {"rooms": {"join": {ROOM: odd}}, "invite": odd}):
        await listening.events.on_sync({"data": data})
    await listening.events.on_sync(odd)
    await listening.sync(odd, rig.server.say(ROOM, "!say after"))
    await listening.hear("!say after")


async def submitted(listening: Listening, rig: Rig, body: str) -> dict[str, Any]:
    """A command that waits at the worker."""
    rig.worker_server.auto = False
    command = rig.server.say(ROOM, body)
    await listening.sync(command)
    await rig.until(lambda: rig.worker_server.jobs)
    return command


async def test_deleting_the_command_cancels_it(listening: Listening, rig: Rig, worker_server: WorkerDouble) -> None:
    command = await submitted(listening, rig, "!draw x")
    redaction = rig.server.add(ROOM, "@user:test", "m.room.redaction", {"redacts": command["event_id"]})
    await listening.sync(redaction)
    await rig.until(lambda: worker_server.cancelled)


async def test_a_state_event_deletes_nothing(listening: Listening, rig: Rig, worker_server: WorkerDouble) -> None:
    """It has the type of a deletion, and no client shows it."""
    command = await submitted(listening, rig, "!draw x")
    false = rig.server.add(ROOM, "@user:test", "m.room.redaction", {"redacts": command["event_id"]}, state_key="")
    await listening.sync(false, rig.server.say(ROOM, "!say after"))
    await rig.until(lambda: "!say after" in listening.heard)
    assert not worker_server.cancelled


async def test_an_edit_while_it_waits_asks_anew(listening: Listening, rig: Rig, worker_server: WorkerDouble) -> None:
    command = await submitted(listening, rig, "!draw a")
    await asyncio.sleep(0.1)
    await listening.sync(edit(rig, command, "!draw b"))
    await rig.until(lambda: len(worker_server.submissions) == 2)
    await rig.until(lambda: len(worker_server.cancelled) == 1)
    assert worker_server.submissions[1]["request"]["prompt"] == "b"
    worker_server.draw_all(worker_server.by_key(worker_server.submissions[1]["key"]))
    await rig.until(lambda: rig.server.pictures(ROOM))
    assert len(rig.server.pictures(ROOM)) == 1


async def test_a_late_edit_undoes_no_later_one(listening: Listening, rig: Rig, worker_server: WorkerDouble) -> None:
    command = await submitted(listening, rig, "!draw a")
    await asyncio.sleep(0.1)
    late, last = edit(rig, command, "!draw b"), edit(rig, command, "!draw c")
    late["origin_server_ts"] -= 50
    await listening.sync(last)
    await rig.until(lambda: len(worker_server.submissions) == 2)
    await asyncio.sleep(0.1)
    await listening.sync(late, rig.server.say(ROOM, "!say after"))
    await rig.until(lambda: "!say after" in listening.heard)
    assert listening.heard == ["!draw a", "!draw c", "!say after"]


async def test_a_message_that_comes_behind_its_edit(
    listening: Listening, rig: Rig, worker_server: WorkerDouble
) -> None:
    """The edit says what is to be drawn, and stands in the room."""
    worker_server.auto = False
    late = rig.server.say(ROOM, "!draw a")
    await listening.sync(edit(rig, late, "!draw b"))
    await rig.until(lambda: worker_server.jobs)
    await listening.sync(late, rig.server.say(ROOM, "!say after"))
    await rig.until(lambda: "!say after" in listening.heard)
    assert listening.heard == ["!draw b", "!say after"]


async def test_an_edit_stays_in_its_thread(listening: Listening, rig: Rig, worker_server: WorkerDouble) -> None:
    """Clients do not repeat the relation in what replaces the message."""
    worker_server.auto = False
    relates = {"rel_type": "m.thread", "event_id": "$root", "m.in_reply_to": {"event_id": "$reply"}}
    command = rig.server.say(ROOM, "!draw a", **{"m.relates_to": relates})
    await listening.sync(command)
    await listening.hear("!draw a")
    await listening.sync(edit(rig, command, "!draw b"))
    await listening.hear("!draw a", "!draw b")
    first, second = listening.messages
    assert (second.thread_root, second.reply_to) == (first.thread_root, first.reply_to) == ("$root", "$reply")


async def test_a_later_edit_gets_a_sentence(listening: Listening, rig: Rig) -> None:
    command = rig.server.say(ROOM, "!draw a")
    await listening.sync(command)
    await rig.until(lambda: rig.server.pictures(ROOM))
    await listening.sync(edit(rig, command, "!draw b"))
    offer = texts.edit_offer("again --prompt b", "!").replace("`", "")
    await rig.until(lambda: offer in [body.replace("`", "") for body in rig.bodies()])
    assert len(rig.server.pictures(ROOM)) == 1
    said = len(rig.bodies())
    await listening.sync(edit(rig, command, "!draw c"), edit(rig, command, "!draw d"), rig.server.say(ROOM, "!say e"))
    await rig.until(lambda: "!say e" in rig.bodies())
    assert len(rig.bodies()) == said + 1, "it is said once"


@pytest.mark.parametrize("body", ["!draw a", "!say b", "talk"])
async def test_an_edit_without_other_words_is_offered_nothing(listening: Listening, rig: Rig, body: str) -> None:
    command = rig.server.say(ROOM, "!draw a")
    await listening.sync(command)
    await rig.until(lambda: rig.server.pictures(ROOM))
    await listening.sync(edit(rig, command, body))
    await rig.until(lambda: texts.EDIT_TOO_LATE in rig.bodies())


async def test_an_edit_can_make_a_message_a_command(listening: Listening, rig: Rig) -> None:
    message = rig.server.say(ROOM, "drwa x")
    await listening.sync(message, edit(rig, message, "!draw x"))
    await rig.until(lambda: rig.server.pictures(ROOM))


async def test_somebody_elses_edit_changes_nothing(listening: Listening, rig: Rig, worker_server: WorkerDouble) -> None:
    command = await submitted(listening, rig, "!draw a")
    await listening.sync(edit(rig, command, "!draw b", sender="@other:test"))
    await asyncio.sleep(0.3)
    assert len(worker_server.submissions) == 1


async def test_somebody_elses_edit_makes_nothing_a_command(listening: Listening, rig: Rig) -> None:
    """No client shows such an edit; a command of it would be one that nobody sees."""
    message = rig.server.say(ROOM, "hello")
    await listening.sync(message, edit(rig, message, "!say one", sender="@other:test"))
    nowhere = {**message, "event_id": "$nowhere"}
    await listening.sync(edit(rig, nowhere, "!say two"), rig.server.say(ROOM, "!say three"))
    await rig.until(rig.bodies)
    await asyncio.sleep(0.2)
    assert rig.bodies() == ["!say three"]


async def test_an_edit_of_an_edit_is_none(listening: Listening, rig: Rig) -> None:
    message = rig.server.say(ROOM, "hello")
    once = edit(rig, message, "hello again")
    await listening.sync(message, once, edit(rig, once, "!say one"), rig.server.say(ROOM, "!say two"))
    await rig.until(rig.bodies)
    await asyncio.sleep(0.2)
    assert rig.bodies() == ["!say two"]


async def test_an_edit_makes_a_command_where_its_message_stands(listening: Listening, rig: Rig) -> None:
    relates = {"rel_type": "m.thread", "event_id": "$root", "m.in_reply_to": {"event_id": "$reply"}}
    message = rig.server.say(ROOM, "hello", **{"m.relates_to": relates})
    await listening.sync(message, edit(rig, message, "!say one"))
    await listening.hear("!say one")
    assert (listening.messages[0].thread_root, listening.messages[0].reply_to) == ("$root", "$reply")


@pytest.mark.parametrize("outcome", ["refused", "expired"])
async def test_an_edit_after_a_refusal_is_a_new_attempt(
    listening: Listening, rig: Rig, worker_server: WorkerDouble, outcome: str
) -> None:
    command = await submitted(listening, rig, "!draw a")
    [key] = [job["key"] for job in worker_server.jobs.values()]
    live = rig.delivery.active(key)
    assert live is not None
    await rig.delivery._completion.end_with(live, outcome, "No.")
    await listening.sync(edit(rig, command, "!draw b"))
    await rig.until(lambda: len(worker_server.submissions) == 2)
    assert texts.EDIT_TOO_LATE not in rig.bodies()


async def test_anybody_can_send_what_looks_encrypted(listening: Listening, rig: Rig) -> None:
    """In a plain room the bot goes on speaking; nobody can make it believe that it has to encrypt."""
    fake = {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "AwgA", "session_id": "none", "sender_key": "x"}
    await listening.sync(rig.server.add(ROOM, "@other:test", "m.room.encrypted", fake), rig.server.say(ROOM, "!draw x"))
    await rig.until(lambda: rig.server.pictures(ROOM))


@pytest.mark.parametrize("bad", ["\ud800", "$" + "x" * 300, "", 5, "$a b\n", "no-dollar", {"a": 1}])
async def test_relations_to_what_can_be_no_event(listening: Listening, rig: Rig, bad: Any) -> None:
    """They become parts of addresses and rows: neither may fail over them, or hold up the room."""
    thread = {"rel_type": "m.thread", "event_id": bad, "m.in_reply_to": {"event_id": bad}}
    await listening.sync(rig.server.say(ROOM, "!draw x", **{"m.relates_to": thread}))
    [picture] = await rig.until(lambda: rig.server.pictures(ROOM))
    assert "rel_type" not in picture["content"]["m.relates_to"]


@pytest.mark.parametrize("ahead", [-7200.0, 7200.0, 50 * 3600.0])
async def test_clocks_that_differ(
    rig: Rig, worker_server: WorkerDouble, ahead: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The homeserver's times are compared with the homeserver's time."""
    real = time.time
    rig.server.clock = lambda: real() - ahead
    await rig.http.joined_rooms()
    listening = Listening(rig)
    listening.start()
    join = rig.server.add(ROOM, BOT, "m.room.member", {"membership": "join"}, state_key=BOT)
    await listening.sync(join, rig.server.say(ROOM, "!say one"))
    await rig.until(lambda: len(rig.bodies()) == 2)
    assert "!say one" in rig.bodies(), "and it said hello"
    await listening.events.stop()


async def test_a_clock_that_was_ahead_when_the_bot_was_installed(listening: Listening, rig: Rig) -> None:
    rig.store.installed_at = time.time() + 365 * 86400
    await listening.sync(rig.server.say(ROOM, "!say one"))
    await listening.hear("!say one")


async def test_what_could_not_be_handled_is_found_again(
    listening: Listening, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database was away for longer than anybody waits."""
    monkeypatch.setattr("otterbot.waiting.TRIES", 1)
    monkeypatch.setattr("otterbot.waiting.FIRST", 0.01)
    commit, down = rig.store.commit, True

    async def failing(what: Any) -> Any:
        if down:
            raise OSError("locked")
        return await commit(what)

    monkeypatch.setattr(rig.store, "commit", failing)
    await listening.sync(rig.server.say(ROOM, "!say one"))
    await listening.hear("!say one")
    await asyncio.sleep(0.3)
    down = False
    await listening.sync()
    await rig.until(lambda: rig.bodies() == ["!say one"])


def edit(rig: Rig, event: dict[str, Any], body: str, sender: str = "@user:test") -> dict[str, Any]:
    new = {"msgtype": "m.text", "body": body}
    relation = {"rel_type": "m.replace", "event_id": event["event_id"]}
    return rig.server.say(ROOM, f"* {body}", sender, **{"m.new_content": new, "m.relates_to": relation})


async def test_invitations_only_by_those_who_may(listening: Listening) -> None:
    def invite(sender: str) -> dict[str, Any]:
        member = {"type": "m.room.member", "state_key": BOT, "sender": sender, "content": {"membership": "invite"}}
        return {"invite_state": {"events": [member]}}

    await listening.sync(invite={"!a:x": invite("@friend:test"), "!b:x": invite("@stranger:elsewhere")})
    await listening.rig.until(lambda: listening.joined)
    await asyncio.sleep(0.1)
    assert listening.joined == ["!a:x"]


async def test_a_message_whose_commit_fails_is_tried_again(
    listening: Listening, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, failures = rig.store.commit, [OSError("locked"), OSError("locked")]

    async def failing(what: Any) -> Any:
        if failures:
            raise failures.pop()
        return await commit(what)

    monkeypatch.setattr(rig.store, "commit", failing)
    await listening.sync(rig.server.say(ROOM, "!say one"))
    await rig.until(lambda: rig.bodies() == ["!say one"])


async def test_stop_ends_every_task(listening: Listening, rig: Rig) -> None:
    listening.slow = 30.0
    await listening.sync(rig.server.say(ROOM, "!say slow"))
    await rig.until(lambda: listening.heard)
    started = time.monotonic()
    await listening.events.stop()
    assert time.monotonic() - started < 15, "half of what it would take"
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "otterbot room"]
    assert not await rig.store.is_handled("$event1"), "it is handled after the next start"
    assert replace(rig.values) == rig.values


async def test_comings_and_goings_are_told(listening: Listening, rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who believes to know how many there are in a room asks again."""
    told: list[str] = []
    monkeypatch.setattr(listening.events, "_members_changed", told.append)
    gone = rig.server.add(ROOM, "@other:test", "m.room.member", {"membership": "leave"}, state_key="@other:test")
    await listening.sync(rig.server.say(ROOM, "hello"))
    assert not told
    await listening.sync(gone)
    assert told == [ROOM]
