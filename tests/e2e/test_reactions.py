"""Hands on pictures: reactions of two people at once, on old pictures, after restarts; kept, offered."""

from __future__ import annotations

import asyncio

from lab import Ev, Lab
from lab.lab import key_of

from .conftest import QUICK

AGAIN, KEEP, DELETE = "🔁", "⭐", "❌"


async def drawn_for(lab: Lab, target: str, mark: int, count: int) -> list[Ev]:
    """The pictures that came as replies to that one."""
    return await lab.user.wait_all(lab.reply_to(target, msgtype="m.image"), count, mark, timeout=90)


async def test_two_people_at_the_same_time(lab: Lab, room: str, encrypted: bool) -> None:
    (first,) = await lab.draw(room, f"!draw otter {QUICK} --size 96x96")
    mark = lab.user.mark()
    reactions = await asyncio.gather(
        lab.user.react(room, first.event_id, AGAIN),
        lab.admin.react(room, first.event_id, "🔁\ufe0f"),
        lab.user.react(room, first.event_id, "👍"),
    )
    found = await drawn_for(lab, first.event_id, mark, 2)
    assert {event.encrypted for event in found} == {encrypted}
    assert {event.body.splitlines()[-1] for event in found} == {"🔁 for member", "🔁 for moderator"}
    assert {event.content["org.otterbot"]["key"] for event in found} == {
        key_of(lab.bot, room, reaction) for reaction in reactions[:2]
    }
    assert len({event.record["used"]["seed"] for event in (first, *found)}) == 3
    assert all(event.content["m.mentions"] == {} for event in found)
    jobs = (await lab.worker.api("GET", "/v1/jobs"))["jobs"]
    mine = [job["owner"] for job in jobs if job["key"] in {event.content["org.otterbot"]["key"] for event in found}]
    assert sorted(mine) == sorted([lab.user.id, lab.admin.id])
    await lab.user.react(room, first.event_id, "🔄")  # the same once more
    await lab.user.never(lab.reply_to(first.event_id), mark + len(lab.user.events[mark:]), within=1.0)


async def test_an_old_picture_and_a_restart(lab: Lab, room: str) -> None:
    (first,) = await lab.draw(room, f"!draw otter {QUICK} --size 96x96")
    await lab.empty_plugin_database()
    await lab.worker.api("POST", "/v1/pause", {})
    mark = lab.user.mark()
    await lab.user.react(room, first.event_id, AGAIN)
    status = await lab.user.wait_for(lab.reply_to(first.event_id), mark, timeout=60)
    assert status.body.startswith("🔁 member: ")
    await lab.maubot.restart(hard=True)
    await lab.worker.api("POST", "/v1/resume", {})
    (found,) = await drawn_for(lab, first.event_id, mark, 1)
    assert found.record["used"]["prompt"] == first.record["used"]["prompt"]
    assert found.record["used"]["seed"] != first.record["used"]["seed"]


async def test_kept_and_copied_and_offered(lab: Lab, room: str, encrypted: bool) -> None:
    gallery, plain = await lab.room(encrypted=encrypted), await lab.room()
    await lab.configure(gallery_room=gallery, reactions={"offer": "🔁 ⬆️"})
    try:
        mark = lab.user.mark()
        (first,) = await lab.draw(room, f"!draw otter --seed 4711 {QUICK} --size 96x96")
        for emoji in ("🔁", "⬆️"):
            await lab.user.wait_for(lab.reaction(first.event_id, emoji), mark)
        mark = lab.user.mark()
        await asyncio.gather(lab.user.react(room, first.event_id, KEEP), lab.admin.react(room, first.event_id, KEEP))
        copy = await lab.user.wait_for(lab.from_bot(gallery, msgtype="m.image"), mark, timeout=40)
        assert copy.encrypted is encrypted
        assert await lab.user.image_bytes(copy) == await lab.user.image_bytes(first)
        assert "Drawn for member." in copy.body
        assert "!draw otter" in copy.body
        assert "--seed 4711" in copy.body
        if encrypted:
            await lab.configure(gallery_room=plain)
            (second,) = await lab.draw(room, f"!draw badger {QUICK} --size 96x96")
            await lab.user.react(room, second.event_id, KEEP)
            said = await lab.user.wait_for(lab.reply_to(second.event_id, msgtype="m.notice"), mark)
            assert said.body.startswith("⭐ member: It is not copied into the gallery")
        await lab.user.never(lab.from_bot(plain, msgtype="m.image"), mark, within=0.5)
        assert len([e for e in lab.user.events[mark:] if lab.from_bot(gallery, msgtype="m.image")(e)]) == 1
        about = [e.body for e in lab.user.events[mark:] if e.sender == lab.bot and e.replies_to == first.event_id]
        assert len(about) == encrypted, "of an encrypted room the worker keeps nothing, which is said once"
        assert all("of such rooms the worker keeps no copies" in said for said in about)
    finally:
        await lab.configure(gallery_room=None)


async def test_deleted_by_who_asked_for_it(lab: Lab, room: str) -> None:
    (mine,) = await lab.draw(room, f"!draw badger {QUICK} --size 96x96", by=lab.admin)

    def is_gone(event: Ev) -> bool:
        return event.type == "m.room.redaction" and mine.event_id in (
            event.wire.get("redacts"),
            event.content.get("redacts"),
        )

    mark = lab.user.mark()
    await lab.user.react(room, mine.event_id, DELETE)
    await lab.user.never(is_gone, mark, within=1.0)
    await lab.admin.react(room, mine.event_id, DELETE)
    await lab.user.wait_for(is_gone, mark)
    image = mine.content["org.otterbot"]["image"]
    await until_gone(lab, image)
    (after,) = await lab.draw(room, f"!draw otter {QUICK} --size 96x96")
    (again,) = await lab.draw(room, "!again")
    assert again.record["used"]["prompt"] == after.record["used"]["prompt"]


async def until_gone(lab: Lab, image: str) -> None:
    """Until the worker's archive has that picture no more."""
    for _ in range(200):
        try:
            await lab.worker.api("GET", f"/v1/images/{image}.yml")
        except RuntimeError as refusal:
            if ": 410 " in str(refusal):
                return
            raise
        except ValueError:
            pass  # the sidecar, which is no JSON
        await asyncio.sleep(0.1)
    raise AssertionError("it is still there")
