"""Words by chance: what `!again`, `!vary` and `!upscale` ask for, `!info`, `--explain` and `!wildcards`."""

from __future__ import annotations

from typing import Any

import pytest
from command_rig import ROOM, Rig
from room_pictures import RECORD, USED, reply

from otterbot import texts

TEMPLATE, NEGATIVE = "otter, {red|green} hat", "{text|frame}"
CHANCE = {"prompt": TEMPLATE, "negative_prompt": NEGATIVE}
DRAWN = {"prompt": "otter, red hat", "negative_prompt": "frame"}


def picture(rig: Rig, asked: dict[str, Any] | None = None, **used: Any) -> dict[str, Any]:
    record = {**RECORD, "asked": {"prompt": TEMPLATE, "negative_prompt": NEGATIVE} if asked is None else asked}
    whole = {**USED, **DRAWN, "chance": CHANCE, **used}
    return reply(rig.homeserver.picture(ROOM, {**record, "used": whole}))


def words(body: dict[str, Any]) -> tuple[Any, ...]:
    return body["prompt"], body.get("negative_prompt"), body.get("chance")


async def test_typed_words_are_sent_as_they_are(rig: Rig) -> None:
    body = await rig.drawn("!draw otter, {red|green} hat --no {text|frame}")
    assert words(body) == (TEMPLATE, NEGATIVE, None)
    assert (await rig.drawn("!draw a __animal__"))["prompt"] == "a __animal__"


async def test_again_draws_anew_and_same_keeps_what_was_drawn(rig: Rig) -> None:
    where = picture(rig)
    body = await rig.drawn("!again", **where)
    assert words(body) == (TEMPLATE, NEGATIVE, None)
    assert body["asked"] == {"prompt": TEMPLATE, "negative_prompt": NEGATIVE}
    assert words(await rig.drawn("!again --seed 5", **where)) == (TEMPLATE, NEGATIVE, None)
    for line in ("!again --seed same", "!vary", "!upscale"):
        assert words(await rig.drawn(line, **where)) == (*DRAWN.values(), CHANCE), line


async def test_words_that_are_typed_anew_are_drawn_and_all_others_stay(rig: Rig) -> None:
    where = picture(rig)
    body = await rig.drawn("!again --seed same --no {a|b}", **where)
    assert words(body) == ("otter, red hat", "{a|b}", {"prompt": TEMPLATE})
    body = await rig.drawn("!again +{big|small} scarf -red hat", **where)
    assert words(body) == ("otter, {big|small} scarf", "frame", {"negative_prompt": NEGATIVE})
    body = await rig.drawn('!again --prompt "{fox|eel}"', **where)
    assert words(body) == ("{fox|eel}", "frame", {"negative_prompt": NEGATIVE})
    body = await rig.drawn("!again +scarf --seed 5", **where)
    assert words(body) == ("otter, red hat, scarf", NEGATIVE, None)


async def test_another_model_has_a_negative_prompt_of_its_own(rig: Rig) -> None:
    where = picture(rig, asked={"prompt": TEMPLATE})
    assert words(await rig.drawn("!again --seed same --model sdxl", **where)) == (
        "otter, red hat", None, {"prompt": TEMPLATE},
    )  # fmt: skip
    assert words(await rig.drawn("!upscale --model sdxl", **where)) == ("otter, red hat", None, {"prompt": TEMPLATE})


async def test_words_of_pictures_from_before_chance_stay_words(rig: Rig) -> None:
    where = picture(rig, asked={"prompt": "{a|b}, {hat}"}, prompt="{a|b}, {hat}", negative_prompt="__x__", chance=None)
    for line in ("!again", "!again --seed same", "!vary", "!upscale"):
        assert words(await rig.drawn(line, **where)) == (r"\{a|b}, \{hat}", r"\__x__", None), line


