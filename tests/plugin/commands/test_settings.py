"""What can be set in a room: one table for showing and setting."""

from __future__ import annotations

import pytest
from command_rig import MOD, ROOM, Rig

from otterbot import texts
from otterbot.commands.setting_rows import ROWS
from otterbot.config import ChatValues

NAMES = [row.name for row in ROWS]
SMALL = {"name": "smollm:135m", "kind": "chat", "about": "", "available": True, "default": False}
BROKEN = {**SMALL, "name": "half:1b", "available": False, "problem": "Its file is not complete."}


def more_chat_models(rig: Rig) -> None:
    rig.worker.catalogue = {**rig.worker.catalogue, "models": [*rig.worker.catalogue["models"], SMALL, BROKEN]}


async def test_all_are_listed_with_what_changes_them(rig: Rig) -> None:
    listed = await rig.answer("!settings")
    for row in ROWS:
        line = next(line for line in listed.splitlines() if line.startswith(f"- {row.title}: "))
        assert f"`!{row.change}` changes it." in line


@pytest.mark.parametrize("typed", ["size 3", "../etc", "saf on"])
async def test_settings_that_there_are_not(rig: Rig, typed: str) -> None:
    assert await rig.answer(f"!settings {typed}", sender=MOD) == texts.settings_usage(NAMES, "!")


@pytest.mark.parametrize("typed", ["safe perhaps", "safe on please"])
async def test_values_that_there_are_not(rig: Rig, typed: str) -> None:
    assert await rig.answer(f"!settings {typed}", sender=MOD) == texts.switch_usage("safe", "!")
    assert "Safe mode: off" in await rig.answer("!settings")


async def test_what_has_a_command_of_its_own_names_it(rig: Rig) -> None:
    assert "`!model NAME` changes it" in await rig.answer("!settings model ssd-1b", sender=MOD)


async def test_moderators_choose_the_chat_model(rig: Rig) -> None:
    more_chat_models(rig)
    assert "Chat model: the worker’s default" in await rig.answer("!settings")
    assert "power level 50" in await rig.answer("!settings chat smollm:135m")
    assert await rig.answer("!settings chat SmolLM:135m", sender=MOD) == texts.chat_model_set(
        SMALL["name"], checked=True
    )
    assert "Chat model: `smollm:135m`" in await rig.answer("!settings")
    assert await rig.chatted("!chat why?") == {"room_model": "smollm:135m"}
    assert "For chat: `smollm:135m` (**answers here**), `llama3.2:3b`." in await rig.answer("!models")
    assert await rig.chatted("!chat why?", room="!other:test") == {}, "other rooms have their own"
    assert "For chat: `llama3.2:3b` (**answers here**), `smollm" in await rig.answer("!models", room="!other:test")
    rig.values(chat=ChatValues(model="llama3.2:3b"))
    assert await rig.answer("!settings chat default", sender=MOD) == texts.chat_model_unset("llama3.2:3b")
    assert "Chat model: `llama3.2:3b`" in await rig.answer("!settings")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("llama3.2", "Did you mean `llama3.2:3b`"),
        ("ssd-1b", "draws pictures and cannot chat"),
        ("half:1b", "Its file is not complete"),
        ("x", "I do not know the chat model `x`."),
    ],
)
async def test_models_that_cannot_chat(rig: Rig, typed: str, said: str) -> None:
    more_chat_models(rig)
    assert said in await rig.answer(f"!settings chat {typed}", sender=MOD)
    assert said in await rig.answer(f"!chat --model {typed} why?")
    assert "Chat model: the worker’s default" in await rig.answer("!settings")


async def test_one_turn_with_another_model(rig: Rig) -> None:
    more_chat_models(rig)
    await rig.say("!settings chat llama3.2:3b", sender=MOD)
    assert await rig.chatted("!chat --model smollm:135m why?") == {"model": "smollm:135m"}
    relation = {"rel_type": "m.thread", "event_id": rig.open[-1].event_id, "is_falling_back": True}
    goes_on = await rig.chatted("and then?", **{"m.relates_to": relation})
    assert goes_on["model"] == "smollm:135m", "its thread goes on with it"
    assert await rig.chatted("!chat why?") == {"room_model": "llama3.2:3b"}


async def test_moderators_have_pictures_described(rig: Rig) -> None:
    assert "Alt text: off" in await rig.answer("!settings")
    assert "power level 50" in await rig.answer("!settings alt describe")
    assert "describe" not in await rig.drawn("!draw otter")
    assert await rig.answer("!settings alt Describe", sender=MOD) == texts.ALT_ON
    assert "Alt text: describe" in await rig.answer("!settings")
    assert (await rig.drawn("!draw otter"))["describe"] is True
    assert "describe" not in await rig.drawn("!draw otter", room="!other:test")
    assert await rig.answer("!settings alt perhaps", sender=MOD) == texts.alt_usage("!")
    assert await rig.answer("!settings alt off", sender=MOD) == texts.ALT_OFF
    assert "describe" not in await rig.drawn("!draw otter")


async def test_the_list_of_models_says_which_see_pictures(rig: Rig) -> None:
    sees = {**SMALL, "name": "llava:7b", "sees_pictures": True}
    rig.worker.catalogue = {**rig.worker.catalogue, "models": [*rig.worker.catalogue["models"], SMALL, sees]}
    listed = await rig.answer("!models")
    assert "`llava:7b` (sees pictures)" in listed
    assert "`smollm:135m`." in listed or "`smollm:135m`," in listed


async def test_a_model_that_was_installed_a_moment_ago(rig: Rig) -> None:
    assert "I do not know the chat model" in await rig.answer("!chat --model smollm:135m why?")
    more_chat_models(rig)
    assert await rig.chatted("!chat --model smollm:135m why?") == {"model": "smollm:135m"}
    assert await rig.answer("!settings chat smollm:135m", sender=MOD) == texts.chat_model_set(
        SMALL["name"], checked=True
    )


@pytest.mark.parametrize(
    ("typed", "stored"),
    [("🔁 ⭐", ("🔁", "⭐")), ("⬆🎲", ("⬆\ufe0f", "🎲")), ("off", ()), ("OFF", ()), ("default", ("🔁", "🎲", "⬆\ufe0f"))],
)
async def test_what_is_offered_under_pictures(rig: Rig, typed: str, stored: tuple[str, ...]) -> None:
    assert await rig.answer(f"!settings offer {typed}", MOD) == texts.offer_set(stored)
    assert await rig.services.settings.offered(ROOM) == stored
    assert texts.offered(stored) in await rig.answer("!settings")


async def test_what_nothing_follows_from_is_not_offered(rig: Rig) -> None:
    for typed in ("👍", "🔁 otter", "2️⃣"):
        said = await rig.answer(f"!settings offer {typed}", MOD)
        assert said.startswith("Nothing follows from ")
    assert await rig.services.settings.offered(ROOM) == rig.services.config.current.reactions.offer
    assert await rig.answer("!settings offer off") == texts.may_not_change_settings(50)
