"""❌ and ⭐ on pictures: deleted with edits, file and copy; kept, and copied into the gallery once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from listening import Listening
from picture_reactions import ANNA, BERT, drawn, passed, react, take_back
from plugin_rig import BOT, ROOM, Rig

from otterbot import texts
from otterbot.bot.parts import build_inbox
from otterbot.commands import handle
from otterbot.matrix import event_content
from otterbot.store.room_store import told_as
from otterbot.store.rows import copy_key
from otterbot.store.store import Commit

GALLERY = "!gallery:test"
MODERATOR = "@mod:test"
TYPED = "@user:test"
"""Who sends the rig's `!draw`, in whose name ever it is handled."""


@pytest_asyncio.fixture
async def listening(rig: Rig) -> AsyncIterator[Listening]:
    rig.server.set_state(ROOM, "m.room.create", {"room_version": "11"}, sender="@creator:test")
    rig.server.set_state(ROOM, "m.room.power_levels", {"users": {MODERATOR: 50}})
    made = Listening(rig)
    made.start()
    yield made
    await made.events.stop()


async def until(rig: Rig, check: Callable[[], Any]) -> None:
    await rig.until(check, timeout=20)


def open_gallery(rig: Rig, room: str = GALLERY) -> None:
    rig.server.rooms.setdefault(room, [])
    rig.values = replace(rig.values, gallery_room=room)


async def forget(rig: Rig) -> None:
    for table in ("requests", "parts", "rooms", "kept"):
        await rig.db.execute(f"DELETE FROM {table}")


def taken_out(rig: Rig) -> list[str]:
    """The messages that were redacted, by their ids; the ⏳ of requests do not count."""
    events = [event for room in rig.server.rooms.values() for event in room]
    messages = {event["event_id"] for event in events if event["type"] == "m.room.message"}
    return [one for one in rig.server.redacted if one in messages]


# ---------------------------------------------------------------- deleted


@pytest.mark.parametrize(("sender", "may"), [(ANNA, True), (MODERATOR, True), (BERT, False)])
@pytest.mark.parametrize("known", [True, False])
async def test_who_may_delete_a_picture(listening: Listening, rig: Rig, sender: str, may: bool, known: bool) -> None:
    target = await drawn(rig)
    if not known:
        await forget(rig)
    await listening.sync(react(rig, target, "❌", sender))
    await passed(listening)
    if may:
        await until(rig, lambda: taken_out(rig) == [target] and rig.worker_server.deleted)
        assert rig.worker_server.deleted == list(rig.worker_server.images)
    else:
        assert (taken_out(rig), rig.worker_server.deleted) == ([], [])


async def test_how_it_was_drawn_is_deleted_with_it(listening: Listening, rig: Rig) -> None:
    request = await rig.ask(body={"film": True, "count": 2}, sender=ANNA)
    await rig.done(request)
    parts = await rig.store.parts_of(request.key)
    events = {str(name): part.event_id for name, part in parts.items()}
    await listening.sync(react(rig, str(events["picture/1"]), "❌", ANNA))
    await until(rig, lambda: set(taken_out(rig)) == {events["picture/1"], events["film/1"]})


async def test_one_that_is_on_its_way_is_deleted_as_well(listening: Listening, rig: Rig) -> None:
    rig.server.hold = lambda content: content.get("info", {}).get("mimetype") == "image/webp"
    request = await rig.ask(body={"film": True}, sender=ANNA)
    await until(rig, lambda: rig.server.held)
    picture = await rig.store.part(request.key, "picture/0")
    assert picture is not None
    await listening.sync(react(rig, str(picture.event_id), "❌", ANNA))
    await until(rig, lambda: rig.outbox.waiting(request.key, "unsend/picture/0"))
    rig.server.hold = lambda _: False
    rig.server.let_go.set()
    await until(rig, lambda: set(taken_out(rig)) == {event["event_id"] for event in rig.server.pictures(ROOM)})
    assert len(taken_out(rig)) == 2


async def test_only_that_one_and_its_edits(listening: Listening, rig: Rig) -> None:
    await drawn(rig, body={"count": 3})
    first, second, third = (event["event_id"] for event in rig.server.pictures(ROOM))
    content = rig.server.pictures(ROOM)[1]["content"]
    edit = rig.server.add(ROOM, BOT, "m.room.message", event_content.edit(content, second))["event_id"]
    rig.server.add(ROOM, BERT, "m.room.message", event_content.edit(content, second))
    await listening.sync(react(rig, second, "❌", ANNA))
    await until(rig, lambda: sorted(taken_out(rig)) == sorted([second, edit]) and rig.worker_server.deleted)
    assert rig.worker_server.deleted == [list(rig.worker_server.images)[1]]
    assert not {first, third} & set(taken_out(rig))


