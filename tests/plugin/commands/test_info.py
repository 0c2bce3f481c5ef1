"""``!info``: what made a picture, from its message alone, and a line that makes it again."""

from __future__ import annotations

import re
from typing import Any

import pytest
from command_rig import ALICE, BOB, ROOM, Rig
from maubot.matrix import parse_formatted
from reading import parse
from room_pictures import RECORD, USED, reply, thread

from otterbot import texts
from otterbot.matrix import event_content
from otterbot.texts.info import NO_LINE


def picture(rig: Rig, **used: Any) -> str:
    whole = {**USED, **used}
    record = {**RECORD, "asked": {"prompt": whole["prompt"]}, "used": event_content.canonical(whole)}
    return rig.homeserver.picture(ROOM, record, start="$start")


def line_in(said: str) -> str:
    found = re.search(r"\n(`{3,})\n(.*)\n\1\Z", said, re.DOTALL)
    assert found is not None, said
    return found[2]


async def test_the_last_picture(rig: Rig) -> None:
    picture(rig, prompt="old")
    picture(rig, guidance_scale=7.5)
    rig.homeserver.picture(ROOM, RECORD, sender=BOB)
    assert await rig.answer("!info") == (
        "This made the picture:\n\n- Prompt: otter\n- Not in it: ugly\n- Steps: 30\n- CFG: 7\\.5\n- Size: 768×768\n"
        "- Seed: 7\n- Model: ssd\\-1b\n- Sampler: UniPC\n\nThe line that draws it again:\n\n"
        "```\n!draw otter --no ugly --steps 30 --cfg 7.5 --size 768x768 --seed 7 --model ssd-1b --sampler UniPC\n```"
    )


async def test_a_reply_means_that_picture(rig: Rig) -> None:
    event = picture(rig, prompt="old")
    picture(rig)
    assert "- Prompt: old\n" in await rig.answer("!info", **reply(event))
    assert "- Prompt: old\n" in await rig.answer("!info.", **thread(event))
    assert "- Prompt: otter\n" in await rig.answer("!info")


@pytest.mark.parametrize(
    "used",
    [
        {}, {"prompt": "an angel --wings, `code` ```", "negative_prompt": ""}, {"prompt": "first\nsecond"},
        {"variation": {"seed": 4, "strength": 0.00005}}, {"sampler": "DPM++ 2M Karras"},
        {"hires": {"scale": 1.5, "strength": 0.4, "steps": 30, "upscaler": "lanczos", "width": 1152, "height": 1152}},
    ],
)  # fmt: skip
async def test_the_line_draws_the_same(rig: Rig, used: dict[str, Any]) -> None:
    event = picture(rig, **used)
    line = line_in(await rig.answer("!info"))
    again = await rig.drawn("!again --seed same", **reply(event))
    drawn = await rig.drawn(line)
    differing = {name for name in {*drawn, *again} - {"asked"} if drawn.get(name) != again.get(name)}
    if "hires" in differing:  # no flag says how many steps the second pass has; as many as the first are usual
        assert {**again["hires"], "steps": None} == {**drawn["hires"], "steps": None}
    assert differing - {"hires"} == ({"prompt"} if "--wings" in again["prompt"] else set())
    assert drawn["prompt"] == again["prompt"].replace("--", "(--:1)")


async def test_pictures_that_began_with_others(rig: Rig) -> None:
    picture(rig, init_image="a" * 64, strength=0.6)
    said = await rig.answer("!info")
    assert "- Strength: 0\\.6\n- Began with: another picture\n" in said
    assert "again, as a reply to the picture that it began with:" in said
    assert line_in(said).endswith("--strength 0.6")
    picture(rig, init_image="a" * 64, mask="a" * 64, strength=1.0)
    assert line_in(await rig.answer("!info")).endswith("--strength 1 --inpaint")
    control = {"kind": "canny", "name": "x", "hash": "y", "id": "z", "scale": 0.7, "start": 0.0, "end": 1.0}
    picture(rig, control=control)
    said = await rig.answer("!info")
    assert "- ControlNet: canny\\:0\\.7\n" in said
    assert "as a reply" in said
    assert line_in(said).endswith("--control canny:0.7")
    picture(rig, init_image="a" * 64, upscale=2, strength=0.3)
    assert line_in(await rig.answer("!info")).startswith("!upscale 2 --no ugly")


@pytest.mark.parametrize(
    "used",
    [
        {"init_image": "a", "mask": "b", "strength": 1.0},
        {"init_image": "a", "strength": 0.5, "control": {"kind": "canny"}},
        {"control": {"kind": "canny", "start": 0.5, "end": 1.0}},
        {"hires": {"scale": 2, "steps": 12}},
        {"prompt": ""},
    ],
)
async def test_what_no_line_says(rig: Rig, used: dict[str, Any]) -> None:
    picture(rig, **used)
    said = await rig.answer("!info")
    assert said.endswith(f"{NO_LINE} `!again --seed same` as a reply to it draws it once more.")


async def test_extras_are_named(rig: Rig) -> None:
    picture(
        rig,
        loras=[{"name": "penguin", "weight": 0.8}, {"name": "*oils*", "weight": -1.0}, 5, {"name": 7}],
        embeddings=[{"token": "furball", "name": "f"}],
        refiner={"name": "sdxl-refiner", "hash": "x", "hand_over": 0.8},
        vae=["x"],
    )
    said = await rig.answer("!info")
    assert "- LoRAs: penguin × 0\\.8\\, \\*oils\\* × \\-1\n- Embeddings: furball\n- Refiner: sdxl\\-refiner\n\n" in said


async def test_hostile_words_stay_words(rig: Rig) -> None:
    words = "```\n</code> @room <b>x</b> [a](http://b)\n# h\n~~~\n````"
    picture(rig, prompt=words, model="<b>@room</b>")
    said = await rig.answer("!info")
    _, page = await parse_formatted(said)
    assert set(re.findall(r"<(\w+)", page)) == {"p", "ul", "li", "pre", "code"}
    intent = parse(line_in(said), prefix="!")
    assert intent is not None
    assert intent.options.prompt == words


@pytest.mark.parametrize("used", [None, 5, {**USED, "steps": 10**400}, {**USED, "seed": "7"}, {**USED, "sampler": ""}])
async def test_a_record_that_nobody_could_have_typed(rig: Rig, used: Any) -> None:
    rig.homeserver.picture(ROOM, {**RECORD, "used": used})
    assert await rig.answer("!info") == texts.record_unusable("!")


async def test_anything_else(rig: Rig) -> None:
    assert await rig.answer("!info") == texts.no_picture("!")
    talk = str(rig.homeserver.say(ROOM, ALICE, "hello")["event_id"])
    forged = rig.homeserver.picture(ROOM, RECORD, sender=BOB)
    for event in (talk, forged):
        said = await rig.answer("!info", **reply(event))
        assert said.startswith("That message is not a picture that I drew")
        assert "`!info`" in said
    assert await rig.answer("!info", **reply("$nowhere")) == texts.PICTURE_UNREADABLE
    assert "takes no words" in await rig.answer("!info please")
    assert "`!info`" in await rig.answer("!help")
    rig.homeserver.broken = True
    assert await rig.answer("!info") == texts.PICTURE_AWAY


async def test_what_waits_is_not_drawn(rig: Rig) -> None:
    await rig.drawn("!draw a fox")
    assert await rig.answer("!info") == texts.no_picture("!")
