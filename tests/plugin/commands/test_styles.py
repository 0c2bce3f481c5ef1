"""Styles in a room: lists, requests, a room's own, what it is used to, and what becomes of them afterwards."""

from __future__ import annotations

import json
from typing import Any

import pytest
from command_rig import ALICE, BOT, MOD, ROOM, Rig
from room_pictures import RECORD, USED, reply, thread

from otterbot import texts
from otterbot.commands.style import MOST
from otterbot.config import DrawValues
from otterbot.matrix import event_content

GLOW = {"name": "glow", "prompt": "{prompt} with a glow", "negative_prompt": "dull"}
STYLED = {
    **USED, "prompt": "otter with a glow", "negative_prompt": "ugly, dull", "styles": [GLOW],
    "styled": {"prompt": "otter", "negative_prompt": "ugly"},
}  # fmt: skip


def picture(rig: Rig, asked: dict[str, Any] | None = None, **used: Any) -> str:
    record = {**RECORD, "asked": asked or {"prompt": "otter", "style": ["glow"]}, "used": {**STYLED, **used}}
    return rig.homeserver.picture(ROOM, record)


def usual(body: dict[str, Any]) -> list[Any]:
    return [layer["style"] for layer in body["layers"] if "style" in layer]


async def saved(rig: Rig, text: str) -> str:
    return await rig.answer(f"!style save {text}", MOD)


# ---------------------------------------------------------------- lists


async def test_the_list_has_a_line_for_each_by_groups(rig: Rig) -> None:
    said = await rig.answer("!styles")
    assert said.index("**painting**") < said.index("- `watercolor`: thin washes") < said.index("**light**")
    assert "Page" not in said
    await saved(rig, "cave cave painting, ochre")
    said = await rig.answer("!styles")
    assert said.index("own**") < said.index("- `cave`: cave painting\\, ochre") < said.index("watercolor")


async def test_a_long_list_comes_in_pages(rig: Rig) -> None:
    many = [{"name": f"style{number}", "about": "a", "group": "g"} for number in range(30)]
    rig.worker.styles = {"styles": many, "problems": [{"name": "s.csv", "problem": "is no `CSV`"}], "whole": True}
    first, last = await rig.answer("!styles"), await rig.answer("!styles 3")
    assert first.count("- `style") == 12
    assert "Page 1 of 3: `!styles 2` goes on" in first
    assert "Files of styles: `s.csv` is no \\`CSV\\`." in first
    assert last.count("- `style") == 6
    assert "goes on" not in last
    assert await rig.answer("!styles 99") == last
    assert len(first) < 1_500, "it fits on a phone"


async def test_a_word_is_looked_for_in_names_and_lines(rig: Rig) -> None:
    found = await rig.answer("!styles paint")
    assert found.index("oil-painting") < found.index("watercolor"), "names first, then groups and lines"
    assert "backlit" not in found
    assert "backlit" in await rig.answer("!styles Light")
    none = await rig.answer("!styles watercolour")
    assert "Did you mean `watercolor`?" in none
    assert "No style has `zzz`" in await rig.answer("!styles zzz")


async def test_without_the_worker_a_rooms_own_are_known(rig: Rig) -> None:
    await saved(rig, "cave cave painting")
    rig.worker.styles = None
    said = await rig.answer("!styles")
    assert "`cave`" in said
    assert texts.STYLES_OLD in said
    await rig.worker.stop()
    said = await rig.answer("!styles")
    assert "`cave`" in said
    assert texts.STYLES_AWAY in said


# ---------------------------------------------------------------- requests