async def test_one_of_a_request_that_still_draws(listening: Listening, rig: Rig) -> None:
    rig.worker_server.auto = False
    request = await rig.ask(sender=ANNA, body={"count": 2})
    await until(rig, lambda: rig.worker_server.jobs)
    job = rig.worker_server.by_key(request.key)
    rig.worker_server.draw(job, 0)
    await until(rig, lambda: rig.server.pictures(ROOM))
    await until(rig, lambda: not rig.outbox.waiting(request.key, "picture/0"))
    await listening.sync(react(rig, rig.server.pictures(ROOM)[0]["event_id"], "❌", ANNA))
    await until(rig, lambda: taken_out(rig))
    rig.worker_server.draw(job, 1)
    assert (await rig.done(request)).outcome == "succeeded", "the other one comes"
    assert len(rig.server.pictures(ROOM)) == 2


async def test_one_whose_event_says_little(listening: Listening, rig: Rig) -> None:
    """As older versions wrote it: the message that it replies to says whose it is, and its job which file."""
    target = await drawn(rig)
    mark = rig.server.pictures(ROOM)[0]["content"]["org.otterbot"]
    del mark["image"], mark["by"]
    await forget(rig)
    await listening.sync(react(rig, target, "❌", BERT), react(rig, target, "❌", TYPED))
    await until(rig, lambda: taken_out(rig) == [target] and rig.worker_server.deleted)
    assert rig.worker_server.deleted == list(rig.worker_server.images)


async def test_what_somebody_might_not_does_not_happen_later(listening: Listening, rig: Rig) -> None:
    """Who reacted becomes a moderator, and the next walk through the room finds the reaction again."""
    target = await drawn(rig)
    reaction = react(rig, target, "❌", BERT)
    await listening.sync(reaction)
    await passed(listening)
    rig.server.set_state(ROOM, "m.room.power_levels", {"users": {BERT: 50}})
    await listening.events.stop()
    await rig.restart()
    heard = Listening(rig)
    heard.start()
    await heard.sync(reaction)
    await passed(heard)
    assert (taken_out(rig), rig.worker_server.deleted) == ([], [])
    await heard.sync(react(rig, target, "❌", BERT))
    await until(rig, lambda: taken_out(rig) == [target])
    await heard.events.stop()


async def test_the_worker_hears_who_does_not_use_it_any_more(listening: Listening, rig: Rig) -> None:
    request = await rig.ask(sender=ANNA)
    await rig.done(request)
    await listening.sync(react(rig, rig.server.pictures(ROOM)[-1]["event_id"], "❌", ANNA))
    await until(rig, lambda: rig.worker_server.deleted_for == [request.key])


# ---------------------------------------------------------------- on a sheet


async def test_how_to_choose_is_said_once_under_a_sheet(listening: Listening, rig: Rig) -> None:
    target = await drawn(rig, body={"count": 4, "sheet": {}})
    said = lambda: [body for body in rig.bodies() if "That is a sheet of several" in body]  # noqa: E731
    await listening.sync(react(rig, target, "🎲"))
    await until(rig, said)
    await listening.sync(react(rig, target, "⬆️"), react(rig, target, "🎲", ANNA))
    await passed(listening)
    assert said() == [f"🎲 bert: {texts.which_by_number('vary', '!')}".replace("`", "`")]
    await listening.events.stop()
    await rig.restart()
    heard = Listening(rig)
    heard.start()
    await heard.sync(react(rig, target, "🎲", MODERATOR))
    await passed(heard)
    assert len(said()) == 1
    await heard.events.stop()


async def test_a_sheet_is_kept_and_copied_whole(listening: Listening, rig: Rig) -> None:
    open_gallery(rig)
    target = await drawn(rig, body={"count": 4, "sheet": {}})
    [job] = rig.worker_server.jobs.values()
    await listening.sync(react(rig, target, "⭐"))
    await until(rig, lambda: ("POST", job["sheet"]["picture"]["image_id"]) in rig.worker_server.kept)
    await until(rig, lambda: rig.server.pictures(GALLERY))
    body = rig.server.pictures(GALLERY)[0]["content"]["body"]
    assert "seeds 7–10" in body
    assert "Its first picture:\n\n```\n!draw an otter" in body


# ---------------------------------------------------------------- kept


