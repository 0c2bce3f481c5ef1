"""Styles in a real room: the worker's, a room's own, and that what a picture was drawn in is kept."""

from __future__ import annotations

from lab import Lab

from .conftest import QUICK

GLOW = {"name": "glow", "prompt": "{prompt} in a cave, ochre", "negative_prompt": "photo"}


async def test_a_style_from_the_list_to_a_style_of_the_room(lab: Lab, room: str) -> None:
    listed = (await lab.answer(room, "!styles watercol")).body
    assert "`watercolor`: thin washes" in listed
    (first,) = await lab.draw(room, f"!draw otter --style Watercolor,backlit {QUICK}")
    used = first.record["used"]
    assert used["prompt"].startswith("loose watercolor painting of otter, ")
    assert ", backlit, " in used["prompt"]
    assert [style["name"] for style in used["styles"]] == ["watercolor", "backlit"]
    assert used["styled"]["prompt"] == "otter"
    assert first.body.startswith("otter\n")
    assert "style watercolor, backlit" in first.body

    said = (await lab.answer(room, "!style save ours", by=lab.admin, reply=first.event_id)).body
    assert "loose watercolor painting of otter" in said
    (second,) = await lab.draw(room, f"!draw badger --style ours {QUICK}")
    assert second.record["used"]["prompt"].startswith("badger, loose watercolor painting of otter")
    line = (await lab.answer(room, "!info", reply=second.event_id)).body.split("```")[1].strip()
    assert "--style ours" in line
    (third,) = await lab.draw(room, line)
    assert third.record["used"] == second.record["used"]


async def test_a_name_that_nobody_knows(lab: Lab, room: str) -> None:
    mark = lab.user.mark()
    await lab.user.send(room, f"!draw otter --style watercolour {QUICK}")
    said = "❌ I do not know the style `watercolour`. Did you mean `watercolor`? `!styles` lists them."
    await lab.user.wait_for(lambda event: event.sender == lab.bot and said in event.body, mark)
    assert "Did you mean `pixel-art`" in (await lab.answer(room, "!settings style pixelart2", by=lab.admin)).body
    assert "power level 50" in (await lab.answer(room, "!style save mine some words")).body
    assert await lab.pictures(room) == []


async def test_the_words_of_then_over_a_restart_and_a_change(lab: Lab) -> None:
    """What is waiting, and what was drawn, keeps the words of its style, whatever becomes of that."""
    room = await lab.room()
    await lab.answer(room, "!style save glow {prompt} in a cave, ochre --no photo", by=lab.admin)
    await lab.answer(room, "!settings style glow", by=lab.admin)
    await lab.worker.api("POST", "/v1/pause", {})
    try:
        asked = await lab.user.send(room, f"!draw otter --no text {QUICK}")
        await lab.user.wait_for(lab.reaction(asked, "⏳"))
        await lab.answer(room, "!style save glow other words", by=lab.admin)
        await lab.maubot.restart(hard=True)
    finally:
        await lab.worker.api("POST", "/v1/resume")
    picture = await lab.user.wait_for(lab.reply_to(asked, msgtype="m.image"), timeout=60)
    used = picture.record["used"]
    assert (used["prompt"], used["negative_prompt"]) == ("otter in a cave, ochre", "text, photo")
    assert used["styles"] == [GLOW]
    await lab.answer(room, "!style delete glow", by=lab.admin)
    (again,) = await lab.draw(room, "!again --seed same", reply=picture.event_id)
    assert again.record["used"] == used
    (plain,) = await lab.draw(room, f"!draw otter {QUICK}")
    assert "The style glow is usual here, and not there any more." in plain.body
    assert plain.record["used"]["prompt"] == "otter"
