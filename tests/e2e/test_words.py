"""The same picture with other words."""

from __future__ import annotations

from lab import Lab

from .conftest import QUICK


async def test_other_words_and_the_same_seed(lab: Lab, room: str) -> None:
    (first,) = await lab.draw(room, f"!draw otter, (cowboy hat)++ {QUICK}")
    (second,) = await lab.draw(room, "!again +red scarf -cowboy hat")
    one, two = first.record["used"], second.record["used"]
    assert two["prompt"] == "otter, red scarf"
    assert two["seed"] == one["seed"]
    (third,) = await lab.draw(room, "!again --prompt “badger, hat”", reply=first.event_id)
    assert (third.record["used"]["prompt"], third.record["used"]["seed"]) == ("badger, hat", one["seed"])
    said = await lab.answer(room, "!again -boots", reply=third.event_id)
    assert "boots" in said.body
    assert len(await lab.pictures(room)) == 3


async def test_an_edit_after_the_picture_is_offered_as_a_line_that_works(lab: Lab, room: str) -> None:
    asked = await lab.user.send(room, f"!draw otter {QUICK}")
    first = await lab.user.wait_for(lab.reply_to(asked, msgtype="m.image"))
    mark = lab.user.mark()
    await lab.user.send(room, f"!draw otter, red scarf {QUICK}", edit=asked)
    said = await lab.user.wait_for(lab.reply_to(asked, msgtype="m.notice"), mark)
    line = said.body.split("`")[1]
    assert line == f"!again --prompt otter, red scarf {QUICK}"
    (second,) = await lab.draw(room, line, reply=first.event_id)
    assert second.record["used"]["prompt"] == "otter, red scarf"
    assert second.record["used"]["seed"] == first.record["used"]["seed"]


STRUCTURE = "subject: an otter\noutfit:\n- (cowboy hat)++\nstyle: “watercolor: soft”\nnegative: text\ntheme: holiday"


async def test_keys_become_a_picture_that_can_be_asked_for_again(lab: Lab, room: str) -> None:
    (first,) = await lab.draw(room, f"!draw\n```yaml\n{STRUCTURE}\nsteps: 2\n```")
    used = first.record["used"]
    keys = {
        "theme": "holiday", "subject": "an otter", "outfit": ["(cowboy hat)++"], "style": "watercolor: soft",
        "negative": "text",
    }  # fmt: skip
    assert used["structure"] == keys
    assert (used["prompt"], used["negative_prompt"], used["steps"]) == (
        "an otter, (cowboy hat)++, watercolor: soft", "text", 2,
    )  # fmt: skip
    assert first.content["filename"].startswith("holiday_")

    (second,) = await lab.draw(room, "!again style: pointillism", reply=first.event_id)
    assert second.record["used"]["structure"] == {**keys, "style": "pointillism"}
    assert second.record["used"]["seed"] == used["seed"]

    line = (await lab.answer(room, "!info", reply=second.event_id)).body.split("```")[1].strip()
    (third,) = await lab.draw(room, line)
    assert third.record["used"] == second.record["used"]


async def test_keys_that_cannot_be_read(lab: Lab, room: str) -> None:
    said = await lab.answer(room, "!draw subject: otter\nmood: happy")
    assert "emotions" in said.body
    said = await lab.answer(room, "!draw subject: otter\nin a hat")
    assert "Line 2" in said.body
    assert "sentence" in (await lab.answer(room, "!draw subject: otter\nstyle: oil --explain")).body
    assert await lab.pictures(room) == []


async def test_keys_outlast_the_end_of_plugin_and_worker(lab: Lab, room: str) -> None:
    with lab.worker_proxy.hold_before("POST", "/v1/jobs$") as held:
        mark = lab.user.mark()
        asked = await lab.user.send(room, f"!draw subject: otter\nstyle: watercolor\n{QUICK}")
        await held.reached()
        await lab.maubot.restart(hard=True)
        await lab.worker.kill()
        await lab.worker.start()
    picture = await lab.user.wait_for(lab.reply_to(asked, msgtype="m.image"), mark, timeout=90)
    assert picture.record["used"]["structure"] == {"subject": "otter", "style": "watercolor"}
