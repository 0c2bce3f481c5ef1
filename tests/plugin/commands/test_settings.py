"""What can be set in a room: one table for showing and setting."""

from __future__ import annotations

import re
import textwrap
import time

import pytest
from command_rig import MOD, ROOM, Rig

from otterbot import texts
from otterbot.commands.setting_rows import ROWS
from otterbot.config import ChatValues, LimitValues, QuotaValues

NAMES = [row.name for row in ROWS]
SMALL = {"name": "smollm:135m", "kind": "chat", "about": "", "available": True, "default": False}
BROKEN = {**SMALL, "name": "half:1b", "available": False, "problem": "Its file is not complete."}


def more_chat_models(rig: Rig) -> None:
    rig.worker.catalogue = {**rig.worker.catalogue, "models": [*rig.worker.catalogue["models"], SMALL, BROKEN]}


async def test_all_are_listed_with_what_changes_them(rig: Rig) -> None:
    listed = (await rig.answer("!settings all")).splitlines()
    for row in ROWS:
        line = next(line for line in listed if line.startswith(f"- `{row.name}`: "))
        assert len(re.sub(r"[`\\]", "", line).removeprefix("- ")) <= 45, "as wide as a phone"
        assert f"`!{row.change}`" in await rig.answer(f"!settings {row.name}")
    assert len(listed) == len(ROWS) + 2


def lines_on_a_phone(said: str) -> int:
    """Of 40 characters each, as a client shows them at 390 px; between two paragraphs is no whole line."""
    return sum(len(textwrap.wrap(re.sub(r"[`\\]", "", line), 40)) for line in said.splitlines())


async def test_they_fit_a_phone_with_whose_each_is(rig: Rig) -> None:
    said = await rig.answer("!settings")
    assert said.startswith("Nothing is set in this room.\n\nThe operator's: ")
    assert lines_on_a_phone(said) <= 16
    for row in ROWS:
        assert f"`{row.name}` " in said
    for typed in ("steps 20", "negative blurry, text, words", "safe on", "style watercolor", "count_max 3"):
        await rig.answer(f"!settings {typed}", sender=MOD)
    said = await rig.answer("!settings")
    assert lines_on_a_phone(said) <= 16
    own, operators, models, others, more = said.split("\n\n- ", 1)[1].split("\n\n")
    assert own.splitlines()[1:] == [
        "- `steps`: 20",
        r"- `negative`: blurry\, text\, words",
        "- `count_max`: 3",
        "- `safe`: on",
    ]
    assert (operators[:16], models[:13], others[:11]) == ("The operator's: ", "The model's: ", "By default:")
    assert "`cfg` " in models
    assert "`!settings all`" in more


@pytest.mark.parametrize("typed", ["sighs 3", "../etc", "quiet on"])
async def test_settings_that_there_are_not(rig: Rig, typed: str) -> None:
    assert await rig.answer(f"!settings {typed}", sender=MOD) == texts.settings_usage(NAMES, [], "!")


@pytest.mark.parametrize("typed", ["safe perhaps", "safe on please"])
async def test_values_that_there_are_not(rig: Rig, typed: str) -> None:
    assert await rig.answer(f"!settings {typed}", sender=MOD) == texts.switch_usage("safe", "!")
    assert "`safe`: off" in await rig.answer("!settings all")


async def test_a_name_that_is_nearly_one(rig: Rig) -> None:
    assert (await rig.answer("!settings saf on", sender=MOD)).startswith("Did you mean `safe`?")


async def test_what_has_a_command_of_its_own_does_as_that_one(rig: Rig) -> None:
    assert "`!model NAME`" in await rig.answer("!settings model")
    assert "power level 50" in await rig.answer("!settings model sdxl-turbo")
    assert await rig.answer("!settings model sdxl-turbo", sender=MOD) == texts.model_set("sdxl-turbo")
    assert "`model`: `sdxl-turbo` (room)" in await rig.answer("!settings all")
    assert await rig.answer("!settings persona You are *a pirate*.\nRhyme.", sender=MOD) == texts.persona_set(
        "You are *a pirate*.\nRhyme."
    )
    assert r"`persona`: You are \*a pirate\*\. Rhy… (room)" in await rig.answer("!settings all")


