"""``!persona``: shown to all, set by moderators, with a length."""

from __future__ import annotations

from command_rig import MOD, ROOM, Rig

from otterbot import texts
from otterbot.chat.persona import MOST
from otterbot.config import ChatValues


async def test_moderators_set_it_and_all_see_it(rig: Rig) -> None:
    shown = await rig.answer("!persona")
    assert "what the operator says" in shown
    assert "chat room" in shown
    assert "power level 50" in await rig.answer("!persona You are a pirate.")
    assert await rig.answer("!persona You are *a pirate*.\nRhyme.", sender=MOD) == texts.persona_set(
        "You are *a pirate*.\nRhyme."
    )
    assert await rig.services.settings.persona(ROOM) == "You are *a pirate*.\nRhyme."
    shown = await rig.answer("!persona")
    assert r"You are \*a pirate\*\." in shown
    assert "`!persona default` goes back" in shown
    assert r"`persona`: You are \*a pirate\*\. Rhy… (room)" in await rig.answer("!settings all")
    assert await rig.answer("!persona default", sender=MOD) == texts.PERSONA_UNSET
    assert await rig.services.settings.persona(ROOM) is None
    assert "(operator)" in await rig.answer("!settings all")


async def test_too_long(rig: Rig) -> None:
    assert await rig.answer(f"!persona {'x' * (MOST + 1)}", sender=MOD) == texts.persona_too_long(MOST + 1, MOST)
    assert await rig.services.settings.persona(ROOM) is None


async def test_where_chat_is_off(rig: Rig) -> None:
    rig.values(chat=ChatValues(enabled=False))
    assert await rig.answer("!persona You are a pirate.", sender=MOD) == texts.CHAT_OFF
