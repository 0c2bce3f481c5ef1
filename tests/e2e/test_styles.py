"""Styles in a real room: the worker's, a room's own, and that what a picture was drawn in is kept."""

from __future__ import annotations

from lab import Lab

from .conftest import QUICK

GLOW = {"name": "glow", "prompt": "{prompt} in a cave, ochre", "negative_prompt": "photo"}


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