async def test_of_an_encrypted_room_it_says_what_the_worker_does_not_keep(
    listening: Listening, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from otterbot.commands.keep import _not_kept

    await drawn(rig)
    services = rig.parts.services
    assert await _not_kept(services, ROOM) is None, "not encrypted"
    rig.encryption.seen_encrypted(ROOM)
    assert await _not_kept(services, ROOM) is None, "the operator lets the worker keep them"
    rig.worker_server.keeps_private = False
    services.worker._info = None
    assert await _not_kept(services, ROOM) == texts.NOT_KEPT_OF_ENCRYPTED
    told = Commit(mark=None, room_id=ROOM, told=[told_as(texts.NOT_KEPT_OF_ENCRYPTED)])
    await rig.store.commit(told)
    assert await _not_kept(services, ROOM) is None, "once a day"


async def test_the_worker_keeps_it_as_long_as_somebody_wants_that(listening: Listening, rig: Rig) -> None:
    target = await drawn(rig)
    image = next(iter(rig.worker_server.images))
    anna, bert = react(rig, target, "⭐", ANNA), react(rig, target, "⭐\ufe0f", BERT)
    await listening.sync(anna, bert)
    await until(rig, lambda: ("POST", image) in rig.worker_server.kept)
    await listening.sync(take_back(rig, anna, ANNA))
    await passed(listening)
    assert await rig.store.is_kept(target)
    await listening.sync(take_back(rig, bert))
    await until(rig, lambda: ("DELETE", image) in rig.worker_server.kept)
    assert not await rig.store.is_kept(target)
    assert rig.bodies()[-1].startswith("!say") or "⭐" not in " ".join(rig.bodies()), "nothing is said"


async def test_a_worker_that_does_not_know_of_keeping(listening: Listening, rig: Rig) -> None:
    from aiohttp import web

    target = await drawn(rig)
    asked = []

    def old(request: web.Request) -> web.StreamResponse | None:
        if request.path.endswith("/keep"):
            asked.append(request.path)
            return web.json_response({"code": "not_found", "status": 404}, status=404)
        return None

    rig.worker_server.instead = old
    await listening.sync(react(rig, target, "⭐"))
    await until(rig, lambda: asked)
    for _ in range(100):
        if not await rig.store.keeps_owed():
            break
        await asyncio.sleep(0.02)
    assert not await rig.store.keeps_owed()


async def test_a_copy_with_credit_and_the_line(listening: Listening, rig: Rig) -> None:
    open_gallery(rig)
    rig.server.set_state(ROOM, "m.room.member", {"displayname": "Anna *the* @room", "membership": "join"}, key=ANNA)
    target = await drawn(rig)
    await listening.sync(react(rig, target, "⭐", BERT), react(rig, target, "⭐", MODERATOR))
    await until(rig, lambda: rig.server.pictures(GALLERY))
    await passed(listening)
    [copy] = rig.server.pictures(GALLERY)
    content, original = copy["content"], rig.server.pictures(ROOM)[0]["content"]
    assert "Drawn for Anna *the* @room." in content["body"]
    assert "<em>" not in content["formatted_body"]
    assert "```\n!draw an otter --no" in content["body"]
    assert "--seed 7" in content["body"]
    assert content["m.mentions"] == {}
    assert "m.relates_to" not in content
    assert content["org.otterbot"]["record"] == original["org.otterbot"]["record"]
    assert rig.server.media[content["url"]] == rig.server.media[original["url"]]
    assert content["url"] != original["url"]
    assert content["info"]["thumbnail_info"]["w"] == 8
    assert taken_out(rig) == []


async def test_once_also_after_a_start_and_with_an_empty_database(rig: Rig) -> None:
    open_gallery(rig)
    target = await drawn(rig)
    for step in range(3):
        heard = Listening(rig)
        heard.start()
        reaction = react(rig, target, "⭐", (ANNA, BERT, MODERATOR)[step])
        await heard.sync(reaction)
        await until(rig, lambda: rig.server.pictures(GALLERY))
        await passed(heard)
        for _ in range(200):
            part = await rig.store.part(copy_key(BOT, target), "gallery/0")
            if part is not None and part.state == "sent":
                break
            await asyncio.sleep(0.02)
        else:
            raise AssertionError("the copy is not known to stand there")
        assert len(rig.server.pictures(GALLERY)) == 1
        await heard.events.stop()
        if step == 1:
            await forget(rig)
        await rig.restart()


async def test_a_copy_can_be_drawn_again_and_goes_with_its_picture(listening: Listening, rig: Rig) -> None:
    open_gallery(rig)
    target = await drawn(rig)
    await listening.sync(react(rig, target, "⭐"))
    await until(rig, lambda: rig.server.pictures(GALLERY))
    copy = rig.server.pictures(GALLERY)[0]["event_id"]
    relation = {"rel_type": "m.annotation", "event_id": copy, "key": "🔁"}
    again = rig.server.add(GALLERY, BERT, "m.reaction", {"m.relates_to": relation})
    await listening.sync(again, room=GALLERY)
    await until(rig, lambda: len(rig.worker_server.jobs) == 2)
    await until(rig, lambda: len(rig.server.pictures(GALLERY)) == 2)
    await listening.sync(react(rig, target, "❌", ANNA))
    await until(rig, lambda: sorted(taken_out(rig)) == sorted([target, copy]))
    assert not await rig.store.is_kept(target)


async def test_what_is_deleted_is_not_kept_any_more(listening: Listening, rig: Rig) -> None:
    """The homeserver takes its time over the redaction, and meanwhile somebody stars what still stands there."""
    open_gallery(rig)
    target = await drawn(rig)
    rig.server.instead = lambda asked: web.Response(status=502) if "/redact/" in asked.path else None
    await listening.sync(react(rig, target, "❌", ANNA))
    await until(rig, lambda: rig.worker_server.deleted)
    await listening.sync(react(rig, target, "⭐"))
    await passed(listening)
    assert not await rig.store.is_kept(target)
    rig.server.instead = lambda asked: None
    await until(rig, lambda: taken_out(rig) == [target])
    assert rig.server.pictures(GALLERY) == []


async def test_a_copy_of_a_picture_that_somebody_deletes_by_hand_goes_too(listening: Listening, rig: Rig) -> None:
    open_gallery(rig)
    target = await drawn(rig)
    await listening.sync(react(rig, target, "⭐"))
    await until(rig, lambda: rig.server.pictures(GALLERY))
    copy = rig.server.pictures(GALLERY)[0]["event_id"]
    await until(rig, lambda: not rig.outbox.sendable())
    await listening.sync(rig.server.add(ROOM, MODERATOR, "m.room.redaction", {"redacts": target}))
    await until(rig, lambda: taken_out(rig) == [copy])


async def test_nothing_comes_out_of_an_encrypted_room_into_a_plain_one(listening: Listening, rig: Rig) -> None:
    open_gallery(rig)
    target = await drawn(rig)
    rig.encryption.seen_encrypted(ROOM)
    room, why = await gallery_of(rig)
    assert (room, why) == (None, texts.GALLERY_IS_PLAIN)
    rig.encryption.seen_encrypted(GALLERY)
    assert await gallery_of(rig) == (GALLERY, None)
    assert target


async def gallery_of(rig: Rig) -> Any:
    from otterbot.commands.keep import _gallery

    return await _gallery(rig.parts.services, ROOM)


async def test_a_gallery_that_the_bot_is_not_in(listening: Listening, rig: Rig) -> None:
    rig.values = replace(rig.values, gallery_room="!nowhere:test")
    target = await drawn(rig)
    await listening.sync(react(rig, target, "⭐"))
    await until(rig, lambda: [body for body in rig.bodies() if body.startswith("⭐ bert: ")])
    assert rig.bodies()[-1].endswith(texts.NOT_IN_THE_GALLERY.replace("`", "`"))
    assert await rig.store.is_kept(target)


@pytest.mark.parametrize("written", ["gallery", "#gallery:test", "! x", 5, "!" + "a" * 300])
def test_what_is_no_room(written: Any) -> None:
    from otterbot.config import Values, read

    values, problems = read({"gallery_room": written}, Values())
    assert values.gallery_room is None
    assert problems


# ---------------------------------------------------------------- by keyboard


def typed(rig: Rig, word: str, target: str | None, sender: str) -> dict[str, Any]:
    relates = {} if target is None else {"m.relates_to": {"m.in_reply_to": {"event_id": target}}}
    return rig.server.add(ROOM, sender, "m.room.message", {"msgtype": "m.text", "body": word, **relates})


async def test_the_same_by_keyboard(rig: Rig) -> None:
    rig.server.set_state(ROOM, "m.room.create", {"room_version": "11"}, sender="@creator:test")
    rig.server.set_state(ROOM, "m.room.power_levels", {"users": {MODERATOR: 50}})
    inbox = build_inbox(rig.parts, handle=partial(handle, rig.parts.services), signed=lambda: True)
    inbox.events.start()

    async def hear(*events: dict[str, Any]) -> None:
        timeline = {"events": list(events), "limited": False}
        await inbox.events.on_sync({"data": {"rooms": {"join": {ROOM: {"timeline": timeline}}}}})

    target = await drawn(rig)
    image = next(iter(rig.worker_server.images))
    star = typed(rig, "!keep", None, BERT)
    await hear(star)
    await until(rig, lambda: ("POST", image) in rig.worker_server.kept)
    await until(rig, lambda: "It is kept. Deleting your message ends that." in rig.bodies())
    await hear(take_back(rig, star))
    await until(rig, lambda: ("DELETE", image) in rig.worker_server.kept)
    await hear(typed(rig, "!delete", None, ANNA), typed(rig, "!delete", target, BERT))
    await until(rig, lambda: any(body.startswith("Only who asked for a picture") for body in rig.bodies()))
    assert texts.delete_needs_a_reply("!") in rig.bodies()
    assert taken_out(rig) == []
    await hear(typed(rig, "!delete", target, ANNA))
    await until(rig, lambda: taken_out(rig) == [target] and rig.worker_server.deleted == [image])
    await inbox.events.stop()
