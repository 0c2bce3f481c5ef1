"""``!settings``: the room's own defaults for pictures, looked at by the worker, kept over a restart."""

from __future__ import annotations

from lab import Lab

from .conftest import QUICK


async def test_a_rooms_defaults_are_checked_used_and_kept(lab: Lab, room: str) -> None:
    assert "50" in (await lab.answer(room, "!settings size 96x128")).body
    refused = await lab.answer(room, "!settings size 4000x4000", by=lab.admin)
    assert "The closest is" in refused.body
    assert "rounded" in (await lab.answer(room, "!settings size 97x128", by=lab.admin)).body
    assert "Steps in this room: 2" in (await lab.answer(room, "!settings steps 2", by=lab.admin)).body
    assert "blurry" in (await lab.answer(room, "!settings negative blurry", by=lab.admin)).body
    assert "at most 1 picture" in (await lab.answer(room, "!settings count_max 1", by=lab.admin)).body
    await lab.maubot.restart()
    listed = (await lab.answer(room, "!settings all")).body
    assert "96×128 (room)" in listed
    assert "at most 1 picture" in (await lab.answer(room, "!draw otter --count 2")).body
    (picture,) = await lab.draw(room, "!draw otter")
    used = picture.record["used"]
    assert (used["width"], used["height"], used["steps"], used["negative_prompt"]) == (96, 128, 2, "blurry")
    await lab.answer(room, "!settings size default", by=lab.admin)
    (picture,) = await lab.draw(room, "!draw otter")
    assert picture.record["used"]["width"] != 96


async def test_a_model_that_does_not_take_what_is_set_is_told_at_the_change(lab: Lab) -> None:
    room = await lab.room()
    await lab.answer(room, "!model otter-noise", by=lab.admin)
    assert "256×256" in (await lab.answer(room, "!settings size 256x256", by=lab.admin)).body
    assert "does not take this room's `size`" in (await lab.answer(room, "!model default", by=lab.admin)).body
    (picture,) = await lab.draw(room, "!draw otter --steps 2")
    assert "was left out" in picture.body


async def test_a_limit_by_day_holds_over_a_restart_and_for_reactions(lab: Lab, room: str) -> None:
    assert "2 pictures in 24 hours" in (await lab.answer(room, "!settings per_day 2", by=lab.admin)).body
    await lab.draw(room, f"!draw otter {QUICK}")
    assert "1 of them is left now" in (await lab.answer(room, "!draw otter --count 2")).body
    await lab.maubot.restart()
    (picture,) = await lab.draw(room, f"!draw otter {QUICK}")
    refused = await lab.answer(room, f"!draw otter {QUICK}")
    assert "The next picture is possible in" in refused.body
    mark = lab.user.mark()
    await lab.user.react(room, picture.event_id, "🔁")
    said = await lab.user.wait_for(lab.reply_to(picture.event_id, msgtype="m.notice"), mark)
    assert "The next picture is possible in" in said.body
    assert "0 left now" in (await lab.answer(room, "!settings per_day")).body
    assert len(await lab.pictures(room)) == 2
