"""Several pictures on one sheet, and one of them in full: from a real worker, through real rooms."""

from __future__ import annotations

import io

from PIL import Image

from lab import Ev, Lab
from lab.proc import until

from .conftest import QUICK

FOUR = f"!draw otter {QUICK} --size 128x96 --count 4"


def fields(event: Ev) -> list[dict[str, object]]:
    found = event.own["sheet"]["fields"]
    assert isinstance(found, list)
    return found


async def sheet(lab: Lab, room: str) -> Ev:
    (event,) = await lab.draw(room, FOUR, timeout=120)
    assert event.own["part"] == "sheet"
    return event


async def test_four_come_as_one_and_each_in_full_when_it_is_chosen(lab: Lab, room: str, encrypted: bool) -> None:
    event = await sheet(lab, room)
    assert event.encrypted is encrypted
    with Image.open(io.BytesIO(await lab.user.image_bytes(event))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (event.content["info"]["w"], event.content["info"]["h"]))
        assert picture.width > 2 * 96
    seed = event.record["used"]["seed"]
    (second,) = await lab.draw(room, "2", reply=event.event_id)
    assert second.encrypted is encrypted
    assert second.record["used"]["seed"] == seed + 1
    assert second.record["took"] == fields(event)[1].get("took", event.record["took"]), "it was there already"
    mark = lab.admin.mark()
    await lab.admin.react(room, event.event_id, "3\ufe0f\u20e3")
    third = await lab.admin.wait_for(lab.reply_to(event.event_id, msgtype="m.image"), mark, timeout=60)
    assert third.record["used"]["seed"] == seed + 2
    (again,) = await lab.draw(room, "!again 2 --seed same", reply=event.event_id)
    assert again.record["used"] == second.record["used"]
    pixels = [Image.open(io.BytesIO(await lab.user.image_bytes(one))).tobytes() for one in (second, again)]
    assert pixels[0] == pixels[1], "drawn again it is the same"


async def test_hands_on_a_sheet(lab: Lab, room: str, encrypted: bool) -> None:
    """Its numbers are offered; 🎲 needs one of them; what two people have leaves with the second; ⭐ keeps all."""
    await lab.configure(reactions={"offer": "🔁 🎲 ⬆️"})
    try:
        mark = lab.user.mark()
        event = await sheet(lab, room)
        for emoji in ("1️⃣", "4️⃣", "🔁"):
            await lab.user.wait_for(lab.reaction(event.event_id, emoji), mark)
        await lab.user.react(room, event.event_id, "🎲")
        said = await lab.user.wait_for(lab.reply_to(event.event_id, msgtype="m.notice"), mark)
        assert said.body.startswith("🎲 member: That is a sheet of several pictures. React with a number")
        await lab.admin.react(room, event.event_id, "⬆️")
        await lab.admin.react(room, event.event_id, "2️⃣")
        chosen = await lab.user.wait_for(lab.reply_to(event.event_id, msgtype="m.image"), mark, 60)
        told = [e for e in lab.user.events[mark:] if lab.reply_to(event.event_id, msgtype="m.notice")(e)]
        assert len(told) == 1, "once"
        if encrypted:
            return  # the worker keeps nothing of it
        image = chosen.own["image"]
        await lab.admin.react(room, chosen.event_id, "❌")
        await lab.user.wait_for(
            lambda e: (
                e.type == "m.room.redaction" and chosen.event_id in (e.wire.get("redacts"), e.content.get("redacts"))
            ),
            mark,
        )
        (again,) = await lab.draw(room, "2", reply=event.event_id)
        assert again.own["image"] == image, "it stays with the sheet"
        await lab.user.react(room, event.event_id, "⭐")
        kept = lab.worker.data / "archive"
        await until(lambda: any("kept: true" in path.read_text() for path in kept.rglob("*.sheet.yml")), "it is kept")
    finally:
        await lab.configure()


async def test_one_of_them_larger(lab: Lab) -> None:
    room = await lab.room(encrypted=True)
    event = await sheet(lab, room)
    full, larger = await lab.draw(room, f"!upscale 4 {QUICK}", count=2, timeout=120)
    assert full.record["used"]["seed"] == event.record["used"]["seed"] + 3
    assert (larger.content["info"]["w"], larger.own["start"]) == (256, full.event_id)


async def test_what_is_not_on_it_is_said(lab: Lab) -> None:
    room = await lab.room()
    event = await sheet(lab, room)
    assert "4 fields" in (await lab.answer(room, "!again 9", reply=event.event_id)).body
    assert "which one" in (await lab.answer(room, "!vary")).body


async def test_maubot_dies_between_the_last_picture_and_the_sheet(lab: Lab, room: str) -> None:
    mark = lab.user.mark()
    with lab.worker_proxy.hold_before("GET", "/v1/images/") as held:
        asked = await lab.user.send(room, FOUR)
        await held.reached(60)
        await lab.maubot.kill()
    await lab.maubot.start()  # everything else is as it was, the proxy's rule too
    await lab.user.wait_for(lab.reaction(asked, "✅"), mark, 90)
    assert [picture.part for picture in await lab.pictures(room)] == ["sheet"]


async def test_a_sheet_of_twelve_whose_gpu_process_is_killed(lab: Lab) -> None:
    room = await lab.room()
    mark = lab.user.mark()
    asked = await lab.user.send(room, "!draw otter --steps 8 --size 96x96 --sweep seed=1..12/12")
    await lab.worker.wait_step(4)
    for pid in lab.worker.gpu_pids():
        lab.worker.kill_gpu(pid)
    event = await lab.user.wait_for(lab.reply_to(asked, msgtype="m.image"), mark, timeout=120)
    assert len(fields(event)) == 12
    assert all("image" in field for field in fields(event)), "none is missing"
    await lab.user.wait_for(lab.reaction(asked, "✅"), mark, 30)