async def test_defaults_of_pictures_are_set_by_moderators_and_become_a_layer(rig: Rig) -> None:
    listed = await rig.answer("!settings all")
    for line in ("`size`: 768×768 (model)", "`steps`: 30 (model)", "`cfg`: 12 (model)", "`negative`: ugly (model)"):
        assert line in listed
    assert "power level 50" in await rig.answer("!settings size 512x640")
    for typed in ("size 512x640", "steps=20", "CFG 7,5", "negative blurry, *text*"):
        said = await rig.answer(f"!settings {typed}", sender=MOD)
        assert "could not ask" not in said
    listed = await rig.answer("!settings all")
    for line in ("`size`: 512×640 (room)", "`steps`: 20 (room)", "`cfg`: 7.5 (room)", r"blurry, \*text\* (room)"):
        assert line.replace("blurry,", r"blurry\,") in listed
    layer = {
        "layer": "room",
        "steps": 20,
        "guidance_scale": 7.5,
        "size": [512, 640],
        "negative_prompt": "blurry, *text*",
    }
    assert (await rig.drawn("!draw otter"))["layers"] == [layer]
    assert (await rig.drawn("!draw otter", room="!other:test"))["layers"] == []
    for name in ("size", "steps", "cfg", "negative"):
        assert "default" in await rig.answer(f"!settings {name} default", sender=MOD)
    assert (await rig.drawn("!draw otter"))["layers"] == []


async def test_no_negative_prompt_at_all(rig: Rig) -> None:
    assert await rig.answer('!settings negative ""', sender=MOD) == texts.negative_set("")
    assert "`negative`: nothing (room)" in await rig.answer("!settings all")
    assert (await rig.drawn("!draw otter"))["layers"] == [{"layer": "room", "negative_prompt": ""}]
    long = "x" * 4001
    assert await rig.answer(f"!settings negative {long}", sender=MOD) == texts.setting_too_long(4001, 4000)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("size 2000x2000", "❌ `ssd-1b` draws sides from 256 to 1536 pixels. The closest is `--size 1248x1248`."),
        ("steps 150", "❌ `ssd-1b` takes at most 100 steps: `--steps 100`."),
        ("cfg 25", "❌ `ssd-1b` takes a CFG of at most 20: `--cfg 20`."),
        ("size big", "`!settings size` takes width x height, each from 16 to 4096 pixels, such as `!settings size "
         "768x768`."),
        ("steps 0", "`!settings steps` takes a whole number from 1 to 200, such as `!settings steps 30`."),
        ("cfg -1", "`!settings cfg` takes a number from 0 to 30, such as `!settings cfg 7.5`."),
        ("count_max 9", texts.room_only_tightens("settings count_max", 8, "!")),
    ],
)  # fmt: skip
async def test_what_the_rooms_model_does_not_take_is_refused_when_it_is_set(rig: Rig, typed: str, said: str) -> None:
    assert await rig.answer(f"!settings {typed}", sender=MOD) == said
    assert await rig.services.store.room_settings(ROOM) == {}


async def test_a_size_is_rounded_when_it_is_set(rig: Rig) -> None:
    said = await rig.answer("!settings size 515x640", sender=MOD)
    assert "512×640" in said
    assert "rounded" in said
    assert (await rig.drawn("!draw otter"))["layers"][0]["size"] == [512, 640]


@pytest.mark.parametrize("away", ["off", "old"])
async def test_a_worker_that_cannot_say_whether_the_model_takes_it(rig: Rig, away: str) -> None:
    if away == "off":
        await rig.worker.stop()
    rig.worker.checks = False
    assert "could not ask the worker" in await rig.answer("!settings steps 150", sender=MOD)
    assert (await rig.drawn("!draw otter"))["layers"] == [{"layer": "room", "steps": 150}]


async def test_a_new_model_that_does_not_take_what_is_set(rig: Rig) -> None:
    await rig.answer("!settings steps 50", sender=MOD)
    await rig.answer("!settings size 1024x1024", sender=MOD)
    await rig.answer("!settings cfg 7", sender=MOD)
    assert await rig.answer("!model sdxl-turbo", sender=MOD) == texts.model_set("sdxl-turbo", ["steps", "cfg"])
    assert await rig.answer("!model default", sender=MOD) == texts.model_unset("ssd-1b")


async def test_a_room_allows_fewer_pictures_of_one_request(rig: Rig) -> None:
    assert "`count_max`: 8 (operator)" in await rig.answer("!settings all")
    assert await rig.answer("!settings count_max 2", sender=MOD) == texts.count_max_set(2)
    assert await rig.answer("!draw otter --count 3") == texts.too_many_pictures(2)
    assert (await rig.drawn("!draw otter --count 2"))["count"] == 2
    rig.values(limits=LimitValues(count=1))
    assert await rig.answer("!draw otter --count 2") == texts.too_many_pictures(1), "it cannot allow more"
    assert "`count_max`: 1 (room)" in await rig.answer("!settings all")
    assert await rig.answer("!settings count_max default", sender=MOD) == texts.count_max_set(1)


