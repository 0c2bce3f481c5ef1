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
