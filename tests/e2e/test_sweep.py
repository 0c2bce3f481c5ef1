"""One labelled sheet over a setting or two: what comes, what is refused at once, what a restart leaves."""

from __future__ import annotations

import asyncio

from lab import Lab
from lab.lab import key_of

from .conftest import QUICK


async def test_a_sheet_over_two_settings_and_its_fields(lab: Lab, room: str) -> None:
    (first,) = await lab.draw(room, f"!draw otter, (cowboy hat)++ {QUICK}")
    seed = first.record["used"]["seed"]
    (sheet,) = await lab.draw(room, '!sweep cfg 2,6 words "cowboy hat|crown"', reply=first.event_id)
    assert sheet.own["sheet"]["columns"] == 2
    assert f"seed {seed}" in sheet.body
    assert "across" in sheet.body
    (crown,) = await lab.draw(room, "B2", reply=sheet.event_id)
    used = crown.record["used"]
    assert (used["prompt"], float(used["guidance_scale"]), used["seed"]) == ("otter, (crown)++", 6.0, seed)
    (more,) = await lab.draw(room, "!again A2 --steps 3", reply=sheet.event_id)
    used = more.record["used"]
    assert (used["prompt"], float(used["guidance_scale"]), used["steps"]) == ("otter, (crown)++", 2.0, 3)
    (anew,) = await lab.draw(room, "!again", reply=sheet.event_id)
    assert anew.own["sheet"]["columns"] == 2
    assert f"seed {seed}" not in anew.body
    (field,) = await lab.draw(room, "B1", reply=anew.event_id)
    assert (field.record["used"]["prompt"], field.record["used"]["seed"] != seed) == ("otter, (cowboy hat)++", True)


async def test_what_cannot_be_swept_is_said_before_anything_is_drawn(lab: Lab, room: str) -> None:
    for line, part in (
        ("!draw otter --sweep cgf=4..16", "Did you mean `cfg`?"),
        ("!draw otter --sweep seed=1..30/30", "at most 25"),
        ("!draw otter --sweep size=64,128", "`size 64x64`"),
        ("!draw otter --sweep words=boots|crown", "`boots`"),
    ):
        said = await lab.answer(room, line)
        assert part.replace("`", "") in said.body.replace("`", ""), said.body
    assert not await lab.pictures(room)


async def test_a_sweep_that_is_cancelled_keeps_what_there_is(lab: Lab, room: str, encrypted: bool) -> None:
    mark = lab.user.mark()
    asked = await lab.user.send(room, "!draw otter --size 192x192 --sweep steps=2,100,99,98")
    await lab.user.wait_for(lab.reaction(asked, "⏳"), mark)
    key = key_of(lab.bot, room, asked)
    async with asyncio.timeout(120):
        while not any(one["state"] == "succeeded" for one in (await lab.worker.job(key) or {}).get("pictures", [])):  # noqa: ASYNC110  nothing else tells
            await asyncio.sleep(0.05)
    await lab.user.react(room, asked, "❌")
    sheet = await lab.user.wait_for(lab.reply_to(asked, msgtype="m.image"), mark, 60)
    assert sheet.encrypted is encrypted
    fields = sheet.own["sheet"]["fields"]
    absent = [field.get("absent") for field in fields]
    assert (absent[0], absent[-1]) == (None, "cancelled")
    await lab.user.wait_for(lambda e: e.own.get("key") == key and e.own.get("part") == "final", mark)
    (first,) = await lab.draw(room, "1", reply=sheet.event_id)
    assert first.record["used"]["steps"] == 2


async def test_a_restart_of_the_worker_in_the_middle(lab: Lab, room: str) -> None:
    mark = lab.user.mark()
    asked = await lab.user.send(room, "!draw slow otter --sweep cfg=1,3,5 --steps 40")
    await lab.user.wait_for(lab.reaction(asked, "⏳"), mark)
    await lab.worker.restart(hard=True)
    sheet = await lab.user.wait_for(lab.reply_to(asked, msgtype="m.image"), mark, 90)
    assert len(sheet.own["sheet"]["fields"]) == 3
    (last,) = await lab.draw(room, "3", reply=sheet.event_id)
    assert float(last.record["used"]["guidance_scale"]) == 5.0
    assert len(await lab.pictures(room)) == 2