async def test_what_is_asked_of_the_worker(rig: Rig) -> None:
    body = await rig.drawn("!draw otter --style watercolor,Backlit --style oil-painting")
    assert body["style"] == body["asked"]["style"] == ["watercolor", "Backlit", "oil-painting"]
    assert "style" not in await rig.drawn("!draw otter"), "an older worker is not asked for what nobody wants"
    await saved(rig, "Cave cave painting of {prompt}, ochre --no photo, text")
    body = await rig.drawn("!draw otter --style watercolor,cave")
    own = {"name": "Cave", "prompt": "cave painting of {prompt}, ochre", "negative_prompt": "photo, text"}
    assert body["style"] == ["watercolor", own]
    assert body["asked"]["style"] == ["watercolor", "cave"], "the words are not said twice"


async def test_what_a_room_and_an_instance_are_used_to(rig: Rig) -> None:
    rig.values(draw=DrawValues(style=("backlit",)))
    assert usual(await rig.drawn("!draw otter")) == [["backlit"]]
    assert "`backlit`" in await rig.answer("!settings style")
    await saved(rig, "cave cave painting")
    said = await rig.answer("!settings style Water Color, cave", MOD)
    assert "`watercolor`, `cave`" in said
    own = {"name": "cave", "prompt": "cave painting", "negative_prompt": ""}
    assert usual(await rig.drawn("!draw otter")) == [["watercolor", own], ["backlit"]]
    assert "drawn in watercolor\\, cave where" in await rig.answer("!styles")
    body = await rig.drawn("!draw otter --style none")
    assert (body["style"], body["asked"]["style"]) == ([], [])
    await rig.answer("!settings style none", MOD)
    assert usual(await rig.drawn("!draw otter")) == [[], ["backlit"]]
    await rig.answer("!settings style default", MOD)
    assert usual(await rig.drawn("!draw otter")) == [["backlit"]]


async def test_a_style_is_checked_when_it_is_set(rig: Rig) -> None:
    assert "Did you mean `watercolor`?" in await rig.answer("!settings style watercolour", MOD)
    assert await rig.services.store.room_settings(ROOM) == {}
    assert "`!settings style watercolor,backlit`" in await rig.answer("!settings style none,watercolor", MOD)
    assert "power level 50" in await rig.answer("!settings style watercolor")
    rig.worker.styles = {"styles": [], "whole": False}
    assert "could not ask" in await rig.answer("!settings style watercolour", MOD), "nobody could look"
    rig.worker.styles = None
    assert await rig.answer("!settings style watercolor", MOD) == texts.STYLES_OLD


# ---------------------------------------------------------------- a picture that is there


async def test_again_has_the_words_that_its_styles_were(rig: Rig) -> None:
    await saved(rig, "glow other words")
    rig.values(draw=DrawValues(style=("backlit",)))
    event = picture(rig)
    body = await rig.drawn("!again --seed same", **reply(event))
    assert (body["prompt"], body["negative_prompt"], body["style"]) == ("otter", "ugly", [GLOW])
    assert (body["asked"]["style"], body["seed"], usual(body)) == (["glow"], 7, [])
    changed = await rig.drawn("!again +red scarf", **reply(event))
    assert (changed["prompt"], changed["style"]) == ("otter, red scarf", [GLOW])
    other = await rig.drawn("!again --style watercolor", **reply(event))
    assert (other["prompt"], other["style"]) == ("otter", ["watercolor"])
    assert (await rig.drawn("!again --style none", **reply(event)))["style"] == []
    assert (await rig.drawn("!again --model sdxl-turbo", **reply(event)))["style"] == [GLOW]
    assert (await rig.drawn("!vary", **reply(event)))["style"] == [GLOW]
    larger = await rig.drawn("!upscale", **reply(event))
    assert (larger["prompt"], larger["style"], usual(larger)) == ("otter", [GLOW], [])
    plain = rig.homeserver.picture(ROOM, RECORD)
    body = await rig.drawn("!again", **reply(plain))
    assert ("style" in body, usual(body)) == (False, []), "it had none"


