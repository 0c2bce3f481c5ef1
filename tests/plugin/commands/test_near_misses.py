"""Slips and other bots' commands: answered where nobody else can be meant, silence everywhere else."""

from __future__ import annotations

import pytest
from command_rig import ALICE, BOB, BOT, ROOM, Rig

from otterbot import texts
from otterbot.commands import handle
from otterbot.commands.permissions import MembersUnknown


async def test_alone_with_the_bot_a_slip_is_answered_with_the_line_that_works(rig: Rig) -> None:
    rig.homeserver.members[ROOM] = [ALICE, BOT]
    said = await rig.answer("!drwa otter, `hat` --steps 5", sender=ALICE)
    assert said == "I know no `!drwa`. Did you mean `!draw otter, 'hat' --steps 5`?"
    assert await rig.answer("!imagine", sender=ALICE) == "I know no `!imagine`. Did you mean `!draw`?"
    assert "`!draw …`" in await rig.answer("!imagine " + "x " * 500, sender=ALICE)
    assert await rig.say("!weather", sender=ALICE) is None
    assert await rig.say("!drwa", sender="@alice:elsewhere") is None
    assert await rig.say("!drwa otter", sender=ALICE, msgtype="m.emote") is None


async def test_elsewhere_it_is_another_bots(rig: Rig) -> None:
    rig.homeserver.members[ROOM] = [ALICE, BOB, BOT]
    for body in ("!drwa otter", "!imagine otter", "!ask why"):
        assert await rig.say(body, sender=ALICE) is None


async def test_who_cannot_be_asked_is_asked_again(rig: Rig) -> None:
    rig.homeserver.members[ROOM] = [ALICE, BOT]
    rig.homeserver.trouble["joined_members"] = [(503, {})]
    assert await handle(rig.services, rig.message("!weather", ALICE)) is None, "nobody is asked"
    with pytest.raises(MembersUnknown):
        await handle(rig.services, rig.message("!drwa otter", ALICE))
    assert "`!draw otter`" in await rig.answer("!drwa otter", sender=ALICE)


async def test_refusals_are_marked_and_answers_are_not(rig: Rig) -> None:
    for body in (
        "!draw",
        "!draw otter --steps 900",
        "!again",
        "!settings nothing 5",
        "!draw x --seed same",
    ):
        outcome = await rig.say(body)
        assert outcome is not None
        assert outcome.refused, body
    for body in ("!help", "!status", "!queue", "!settings", "!model", "!cancel", "!wildcards", "!draw otter --explain"):
        outcome = await rig.say(body)
        assert outcome is not None
        assert not outcome.refused, body
    assert texts.FAILED == "❌"