async def test_moderators_choose_the_chat_model(rig: Rig) -> None:
    more_chat_models(rig)
    assert "`chat`: the worker’s default (default)" in await rig.answer("!settings all")
    assert "power level 50" in await rig.answer("!settings chat smollm:135m")
    assert await rig.answer("!settings chat SmolLM:135m", sender=MOD) == texts.chat_model_set(
        SMALL["name"], checked=True
    )
    assert "`chat`: `smollm:135m` (room)" in await rig.answer("!settings all")
    assert await rig.chatted("!chat why?") == {"room_model": "smollm:135m"}
    assert "For chat: `smollm:135m` (**answers here**), `llama3.2:3b`." in await rig.answer("!models")
    assert await rig.chatted("!chat why?", room="!other:test") == {}, "other rooms have their own"
    assert "For chat: `llama3.2:3b` (**answers here**), `smollm" in await rig.answer("!models", room="!other:test")
    rig.values(chat=ChatValues(model="llama3.2:3b"))
    assert await rig.answer("!settings chat default", sender=MOD) == texts.chat_model_unset("llama3.2:3b")
    assert "`chat`: `llama3.2:3b` (operator)" in await rig.answer("!settings all")


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
    assert "`chat`: the worker’s default (default)" in await rig.answer("!settings all")


async def test_one_turn_with_another_model(rig: Rig) -> None:
    more_chat_models(rig)
    await rig.say("!settings chat llama3.2:3b", sender=MOD)
    assert await rig.chatted("!chat --model smollm:135m why?") == {"model": "smollm:135m"}
    relation = {"rel_type": "m.thread", "event_id": rig.open[-1].event_id, "is_falling_back": True}
    goes_on = await rig.chatted("and then?", **{"m.relates_to": relation})
    assert goes_on["model"] == "smollm:135m", "its thread goes on with it"
    assert await rig.chatted("!chat why?") == {"room_model": "llama3.2:3b"}


async def test_moderators_have_pictures_described(rig: Rig) -> None:
    assert "`alt`: off" in await rig.answer("!settings all")
    assert "power level 50" in await rig.answer("!settings alt describe")
    assert "describe" not in await rig.drawn("!draw otter")
    assert await rig.answer("!settings alt Describe", sender=MOD) == texts.ALT_ON
    assert "`alt`: describe (room)" in await rig.answer("!settings all")
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


async def test_a_room_sets_how_many_pictures_a_person_may_ask_for(rig: Rig) -> None:
    assert "`per_day`: no limit (operator)" in await rig.answer("!settings all")
    assert await rig.answer("!settings per_day 20", sender=MOD) == texts.per_day_set(20)
    assert "`per_day`: 20 (room)" in await rig.answer("!settings all")
    await rig.drawn("!draw otter --count 3")
    await rig.services.store.move_row("UPDATE requests SET created_at = $1 RETURNING key", time.time())
    assert "For one person in this room: 20 pictures in 24 hours; 17 left now." in await rig.answer("!settings per_day")
    assert "20 left now" in await rig.answer("!settings per_day", sender=MOD)
    rig.values(limits=LimitValues(person=QuotaValues(per_day=10)))
    assert "`per_day`: 10 (room)" in await rig.answer("!settings all")
    assert await rig.answer("!settings per_day 11", sender=MOD) == texts.room_only_tightens("settings per_day", 10, "!")
    assert await rig.answer("!settings per_day default", sender=MOD) == texts.per_day_set(10)
    assert "power level 50" in await rig.answer("!settings per_day 5")


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("🔁 ⭐", ("🔁", "⭐")),
        ("⬆🎲", ("⬆\ufe0f", "🎲")),
        ("off", ()),
        ("OFF", ()),
        ("default", ("🔁", "🎲", "⬆\ufe0f")),
    ],
)
async def test_what_is_offered_under_pictures(rig: Rig, typed: str, stored: tuple[str, ...]) -> None:
    assert await rig.answer(f"!settings offer {typed}", MOD) == texts.offer_set(stored)
    assert await rig.services.settings.offered(ROOM) == stored
    assert f"`offer`: {texts.offered(stored)}" in await rig.answer("!settings all")


async def test_what_nothing_follows_from_is_not_offered(rig: Rig) -> None:
    for typed in ("👍", "🔁 otter", "2️⃣"):
        said = await rig.answer(f"!settings offer {typed}", MOD)
        assert said.startswith("Nothing follows from ")
    assert await rig.services.settings.offered(ROOM) == rig.services.config.current.reactions.offer
    assert await rig.answer("!settings offer off") == texts.may_not_change_settings(50)
