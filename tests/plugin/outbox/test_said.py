"""A database out of a backup, and one that a crash left: what the room says decides what is still to be said."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from backups import backed_up, handled, listening_again, quiet, restored
from homeserver_double import BOT
from listening import Listening
from plugin_rig import ROOM, Rig

from otterbot.matrix import event_content
from otterbot.store.rows import Request


def said(rig: Rig) -> Counter[tuple[str, str]]:
    ours = [*rig.server.of_bot(ROOM), *rig.server.of_bot(ROOM, "m.reaction")]
    marks = [event["content"]["org.otterbot"] for event in ours]
    return Counter((mark["key"], mark["part"]) for mark in marks)


async def waiting_at_the_backup(rig: Rig) -> tuple[Request, Path]:
    rig.worker_server.auto = False
    request = await rig.ask()
    await rig.until(lambda: rig.worker_server.jobs)
    await rig.until(lambda: rig.reactions() == ["⏳"])
    return request, backed_up(rig)


async def delivered(rig: Rig, request: Request) -> Counter[tuple[str, str]]:
    rig.worker_server.draw_all(rig.worker_server.by_key(request.key))
    await rig.done(request)
    await quiet(rig)
    return said(rig)


Since = Callable[[Rig], Awaitable[None]]


async def deleted(rig: Rig) -> None:
    """Of an encrypted room, the worker deletes what was delivered."""
    rig.worker_server.images.clear()


async def forgotten(rig: Rig) -> None:
    rig.worker_server.forget()


async def refusing(rig: Rig) -> None:
    """It has forgotten everything, and its queue is full."""
    rig.worker_server.forget()
    rig.worker_server.refuse = (429, {"code": "queue_full"})


@pytest.mark.parametrize("since", [deleted, forgotten, refusing])
async def test_a_request_that_ended_since_the_backup_is_left_alone(rig: Rig, since: Since) -> None:
    request, backup = await waiting_at_the_backup(rig)
    before = await delivered(rig, request)
    await since(rig)
    rig.worker_server.auto = True
    await restored(rig, backup)
    await quiet(rig)
    assert said(rig) == before
    assert len(rig.server.pictures(ROOM)) == 1


async def test_no_status_stands_below_a_picture_of_then(rig: Rig) -> None:
    """The worker is off, so the request seems to wait for it."""
    rig.values = replace(rig.values, status=replace(rig.values.status, after_seconds=0.3))
    request, backup = await waiting_at_the_backup(rig)
    before = await delivered(rig, request)
    await rig.worker_server.stop()
    await restored(rig, backup)
    await asyncio.sleep(1.0)
    assert said(rig) == before


async def test_nothing_is_decided_while_the_room_cannot_be_read(rig: Rig) -> None:
    request, backup = await waiting_at_the_backup(rig)
    before = await delivered(rig, request)
    await deleted(rig)
    rig.server.read_limits = [50] * 6
    await restored(rig, backup)
    await quiet(rig)
    assert rig.server.read_limits == []
    assert said(rig) == before


async def test_a_message_that_is_found_again_is_answered_once(rig: Rig) -> None:
    """It is not in the database of then at all, and the walk finds it."""
    event = rig.server.say(ROOM, "!draw an otter")
    backup = backed_up(rig)
    listening = Listening(rig)
    listening.start()
    await rig.until(lambda: rig.server.pictures(ROOM))
    await quiet(rig)
    before = said(rig)
    again = await listening_again(rig, listening, backup, event["event_id"])
    assert said(rig) == before
    await again.events.stop()


async def test_an_answer_of_then_stands_for_no_question_of_now(rig: Rig) -> None:
    """The second one was asked when the first one had been answered, and the database of then knows neither."""
    rig.server.say(ROOM, "!say hello")
    backup = backed_up(rig)
    listening = Listening(rig)
    listening.start()
    await rig.until(rig.bodies)
    await quiet(rig)
    await listening.events.stop()
    second = rig.server.say(ROOM, "!say hello")
    await restored(rig, backup)
    again = Listening(rig)
    again.start()
    await rig.until(lambda: handled(rig, second["event_id"]))
    await quiet(rig)
    assert rig.bodies() == ["!say hello"] * 2
    assert rig.reactions() == []
    await again.events.stop()


async def test_what_the_database_knows_to_be_owed_is_said_after_a_crash(rig: Rig) -> None:
    """The ❌ stands there already, by then; the sentence that says why does not, and comes."""
    rig.worker_server.auto = False
    request = await rig.ask()
    await rig.until(lambda: rig.worker_server.jobs and rig.reactions() == ["⏳"])
    await rig.stop()
    with closing(sqlite3.connect(rig.path)) as database, database:
        database.execute("UPDATE requests SET state = 'done', outcome = 'failed', done_at = created_at")
        database.execute(
            "INSERT INTO parts (key, part, room_id, kind, rank, state, content, acked, delete_owed, updated_at) "
            "VALUES (?, 'final', ?, 'message', 10, 'ready', ?, 0, 0, ?)",
            (request.key, ROOM, json.dumps({"msgtype": "m.notice", "body": "❌ It broke."}), request.created_at),
        )
    rig.server.add(ROOM, BOT, "m.reaction", event_content.reaction(request.key, "done", request.event_id, "❌"))
    await rig.run()
    await quiet(rig)
    assert rig.bodies() == ["❌ It broke."]