async def test_what_a_language_model_wrote_stays_with_its_template(rig: Rig) -> None:
    written = {"prompt": "otter, red hat", "model": "llama3.2:3b"}
    where = picture(rig, prompt="an otter in a red hat, sunset", expansion=written)
    body = await rig.drawn("!again", **where)
    assert words(body) == ("an otter in a red hat, sunset", NEGATIVE, {"prompt": TEMPLATE})
    assert body["expansion"] == written
    body = await rig.drawn("!again --expand", **where)
    assert words(body) == (TEMPLATE, NEGATIVE, None)
    body = await rig.drawn("!again --expand --seed same", **where)
    assert words(body) == ("otter, red hat", "frame", CHANCE)


@pytest.mark.parametrize("lie", [5, [], {"prompt": 7}, {"prompt": "x" * 4_001}, {"prompt": "\ud800"}])
async def test_a_record_that_lies_is_not_believed(rig: Rig, lie: Any) -> None:
    where = picture(rig, chance=lie)
    assert words(await rig.drawn("!again", **where)) == ("otter, red hat", "frame", None)


async def test_info_says_what_words_were_drawn_from(rig: Rig) -> None:
    said = await rig.answer("!info", **picture(rig))
    assert "- Drawn from: otter\\, \\{red\\|green\\} hat\n" in said
    assert "- Not in it, drawn from: \\{text\\|frame\\}\n" in said
    assert "!draw otter, red hat --no frame" in said
    said = await rig.answer("!info", **picture(rig, prompt="{a|b}", chance=None))
    assert r"!draw \{a|b} --no frame" in said


async def test_an_explanation_says_what_may_come_and_one_outcome(rig: Rig) -> None:
    rig.worker.info["features"] = ["chance"]
    rig.worker.explained = {
        "prompt": {
            "drawn": "otter, red hat",
            "chance": [
                {"options": ["red", "", "*green*"], "there": 3, "least": 1, "most": 1},
                {"options": [], "there": 35, "wildcard": "animals/*", "least": 1, "most": 2, "joiner": " and "},
            ],
            "fragments": [{"text": "otter, red hat", "weight": 1}],
        }
    }
    said = await rig.answer("!draw {red||*green*} __animals/*__ --seed 42 --explain")
    assert "- one of “red”, *nothing*, “\\*green\\*”\n" in said
    assert "- 1 to 2 lines of `animals/*`, which has 35 lines, joined by “and”" in said
    assert "For example with the seed 42: “otter\\, red hat”." in said
    assert rig.worker.asked[-1]["seed"] == 42
    await rig.answer("!draw otter --explain")
    assert "seed" not in rig.worker.asked[-1]


async def test_an_older_worker_is_asked_for_no_outcome(rig: Rig) -> None:
    await rig.answer("!draw {a|b} --explain")
    assert "seed" not in rig.worker.asked[-1]


async def test_wildcards_are_listed(rig: Rig) -> None:
    assert await rig.answer("!wildcards") == texts.WILDCARDS_UNKNOWN
    rig.worker.wildcards = []
    assert await rig.answer("!wildcards") == texts.NO_WILDCARDS
    rig.worker.wildcards = [
        {"name": "animals/sea", "lines": 1, "usable": True, "problem": None},
        {
            "name": "colour",
            "lines": 12,
            "usable": True,
            "problem": "can be drawn, but line 3 was left out: it is *bad*",
        },
        {"name": "loop", "lines": 2, "usable": False, "problem": "cannot be drawn: `loop.txt` names itself"},
    ]
    said = await rig.answer("!wildcards")
    assert "- `__animals/sea__`, 1 line\n- `__colour__`, 12 lines\n" in said
    assert "`__loop__`" not in said
    assert "- `loop` cannot be drawn" in said
    assert said.endswith("For example `!draw otter, __animals/sea__`.")
    said = await rig.answer("!wildcards Sea")
    assert "animals/sea" in said
    assert "colour" not in said
    assert "has zebra in its name" in await rig.answer("!wildcards zebra")
    rig.worker.wildcards = [{"name": f"f{n}", "lines": 1, "usable": True} for n in range(100)]
    assert "and 60 more; `!wildcards WORD` searches their names" in await rig.answer("!wildcards")
