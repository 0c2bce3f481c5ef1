"""The same picture with other words: ``!again --prompt``, ``!again +red scarf -cowboy hat``."""

from __future__ import annotations

from typing import Any

import pytest
from command_rig import ROOM, Rig
from room_pictures import RECORD, USED, reply

from otterbot import texts

PROMPT = "otter, (cowboy hat)++, sea"
WRITTEN = {"prompt": "otter, (hat)++", "model": "llama3.2:3b"}


def picture(rig: Rig, prompt: str = PROMPT, **used: Any) -> dict[str, Any]:
    whole = {**USED, "prompt": prompt, **used}
    record = {**RECORD, "asked": {"prompt": prompt, "steps": 30}, "used": whole}
    return reply(rig.homeserver.picture(ROOM, record))


async def test_words_are_added_and_taken_out_and_the_seed_stays(rig: Rig) -> None:
    body = await rig.drawn("!again +red scarf -cowboy hat", **picture(rig))
    assert (body["prompt"], body["seed"], body["count"]) == ("otter, sea, red scarf", USED["seed"], 1)
    assert body["asked"] == {"prompt": "otter, sea, red scarf", "steps": 30}
    body = await rig.drawn("!again -sea -otter +fox --steps 5 --count 2", **picture(rig))
    assert (body["prompt"], body["steps"], body["count"]) == ("(cowboy hat)++, fox", 5, 2)


async def test_all_words_anew(rig: Rig) -> None:
    body = await rig.drawn('!again --prompt "otter, red scarf"', **picture(rig))
    assert (body["prompt"], body["seed"]) == ("otter, red scarf", USED["seed"])
    assert body["asked"]["prompt"] == "otter, red scarf"


async def test_another_seed_only_where_it_is_asked_for(rig: Rig) -> None:
    where = picture(rig)
    assert (await rig.drawn("!again +scarf --seed 3", **where))["seed"] == 3
    seeds = {(await rig.drawn("!again +scarf --seed random", **where))["seed"] for _ in range(2)}
    assert seeds - {USED["seed"]}
    variation = picture(rig, variation={"seed": 9, "strength": "0.2"})
    assert (await rig.drawn("!again +scarf", **variation))["variation"] == {"seed": 9, "strength": 0.2}


async def test_what_is_not_found_is_said_and_nothing_is_drawn(rig: Rig) -> None:
    said = await rig.answer("!again +scarf -boots -hat -*bold*", **picture(rig, "otter, hat"))
    assert said == texts.words_not_found(["boots", "*bold*"], "!")
    assert "“boots” and “\\*bold\\*”" in said
    assert await rig.answer("!again -otter", **picture(rig, "otter")) == texts.no_words_left("!")


async def test_a_flag_with_one_dash_that_is_no_word_of_it(rig: Rig) -> None:
    said = await rig.answer("!again -steps", **picture(rig))
    assert "`--steps`" in said
    assert texts.words_not_found(["steps"], "!") in said
    body = await rig.drawn("!again -portrait", **picture(rig, "otter, portrait"))
    assert body["prompt"] == "otter"
    assert "two" in await rig.answer("!again -n 4", **picture(rig))


async def test_vary_takes_other_words_too(rig: Rig) -> None:
    body = await rig.drawn("!vary 0.1 +red scarf --count 2", **picture(rig))
    assert (body["prompt"], body["seed"], body["count"]) == (f"{PROMPT}, red scarf", USED["seed"], 2)
    assert body["variation"]["strength"] == 0.1
    assert (await rig.drawn("!vary --prompt fox", **picture(rig)))["prompt"] == "fox"


async def test_of_a_written_prompt_both_change(rig: Rig) -> None:
    where = picture(rig, "an old otter in a (hat)++, sunset", expansion=WRITTEN)
    body = await rig.drawn("!again -hat +scarf", **where)
    assert body["prompt"] == "an old otter in a, sunset, scarf"
    assert body["expansion"] == {**WRITTEN, "prompt": "otter, scarf"}
    body = await rig.drawn("!again -sunset", **where)
    assert (body["prompt"], body["expansion"]) == ("an old otter in a (hat)++", WRITTEN)
    body = await rig.drawn("!again -hat --expand", **where)
    assert (body["prompt"], body["expand"], body.get("expansion")) == ("otter", True, None)
    assert await rig.answer("!again -sunset --expand", **where) == texts.words_not_found(["sunset"], "!")
    body = await rig.drawn("!again --prompt fox", **where)
    assert (body["prompt"], body.get("expansion")) == ("fox", None)


async def test_a_prompt_of_parts(rig: Rig) -> None:
    where = picture(rig, '("otter in a hat", "the sea").and()')
    assert await rig.answer("!again +scarf", **where) == texts.nothing_added_to_parts("!")
    assert await rig.answer("!again -the sea", **where) == texts.part_left_empty("!")
    assert (await rig.drawn("!again -hat", **where))["prompt"] == '("otter in a", "the sea").and()'


@pytest.mark.parametrize("typed", ["+scarf", "-otter"])
async def test_an_upscaled_picture_keeps_its_words(rig: Rig, typed: str) -> None:
    where = picture(rig, upscale=2, init_image="f" * 64)
    said = await rig.answer(f"!again {typed}", **where)
    assert said in (texts.upscaled_keeps_its_words("!"), texts.start_lost("!"))


async def test_words_are_held_to_the_length_of_a_prompt(rig: Rig) -> None:
    where = picture(rig, "a" * 3_990)
    assert await rig.answer("!again +a red scarf", **where) == texts.prompt_too_long(4_003, 4_000)
