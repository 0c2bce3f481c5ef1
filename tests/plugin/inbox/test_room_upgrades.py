"""A room is upgraded while requests are open: their pictures come into the new one, once."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from backups import backed_up, listening_again, moved, quiet, restored
from homeserver_double import BOT
from listening import Listening
from plugin_rig import ROOM, Rig

from otterbot import texts
from otterbot.outbox import room_watch
from otterbot.requests.following import CHOSEN
from otterbot.store.rows import Part, Request, follow_key

NEW = "!new:test"
NEWER = "!newer:test"
FOR = texts.asked_in_the_room_before("@user:test")


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_watch, "BACKOFF", (0.05,))


def upgrade(rig: Rig, old: str = ROOM, new: str = NEW) -> None:
    """As ``/upgrade`` does it: only moderators may speak in the old room."""
    rig.server.upgrade(old, new)
    rig.server.forbidden.add(old)


def hear(rig: Rig, room: str = ROOM) -> None:
    """The tombstone comes by the sync."""
    rig.upgrades.heard(room, rig.server.state[room, "m.room.tombstone", ""])


async def drawing(rig: Rig, **more: Any) -> tuple[Request, dict[str, Any]]:
    rig.server.create(ROOM)
    rig.worker_server.auto = False
    request = await rig.ask(**more)
    await rig.until(lambda: rig.worker_server.jobs and rig.reactions() == ["⏳"])
    return request, rig.worker_server.by_key(request.key)


async def test_a_picture_comes_into_the_new_room(rig: Rig) -> None:
    request, job = await drawing(rig)
    upgrade(rig)
    hear(rig)
    await moved(rig, request)
    rig.worker_server.draw_all(job)
    assert (await rig.done(request)).outcome == "succeeded"
    [event] = rig.server.pictures(NEW)
    assert rig.seeds() == []
    assert "m.relates_to" not in event["content"], "a reply does not reach into another room"
    assert event["content"]["body"].startswith(f"{FOR}\n\n")
    assert event["content"]["m.mentions"] == {}
    assert rig.worker_server.cancelled == []


@pytest.mark.parametrize("larger", [False, True])
async def test_what_follows_from_it_comes_there_too(rig: Rig, larger: bool) -> None:
    """`2, 3`, and `!upscale 2`, of which the second begins with the picture that came into the new room."""
    follows = {"prompt": "a fox", "seed": 9} | ({"init_image": {"event": CHOSEN}} if larger else {})
    request, job = await drawing(rig, body={"then": {"body": follows, "asked": {"seed": 9}, "notes": []}})
    upgrade(rig)
    hear(rig)
    await moved(rig, request)
    rig.worker_server.draw_all(job)
    assert (await rig.done(request)).outcome == "succeeded"
    second = await rig.store.request(follow_key(request.key))
    assert second is not None
    assert (second.room_id, second.origin) == (NEW, ROOM)
    await rig.until(lambda: second.key in rig.worker_server.bodies)
    rig.worker_server.draw_all(rig.worker_server.by_key(second.key))
    assert (await rig.done(second)).outcome == "succeeded"
    assert (rig.seeds(NEW), rig.seeds()) == ([7, 9], [])
    assert ("init_image" in rig.worker_server.by_key(second.key)["request"]) is larger


async def test_it_is_found_out_without_news_by_the_sync(rig: Rig) -> None:
    request, job = await drawing(rig)
    upgrade(rig)
    rig.worker_server.draw_all(job)
    assert (await rig.done(request)).outcome == "succeeded"
    assert (rig.seeds(NEW), rig.seeds()) == ([7], [])


async def test_it_is_found_out_after_a_restart(rig: Rig) -> None:
    request, _ = await drawing(rig)
    await rig.stop()
    rig.server.upgrade(ROOM, NEW)  # and the bot might still speak in the old room
    rig.server.set_state(ROOM, "m.room.power_levels", {})
    await rig.run()
    await moved(rig, request)
    await rig.until(lambda: rig.worker_server.by_key(request.key))
    rig.worker_server.draw_all(rig.worker_server.by_key(request.key))
    await rig.done(request)
    assert (rig.seeds(NEW), rig.seeds()) == ([7], [])
    await rig.until(lambda: rig.reactions() == ["⏳", "✅"])


@pytest.mark.parametrize("arrived", [True, False])
async def test_what_may_have_been_sent_is_looked_for_in_the_old_room(rig: Rig, arrived: bool) -> None:
    rig.server.forget_transactions = True
    request, job = await drawing(rig)
    if arrived:
        rig.server.hold = lambda content: content.get("msgtype") == "m.image"
        rig.worker_server.draw_all(job)
        await rig.until(lambda: rig.server.held)
        await rig.stop()
        rig.server.let_go.set()
    else:
        await rig.stop()  # behind the mark, before the request went out
        rig.worker_server.draw_all(job)
        await rig.start()
        image = job["pictures"][0]["result"]["image_id"]
        await rig.store.add_part(Part(key=request.key, part="picture/0", room_id=ROOM, rank=0, image_id=image))
        assert await rig.store.mark_sending(request.key, "picture/0")
        await rig.stop()
    upgrade(rig)
    await rig.run()
    assert (await rig.done(request)).outcome == "succeeded"
    assert (rig.seeds(), rig.seeds(NEW)) == (([7], []) if arrived else ([], [7]))


async def test_a_send_is_under_way_while_the_room_is_closed(rig: Rig) -> None:
    request, job = await drawing(rig)
    rig.server.hold = lambda content: content.get("msgtype") == "m.image"
    rig.worker_server.draw_all(job)
    await rig.until(lambda: rig.server.held)
    upgrade(rig)
    hear(rig)
    await moved(rig, request)
    rig.server.hold = lambda content: False
    rig.server.let_go.set()
    assert (await rig.done(request)).outcome == "succeeded"
    assert (rig.seeds(), rig.seeds(NEW)) == ([7], [])


@pytest.mark.parametrize("point", ["moved", "drawn", "sent"])
async def test_a_restart_at_every_step_delivers_once(rig: Rig, point: str) -> None:
    rig.server.forget_transactions = True
    request, job = await drawing(rig)
    upgrade(rig)
    hear(rig)
    await moved(rig, request)
    if point == "moved":
        await rig.restart()
        rig.worker_server.draw_all(job)
    elif point == "drawn":
        rig.server.forbidden.add(NEW)  # the bot is muted there
        rig.server.set_state(NEW, "m.room.power_levels", {"events_default": 50})
        rig.worker_server.draw_all(job)
        await rig.until(lambda: any(room == NEW for room, _, _ in rig.server.sends))
        await rig.stop()
        rig.server.forbidden.discard(NEW)
        rig.server.set_state(NEW, "m.room.power_levels", {})
        await rig.run()
    else:
        rig.server.hold = lambda content: content.get("msgtype") == "m.image"
        rig.worker_server.draw_all(job)
        await rig.until(lambda: rig.server.held)
        await rig.stop()
        rig.server.hold = lambda content: False
        rig.server.let_go.set()
        await rig.run()
    assert (await rig.done(request)).outcome == "succeeded"
    assert (rig.seeds(), rig.seeds(NEW)) == ([], [7])


async def test_several_upgrades_in_a_row(rig: Rig) -> None:
    request, job = await drawing(rig, body={"count": 2})
    upgrade(rig)
    hear(rig)
    await moved(rig, request)
    rig.worker_server.draw(job, 0)
    await rig.until(lambda: rig.seeds(NEW))
    upgrade(rig, NEW, NEWER)
    rig.worker_server.draw(job, 1)
    assert (await rig.done(request)).outcome == "succeeded"
    assert (rig.seeds(NEW), rig.seeds(NEWER)) == ([7], [8])


async def test_a_room_that_only_claims_it_gets_nothing(rig: Rig) -> None:
    request, job = await drawing(rig)
    rig.server.create(NEW)  # it does not say that it replaces the old one
    rig.server.set_state(ROOM, "m.room.tombstone", {"replacement_room": NEW})
    hear(rig)
    rig.worker_server.draw_all(job)
    assert (await rig.done(request)).outcome == "succeeded"
    assert (rig.seeds(), rig.seeds(NEW)) == ([7], [])


async def test_it_waits_until_it_is_let_in(rig: Rig) -> None:
    request, job = await drawing(rig)
    rig.server.outside.add(NEW)
    upgrade(rig)
    rig.worker_server.draw_all(job)
    await asyncio.sleep(0.3)
    assert (await rig.store.request(request.key)).open  # type: ignore[union-attr]
    rig.server.outside.discard(NEW)
    assert (await rig.done(request)).outcome == "succeeded"
    assert rig.seeds(NEW) == [7]


async def test_nothing_leaves_an_encrypted_room_for_one_that_is_not(rig: Rig) -> None:
    request, job = await drawing(rig, private=True)
    upgrade(rig)
    rig.worker_server.draw_all(job)
    assert (await rig.done(request)).outcome == "refused"
    [said] = await rig.until(lambda: rig.bodies(NEW))
    assert said == f"{FOR}\n\n{texts.NOT_ENCRYPTED_ANY_MORE}"
    assert rig.seeds(NEW) == []
    await rig.until(lambda: rig.worker_server.deleted)
    assert all("an otter" not in str(event["content"]) for event in rig.server.of_bot(NEW))


async def test_nor_does_it_after_a_crash_behind_the_move(rig: Rig) -> None:
    request, job = await drawing(rig, private=True)
    await rig.stop()
    rig.worker_server.draw_all(job)
    upgrade(rig)
    await rig.start()
    await rig.store.move(ROOM, NEW, [], [], private=False)
    uploads = len(rig.server.media)
    await rig.delivery.take_up()  # all of Parts.start(), before anything looks at rooms
    await rig.parts.sending.start()
    rig.delivery.start()
    await rig.done(request)
    rig.upgrades.start()
    await rig.until(lambda: rig.bodies(NEW) and not rig.outbox._entries)
    assert rig.seeds(NEW) == []
    assert len(rig.server.media) == uploads
    assert {*rig.bodies(NEW)} <= {texts.NO_ENCRYPTION, f"{FOR}\n\n{texts.NOT_ENCRYPTED_ANY_MORE}"}


async def test_a_sentence_that_waited_goes_along(rig: Rig) -> None:
    request, job = await drawing(rig)
    rig.server.forbidden.add(ROOM)
    rig.server.set_state(ROOM, "m.room.power_levels", {"events_default": 50})
    rig.worker_server.fail(job, 0, message="It broke.")
    assert (await rig.done(request)).outcome == "failed"
    upgrade(rig)
    hear(rig)
    [said] = await rig.until(lambda: rig.bodies(NEW))
    assert said == f"{FOR}\n\n❌ It broke."


async def test_progress_goes_on_in_the_new_room(rig: Rig) -> None:
    rig.values = replace(rig.values, status=replace(rig.values.status, after_seconds=0.05, edit_seconds=0.05))
    request, job = await drawing(rig)
    await rig.until(rig.bodies)
    rig.server.upgrade(ROOM, NEW)
    rig.server.set_state(ROOM, "m.room.power_levels", {})  # here the bot may still speak
    hear(rig)
    await rig.until(lambda: rig.bodies(NEW))
    await rig.until(lambda: rig.bodies()[-1] == f"* {texts.GOES_ON_ELSEWHERE}")
    rig.worker_server.draw_all(job)
    await rig.done(request)
    await rig.until(lambda: "Done" in rig.server.of_bot(NEW)[-1]["content"].get("m.new_content", {}).get("body", ""))
    await rig.until(lambda: rig.outbox._entries == {})
    assert rig.bodies()[-1] == f"* {texts.GOES_ON_ELSEWHERE}"


async def test_a_command_in_the_old_room_is_deleted(rig: Rig) -> None:
    request, job = await drawing(rig)
    upgrade(rig)
    hear(rig)
    await moved(rig, request)
    await rig.delivery.cancelling.redacted(ROOM, request.event_id)
    assert (await rig.done(request)).outcome == "cancelled"
    rig.worker_server.draw_all(job)
    await rig.until(lambda: rig.outbox._entries == {})
    assert rig.seeds(NEW) == []


async def test_the_sync_tells_it(rig: Rig, listening: Listening) -> None:
    request, _ = await drawing(rig)
    upgrade(rig)
    await listening.sync(rig.server.state[ROOM, "m.room.tombstone", ""])
    await moved(rig, request)


async def test_a_stranger_who_closed_the_room_invites_nobody(rig: Rig) -> None:
    rig.server.create(ROOM)
    tombstone = {"replacement_room": NEW}
    rig.server.outside.add(NEW)
    rig.server.create(NEW, ROOM)
    asked: list[str] = []

    async def join(room: str, server: str | None) -> None:
        asked.append(room)
        rig.server.outside.discard(NEW)

    rig.upgrades._join = join
    rig.server.set_state(ROOM, "m.room.tombstone", tombstone, sender="@stranger:elsewhere")
    hear(rig)
    await rig.until(lambda: rig.outbox.blocked.place(ROOM) is None)
    assert asked == []
    rig.server.set_state(ROOM, "m.room.tombstone", tombstone, sender="@mod:test")
    hear(rig)
    await rig.until(lambda: asked == [NEW])


async def test_who_was_put_out_of_the_new_room_does_not_come_back_by_itself(rig: Rig) -> None:
    rig.server.create(ROOM)
    rig.server.outside.add(NEW)
    rig.server.set_state(NEW, "m.room.member", {"membership": "leave"}, BOT)
    asked: list[str] = []

    async def join(room: str, server: str | None) -> None:
        asked.append(room)

    rig.upgrades._join = join
    upgrade(rig)
    hear(rig)
    await rig.until(lambda: rig.outbox.blocked.place(ROOM) is None and not rig.outbox.blocked._rooms)
    assert asked == []


async def test_a_room_in_between_in_which_we_are_not(rig: Rig) -> None:
    request, job = await drawing(rig)
    rig.server.outside.add(NEW)
    rig.server.set_state(NEW, "m.room.member", {"membership": "leave"}, BOT)
    upgrade(rig)
    upgrade(rig, NEW, NEWER)
    rig.worker_server.draw_all(job)
    assert (await rig.done(request)).outcome == "succeeded"
    assert (rig.seeds(NEW), rig.seeds(NEWER)) == ([], [7])


async def test_what_a_database_out_of_a_backup_owes_is_looked_for_in_the_room_before(rig: Rig) -> None:
    """The picture was delivered there before the upgrade; the database of then knows nothing of both."""
    request, job = await drawing(rig)
    backup = backed_up(rig)
    rig.worker_server.draw_all(job)
    await rig.done(request)
    await quiet(rig)
    upgrade(rig)
    await rig.worker_server.stop()
    await restored(rig, backup)
    await moved(rig, request)
    await rig.worker_server.start()
    await quiet(rig)
    assert len(rig.server.pictures(ROOM)) == 1
    assert [event["content"] for event in rig.server.of_bot(NEW)] == []


async def test_what_a_database_out_of_a_backup_owes_is_looked_for_in_the_rooms_between(rig: Rig) -> None:
    """The picture was delivered in the second room of three; the database of then knows of the first alone."""
    request, job = await drawing(rig)
    backup = backed_up(rig)
    upgrade(rig)
    hear(rig)
    await moved(rig, request)
    rig.worker_server.draw_all(job)
    await rig.done(request)
    await quiet(rig)
    upgrade(rig, NEW, NEWER)
    await rig.worker_server.stop()
    await restored(rig, backup)
    await moved(rig, request, NEWER)
    await rig.worker_server.start()
    await rig.done(request)
    await quiet(rig)
    assert (rig.seeds(), rig.seeds(NEW), rig.seeds(NEWER)) == ([], [7], [])


async def test_an_answer_that_went_along_is_looked_for_in_the_rooms_between(rig: Rig) -> None:
    """Its message, in the first room, is handled again: the database out of a backup does not know it."""
    rig.server.create(ROOM)
    rig.server.say(ROOM, "!say hello")
    backup = backed_up(rig)
    upgrade(rig)
    listening = Listening(rig)
    listening.start()
    [event] = await rig.until(lambda: rig.server.of_bot(NEW))
    await quiet(rig)
    await listening.events.stop()
    upgrade(rig, NEW, NEWER)
    await restored(rig, backup)
    key = event["content"]["org.otterbot"]["key"]
    rig.outbox.sent_before.note(key, time.time() - 60, ROOM)
    for room in (ROOM, NEWER):
        verdict = await rig.outbox.sent_before.look(Part(key=key, part="reply", room_id=room), attempted=False)
        assert verdict.event_id == event["event_id"]


@pytest.mark.parametrize("went_along", [True, False])
@pytest.mark.parametrize("hours", [0, 3], ids=["just now", "hours ago"])
async def test_an_answer_is_looked_for_where_it_was_given_also_after_another_restart(
    rig: Rig, hours: int, went_along: bool
) -> None:
    """The database out of a backup did not know the message; it was handled again, its answer moved into the new room,
    and before it was sent there the process ended."""
    rig.server.create(ROOM)
    question = rig.server.say(ROOM, "!say hello")
    listening = Listening(rig)
    listening.start()
    [answer] = await rig.until(lambda: rig.server.of_bot(ROOM))
    for said_then in (question, answer):
        said_then["origin_server_ts"] -= hours * 3_600_000
    await quiet(rig)
    await listening.events.stop()
    if went_along:
        rig.server.upgrade(ROOM, NEW)
    await rig.stop()
    rig.server.forget_transactions = True
    with closing(sqlite3.connect(rig.path)) as database, database:
        database.execute(
            "UPDATE parts SET state = 'ready', room_id = ?, moved = ?, event_id = NULL, updated_at = ?, content = ?",
            (NEW if went_along else ROOM, went_along, time.time(), json.dumps(answer["content"])),
        )
    await rig.run()
    await quiet(rig)
    assert (len(rig.server.of_bot(ROOM)), rig.server.of_bot(NEW)) == (1, [])


async def test_a_picture_is_looked_for_in_the_room_after_before_it_counts_as_gone(rig: Rig) -> None:
    """The worker has deleted what was delivered there; the database of then does not know the message."""
    rig.server.create(ROOM)
    event = rig.server.say(ROOM, "!draw an otter")
    backup = backed_up(rig)
    rig.worker_server.auto = False
    listening = Listening(rig)
    listening.start()
    await rig.until(lambda: rig.worker_server.jobs)
    upgrade(rig)
    hear(rig)
    [job] = rig.worker_server.jobs.values()
    rig.worker_server.draw_all(job)
    await rig.until(lambda: rig.seeds(NEW))
    await quiet(rig)
    again = await listening_again(rig, listening, backup, event["event_id"])
    assert (rig.seeds(), rig.seeds(NEW)) == ([], [7])
    assert not [body for body in [*rig.bodies(), *rig.bodies(NEW)] if "❌" in body]
    await again.events.stop()


async def test_who_asked_is_named_once_however_often_the_room_was_upgraded(rig: Rig) -> None:
    request, _job = await drawing(rig)
    rig.server.forbidden.add(ROOM)
    await rig.delivery.giving_up.give_up(request, "expired", "It is over.")
    rig.server.upgrade(ROOM, NEW)
    rig.server.upgrade(NEW, NEWER)
    rig.server.forbidden.add(NEW)
    hear(rig)
    await rig.until(lambda: rig.bodies(NEWER))
    assert rig.bodies(NEWER) == [f"{FOR}\n\nIt is over."]