async def test_again_before_it_is_drawn(rig: Rig) -> None:
    await rig.say("!draw otter --style watercolor")
    assert (await rig.drawn("!again"))["style"] == ["watercolor"]
    [*_, last] = rig.open
    resolved = {**USED, "styles": [GLOW], "styled": None}
    await rig.services.store.submitted(last.key, "j", resolved)
    body = await rig.drawn("!again")
    assert (body["prompt"], body["style"]) == ("otter", [GLOW]), "as the worker fixed it"


async def test_a_picture_with_long_styles_keeps_its_record(rig: Rig) -> None:
    """What an event has no room for is what the rest of it says."""
    words, long = "猫" * 1_500, {"name": "long", "prompt": "é" * 2_000, "negative_prompt": ""}
    used = {**STYLED, "prompt": f"{words}, {long['prompt']}", "styles": [long],
            "styled": {"prompt": words, "negative_prompt": ""}}  # fmt: skip
    record = {**RECORD, "asked": {"prompt": words, "style": ["long"]}, "used": used}
    content = {"body": "x", "org.otterbot": {"record": record}}
    assert event_content.size(content) > event_content.MAX_CONTENT
    fitted = event_content.fit(content)
    assert event_content.size(fitted) <= event_content.MAX_CONTENT
    event = rig.homeserver.picture(ROOM, fitted["org.otterbot"]["record"])
    body = await rig.drawn("!again --seed same", **reply(event))
    assert (body["prompt"], body["style"]) == (words, [long])


@pytest.mark.parametrize(
    "lie", [{"styles": "x"}, {"styles": [1]}, {"styles": [GLOW] * 9}, {"styled": {"prompt": 7}},
            {"styles": [{**GLOW, "prompt": "x" * 4_001}]}]
)  # fmt: skip
async def test_a_record_that_lies_is_not_believed(rig: Rig, lie: dict[str, Any]) -> None:
    assert await rig.answer("!again", **reply(picture(rig, **lie))) == texts.record_unusable("!")


async def test_info_names_them_and_so_does_its_line(rig: Rig) -> None:
    said = await rig.answer("!info", **reply(picture(rig)))
    assert "- Prompt: otter\n" in said
    assert "- Style: glow\n" in said
    assert "!draw otter --no ugly" in said
    assert "--style glow" in said
    plain = rig.homeserver.picture(ROOM, RECORD)
    assert "--style" not in await rig.answer("!info", **reply(plain))
    await rig.answer("!settings style watercolor", MOD)
    said = await rig.answer("!info", **reply(plain))
    assert "--style none" in said, "else the line would draw another picture here"
    assert "Style: none" not in said


async def test_explain_shows_what_it_becomes(rig: Rig) -> None:
    fragment = {"text": "otter", "weight": 1.0, "part": 0, "chunk": 0}
    rig.worker.explained = {"prompt": {"kind": "plain", "fragments": [fragment], "part_weights": [1.0], "notes": []}}
    await rig.answer("!draw otter --explain")
    await rig.answer("!draw otter --style watercolor --explain")
    await rig.answer("!settings style backlit", MOD)
    await rig.answer("!draw otter --explain")
    assert [one.get("style") for one in rig.worker.asked] == [None, ["watercolor"], ["backlit"]]


# ---------------------------------------------------------------- a room's own


async def test_a_style_of_a_pictures_words(rig: Rig) -> None:
    event = picture(rig, asked={"prompt": "otter", "negative_prompt": "ugly"})
    said = await rig.answer("!style save Warm", MOD, **reply(event))
    assert "`Warm` is a style of this room's own now" in said
    assert "- behind other words: otter with a glow\n- not in it: ugly\\, dull" in said
    assert (await rig.drawn("!draw fox --style warm"))["style"] == [
        {"name": "Warm", "prompt": "otter with a glow", "negative_prompt": "ugly, dull"}
    ]
    nobody_said = picture(rig)
    assert "not in it: dull" in await rig.answer("!style save warm", MOD, **reply(nobody_said)), (
        "the model's own is not"
    )
    assert "another style" in await rig.answer("!style save WARM", MOD, **thread(event))
    assert len(await rig.services.store.styles(ROOM)) == 1


