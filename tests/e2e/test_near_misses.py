"""Slips where nobody else can be meant, and the mark of what was refused."""

from __future__ import annotations

from lab import Lab

from .conftest import QUICK


async def test_a_slip_is_answered_where_nobody_else_is(lab: Lab, encrypted: bool) -> None:
    alone = await lab.user.create_room([lab.bot], encrypted=encrypted)
    await lab.answer(alone, "!help")
    said = await lab.answer(alone, f"!imagine otter {QUICK}")
    line = f"!draw otter {QUICK}"
    assert said.body.replace("`", "") == f"I know no !imagine. Did you mean {line}?"
    (picture,) = await lab.draw(alone, line)
    assert picture.record["used"]["prompt"] == "otter"


async def test_in_a_group_it_is_another_bots(lab: Lab, room: str) -> None:
    mark = lab.user.mark()
    for line in ("!imagine otter", "!drwa otter", "!ask why"):
        await lab.user.send(room, line)
    await lab.user.never(lab.says(room), mark)
    await lab.answer(room, "!help")


async def test_what_is_refused_is_marked_until_an_edit_mends_it(lab: Lab, room: str) -> None:
    mark = lab.user.mark()
    asked = await lab.user.send(room, f"!draw otter --stepz 2 {QUICK}")
    refused = await lab.user.wait_for(lab.reaction(asked, "❌"), mark)
    await lab.user.wait_for(lab.reply_to(asked, msgtype="m.notice"), mark)
    await lab.maubot.restart(hard=True)
    await lab.user.send(room, f"!draw otter {QUICK}", edit=asked)
    await lab.user.wait_for(lab.reply_to(asked, msgtype="m.image"), mark, 60)
    await lab.user.wait_for(lab.reaction(asked, "✅"), mark)
    await lab.user.wait_for(lambda e: e.sender == lab.bot and e.redacts == refused.event_id, mark)
