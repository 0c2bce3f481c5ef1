"""``!sweep``: what the worker is asked for, and what is said where it is not."""

from __future__ import annotations

from typing import Any

import pytest
from command_rig import BOT, ROOM, Rig
from room_pictures import RECORD, USED, reply
from room_sheets import sheet_content

from otterbot import texts
from otterbot.config import LimitValues
from otterbot.errors import FieldProblem, WorkerRefused
from otterbot.language.option_table import SWEEP
from otterbot.matrix.event_content import OUR_KEY
from otterbot.requests.sweep_told import sweep_told

CFG = {"field": "guidance_scale", "values": [4.0, 8.0]}


def picture(rig: Rig, asked: dict[str, Any] | None = None, **used: Any) -> dict[str, Any]:
    asked = asked or {"prompt": used.get("prompt", "otter"), "steps": 30}
    record = {**RECORD, "used": {**USED, **used}, "asked": asked}
    return reply(rig.homeserver.picture(ROOM, record))


async def test_a_picture_with_all_its_settings_and_its_seed(rig: Rig) -> None:
    body = await rig.drawn("!sweep cfg 4,8 steps 10..30/3", **picture(rig))
    assert body["sweep"] == [CFG, {"field": "steps", "values": [10, 20, 30]}]
    assert (body["seed"], body["count"], body["sheet"]) == (USED["seed"], 1, {"caption": "otter · seed 7"})
    assert (body["model"], body["width"], body["sampler"]) == ("ssd-1b", 768, "UniPC")
    assert body["asked"] == {"prompt": "otter", "steps": 30}
    again = await rig.drawn("!again --sweep cfg=4,8 --seed 3 --steps 5", **picture(rig))
    assert (again["sweep"], again["seed"], again["steps"]) == ([CFG], 3, 5)


async def test_words_of_its_own(rig: Rig) -> None:
    body = await rig.drawn("!draw otter, hat --sweep seed=1..3 --sweep words=hat|crown|")
    assert body["sweep"] == [
        {"field": "seed", "values": [1, 2, 3]},
        {"field": "words", "values": ["hat", "crown", ""]},
    ]
    assert (body["prompt"], body["sheet"]) == ("otter, hat", {"caption": "otter, hat"})


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("size 512x768, 640", {"field": "size", "values": [[512, 768], [640, 640]]}),
        ("clip-skip 1,2", {"field": "clip_skip", "values": [1, 2]}),
        ("sampler euler a, ddim", {"field": "sampler", "values": ["euler a", "ddim"]}),
        ("style watercolor, none, a+b", {"field": "style", "values": [["watercolor"], [], ["a", "b"]]}),
        ("lora penguin 0..1/3", {"field": "lora", "values": [0.0, 0.5, 1.0], "name": "penguin"}),
        ("hires 0.3,0.5", {"field": "hires", "values": [0.3, 0.5]}),
    ],
)
async def test_each_setting_as_the_worker_calls_it(rig: Rig, typed: str, sent: dict[str, Any]) -> None:
    where = picture(rig, prompt="otter <lora:Penguin:0.8>", hires={"scale": 2})
    assert (await rig.drawn(f"!sweep {typed}", **where))["sweep"] == [sent]


async def test_sizes_and_models_take_the_place_of_the_pictures_own(rig: Rig) -> None:
    body = await rig.drawn("!sweep size 512,768", **picture(rig))
    assert not {"width", "height", "aspect"} & body.keys()
    body = await rig.drawn("!sweep model ssd-1b, sdxl-turbo", **picture(rig))
    assert body["steps"] == 30, "somebody typed it"
    assert not {"sampler", "guidance_scale", "model"} & body.keys(), "each model's own"
    assert rig.open[-1].notes == (texts.SWEEP_MODELS_OWN,)


async def test_variations_of_one_picture(rig: Rig) -> None:
    body = await rig.drawn("!sweep variation 0.1..0.3/3", **picture(rig))
    assert body["sweep"][0]["values"] == [0.1, 0.2, 0.3]
    assert isinstance(body["variation"]["seed"], int)
    assert body["seed"] == USED["seed"]
    kept = await rig.drawn("!sweep variation 0.1,0.3", **picture(rig, variation={"seed": 9, "strength": "0.2"}))
    assert kept["variation"]["seed"] == 9


async def test_what_cannot_be_swept_is_said(rig: Rig) -> None:
    assert await rig.answer("!sweep cfg 4,8") == texts.no_picture("!")
    where = picture(rig)
    for typed, part in (
        ("!sweep", "A sweep takes a setting and its values"),
        ("!sweep cgf 4..16", "Did you mean `cfg`?"),
        ("!sweep colour red,blue", "The settings are `cfg`, `steps`"),
        ("!sweep cfg 4,999", "`999` is no value of `cfg`"),
        ("!sweep cfg 4", "at least two values: `!sweep cfg 4..16`"),
        ("!sweep cfg 4,8 --cfg 7", "`--cfg` says one value, and the sweep several"),
        ("!sweep seed 1..30/30", "30 pictures; here I draw at most 25"),
        ("!sweep strength 0.2,0.4", "`--strength`"),
        ("!sweep hires 0.2,0.4", "`!sweep hires 0.3..0.6 --hires 2`"),
        ("!sweep lora 0.2,0.4", "The picture has none"),
        ("!sweep lora penguin 0.2,0.4", "has no LoRA `penguin`"),
    ):
        assert part in await rig.answer(typed, **where), typed