async def test_a_style_of_words(rig: Rig) -> None:
    said = await saved(rig, "cave {prompt}, cave painting --no photo")
    assert "around the words that go where `{prompt}` stands" in said
    assert "- not in it: photo" in said
    assert "another style" in await saved(rig, "cave otherwise")
    assert [style.prompt for style in await rig.services.store.styles(ROOM)] == ["otherwise"]


async def test_what_cannot_be_saved(rig: Rig) -> None:
    event = picture(rig)
    assert "power level 50" in await rig.answer("!style save glow", ALICE, **reply(event))
    for text in ("", "save", "watercolor", "delete"):
        assert await rig.answer(f"!style {text}", MOD) == texts.style_usage("!")
    assert await saved(rig, "glow") == texts.style_needs_a_picture("!"), "no reply"
    for name in ("none", "a,b", "x" * 101):
        assert await rig.answer(f"!style save {name}", MOD, **reply(event)) == texts.bad_style_name("!")
    assert await saved(rig, "glow shiny --steps 3") == texts.style_is_words("!")
    assert "I do not know the flag `--stepz`" in await saved(rig, "glow shiny --stepz 3")
    assert await saved(rig, f"glow {'x' * 4_001}") == texts.style_too_long(4_000)
    content = {"msgtype": "m.image", "body": "x", "url": "mxc://test/a", "org.otterbot": {"v": 1, "record": RECORD}}
    mine = rig.homeserver.add(ROOM, ALICE, "m.room.message", content)["event_id"]
    assert await rig.answer("!style save glow", MOD, **reply(mine)) == texts.style_needs_a_picture("!"), "not the bot's"
    assert await rig.services.store.styles(ROOM) == []


async def test_a_room_has_so_many(rig: Rig) -> None:
    for number in range(MOST):
        await saved(rig, f"style{number} words")
    assert await saved(rig, "onemore words") == texts.too_many_styles(MOST, "!")
    assert "another style" in await saved(rig, "style7 other words")


async def test_one_is_deleted(rig: Rig) -> None:
    await saved(rig, "cave words")
    await rig.answer("!settings style cave", MOD)
    assert "power level 50" in await rig.answer("!style delete cave")
    assert "It has `cave`" in await rig.answer("!style delete watercolor", MOD)
    said = await rig.answer("!style delete Cave", MOD)
    assert "`!settings style default` ends that" in said
    assert usual(await rig.drawn("!draw otter")) == [["cave"]], "the worker says that it is gone"
    assert "It has none" in await rig.answer("!style delete cave", MOD)


async def test_rooms_do_not_share_them_and_an_upgraded_room_keeps_them(rig: Rig) -> None:
    await saved(rig, "cave words")
    await rig.answer("!settings style cave", MOD)
    rig.homeserver.create("!other:test", MOD, "12", {})
    rig.homeserver.join("!other:test", BOT, ALICE, MOD)
    assert (await rig.drawn("!draw otter --style cave", room="!other:test"))["style"] == ["cave"]
    rig.homeserver.create("!new:test", MOD, "12", {}, predecessor={"room_id": ROOM})
    create = rig.homeserver.state[ROOM]["m.room.create"]
    tombstone = {**create, "type": "m.room.tombstone", "content": {"replacement_room": "!new:test"}}
    rig.homeserver.state[ROOM]["m.room.tombstone"] = tombstone
    rig.homeserver.join("!new:test", BOT, ALICE, MOD)
    own = {"name": "cave", "prompt": "words", "negative_prompt": ""}
    assert usual(await rig.drawn("!draw otter", room="!new:test")) == [[own]]
    assert "style" not in await rig.services.store.room_settings("!other:test")
    told = [json.dumps(part.content) for part in await rig.services.store.pending_parts() if part.part == "settings"]
    assert "its 1 style" in "".join(told)