async def test_a_room_and_an_instance_have_limits(rig: Rig) -> None:
    where = picture(rig)
    assert "at most 4 pictures" in await rig.answer("!settings sweep_max 4", sender="@mod:test")
    assert "at most 4 in one" in await rig.answer("!sweep seed 1..5", **where)
    assert "to 25" in await rig.answer("!settings sweep_max 26", sender="@mod:test")
    await rig.drawn("!sweep seed 1..4", **where)
    rig.values(limits=LimitValues(sweep=3))
    assert "at most 3 in one" in await rig.answer("!sweep seed 1..4", **where)


def refusal(field: str, code: str, message: str, **details: Any) -> WorkerRefused:
    return WorkerRefused(422, "invalid_request", fields=[FieldProblem(f"request.{field}", code, message, details)])


def test_a_refusal_names_the_value() -> None:
    sweep = [CFG | {"values": [4.0, 40.5]}, {"field": "steps", "values": [10, 300, 400]}]
    asked = texts.Asked(sweep=sweep)
    error = refusal("steps", "too_many", "A2, B2 and 2 more: ssd takes at most 100 steps.", model="ssd", most=100,
                    pictures=["A2", "B2", "A3", "B3"])  # fmt: skip
    assert texts.refused(error, asked) == "❌ `steps 300, 400`: `ssd` takes at most 100 steps: `--steps 100`."
    error = refusal("guidance_scale", "odd", "B1 and more: That is odd.", pictures=["B1", "B2", "B3"])
    assert texts.refused(error, asked) == "❌ `cfg 40.5`: That is odd\\."
    error = refusal("prompt", "odd", "B3: That is odd.", pictures=["B3"])
    assert texts.refused(error, asked) == "❌ `cfg 40.5` with `steps 400`: That is odd\\."
    names = [{"field": "sampler", "values": ["euler", "wrong"]}]
    error = refusal("sampler", "unknown_sampler", "2: No such sampler.", near=["UniPC"], known=[], pictures=["2"])
    assert "I do not know the sampler `wrong`" in texts.refused(error, texts.Asked(sweep=names, sampler="euler"))
    words = [{"field": "words", "values": ["boots", "crown"]}]
    error = refusal("sweep.0.values.0", "words_missing", "These words do not stand in the prompt.")
    assert "`boots`" in texts.refused(error, texts.Asked(sweep=words))
    hostile = refusal("steps", "too_many", "x", pictures=["ZZZ9", "Z99", "", "A0"])
    assert texts.refused(hostile, asked).startswith("❌ ")


def sheet(rig: Rig, line: str, prompt: str = "otter, hat", **used: Any) -> dict[str, Any]:
    """A sweep's sheet of four fields, as its request and its pictures make it."""
    axes = SWEEP.sent(SWEEP.typed(line))
    content = sheet_content(4, 2, **{"prompt": prompt, **used})
    content[OUR_KEY] |= sweep_told({"sweep": axes, "prompt": "otter, hat"})
    content[OUR_KEY]["sheet"]["swept"] = True
    return reply(rig.homeserver.add(ROOM, BOT, "m.room.message", content)["event_id"])


async def test_all_of_it_once_more_with_a_new_seed(rig: Rig) -> None:
    where = sheet(rig, "cfg 4,8 words hat|crown", prompt="otter, crown")
    body = await rig.drawn("!again", **where)
    assert body["sweep"] == [CFG, {"field": "words", "values": ["hat", "crown"]}]
    assert (body["prompt"], body["count"], body["seed"] != USED["seed"]) == ("otter, hat", 1, True)
    kept = await rig.drawn("!again --seed same --steps 3", **where)
    assert (kept["seed"], kept["steps"], kept["sweep"][0]) == (USED["seed"], 3, CFG)
    seeds = (await rig.drawn("!again", **sheet(rig, "seed 1,2")))["sweep"][0]["values"]
    assert seeds[1] - seeds[0] in (1, 1 - 2**32)
    assert seeds != [1, 2]
    assert "the sweep several" in await rig.answer("!again --cfg 7", **where)


async def test_a_field_of_it(rig: Rig) -> None:
    where = sheet(rig, "cfg 4,8 steps 1,2")
    body = await rig.drawn("!sweep B2 steps 10,20", **where)
    assert (body["sweep"], body["seed"]) == ([{"field": "steps", "values": [10, 20]}], 10)
    assert "sweep" not in await rig.drawn("!again B1", **where)
    assert "sheet of several" in await rig.answer("!sweep steps 10,20", **where)
    hostile = sheet_content(4, 2)
    hostile[OUR_KEY] |= {"sweep": {"axes": [{"field": "steps", "values": [1, 10**9]}]}}
    hostile[OUR_KEY]["sheet"]["swept"] = True
    event = rig.homeserver.add(ROOM, BOT, "m.room.message", hostile)["event_id"]
    assert "sheet of several" in await rig.answer("!again", **reply(event))


async def test_again_while_it_waits(rig: Rig) -> None:
    await rig.drawn("!draw otter --sweep cfg=4,8")
    body = await rig.drawn("!again")
    assert body["sweep"] == [CFG]


def test_what_a_sheet_says_of_its_sweep() -> None:
    axes = SWEEP.sent(SWEEP.typed("cfg 4..8 words hat|*crown*|"))
    assert texts.sweep_line(axes) == "cfg 4, 5, 6, 7, 8 across · words hat, \\*crown\\*, nothing down"
    assert texts.sweep_line(SWEEP.sent(SWEEP.typed("seed 1..20/20"))).endswith("8 and 12 more")
    assert texts.sweep_line([]) == ""
    long = SWEEP.sent(SWEEP.typed("words " + "|".join(f"{n}{'x' * 900}" for n in range(20))))
    assert sweep_told({"sweep": long, "prompt": "x"}) == {}
    assert sweep_told(None) == sweep_told({"prompt": "otter"}) == {}
