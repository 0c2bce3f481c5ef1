"""``--variation`` and ``!vary``: what is typed, what is asked of the worker, and what again makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from command_rig import ROOM, Rig
from reading import parse
from room_pictures import FROM_ONE, RECORD, USED, image, reply

from otterbot import texts
from otterbot.commands.recorded_settings import read_settings
from otterbot.config import LimitValues
from otterbot.language.option_values import Variation
from otterbot.language.options import DrawOptions

VARIED = {**RECORD, "used": {**USED, "variation": {"seed": 99, "strength": "0.25"}}}


@pytest.mark.parametrize(
    ("typed", "seed", "strength"),
    [("0.2", None, 0.2), ("42:0.2", 42, 0.2), ("0:0,5,", 0, 0.5), ("4294967295:1", 4294967295, 1.0), (".1", None, 0.1)],
)
def test_variations(typed: str, seed: int | None, strength: float) -> None:
    intent = parse(f"!draw otter --variation {typed} --steps 3", prefix="!")
    assert intent is not None
    assert intent.problem is None
    assert intent.options.variation == Variation(seed=seed, strength=strength)
    asked = None if seed is None else {"seed": seed, "strength": strength}
    assert intent.options.asked().get("variation") == asked


@pytest.mark.parametrize(
    "typed", ["0", "42", "42:0", "42:1.1", "x:0.2", ":0.2", "42:", "-1:0.2", "4294967296:0.2", "1:2:0.2", ""]
)
def test_no_variations(typed: str) -> None:
    intent = parse(f"!draw otter --variation {typed}", prefix="!")
    assert intent is not None
    assert intent.problem is not None
    sentence = texts.usage_problem(intent.problem, "!")
    assert "`--variation 42:0.2`" in sentence


async def test_draw_with_a_variation(rig: Rig) -> None:
    body = await rig.drawn("!draw otter --seed 7 --variation 42:0.2 --count 2")
    assert (body["seed"], body["variation"], body["count"]) == (7, {"seed": 42, "strength": 0.2}, 2)
    assert body["asked"]["variation"] == {"seed": 42, "strength": 0.2}
    body = await rig.drawn("!draw otter --variation 0.2")
    assert 0 <= body["variation"]["seed"] < 2**32
    assert "variation" not in body["asked"]
    assert "variation" not in await rig.drawn("!draw otter")


async def test_vary_keeps_the_seed_and_draws_four(rig: Rig) -> None:
    assert "no picture of mine" in await rig.answer("!vary")
    event = rig.homeserver.picture(ROOM, RECORD)
    seeds = set()
    for relation in ({}, reply(event)):
        body = await rig.drawn("!vary", **relation)
        assert (body["seed"], body["count"], body["variation"]["strength"]) == (7, 4, 0.2)
        assert (body["prompt"], body["steps"], body["model"]) == ("otter", 30, "ssd-1b")
        seeds.add(body["variation"]["seed"])
    assert len(seeds) == 2


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("0.4", {"count": 4, "strength": 0.4}),
        ("0,4 --count 2", {"count": 2, "strength": 0.4}),
        ("--count 3 --steps 9", {"count": 3, "strength": 0.2, "steps": 9}),
        ("--variation 42:0.1", {"count": 4, "strength": 0.1, "other": 42}),
        ("42:0.1 --steps 4 --model sdxl-turbo", {"strength": 0.1, "other": 42, "model": "sdxl-turbo"}),
        ("--seed 5", {"seed": 5, "strength": 0.2}),
    ],
)
async def test_vary_with_changes(rig: Rig, typed: str, expected: dict[str, Any]) -> None:
    event = rig.homeserver.picture(ROOM, RECORD)
    body = await rig.drawn(f"!vary {typed}", **reply(event))
    flat = {**body, "strength": body["variation"]["strength"], "other": body["variation"]["seed"]}
    assert {name: flat[name] for name in expected} == expected
    assert flat["seed"] == expected.get("seed", 7)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("with a hat", ["For other words", "`!vary 0.4 --count 2 +red scarf`"]),
        ("0", ["above 0 and up to 1"]),
        ("20", ["above 0 and up to 1"]),
        ("--strength 0.4", ["`!vary 0.4`"]),
        ("0.2 --variation 0.3", ["twice"]),
    ],
)
async def test_vary_says_how_it_is_used(rig: Rig, typed: str, words: list[str]) -> None:
    event = rig.homeserver.picture(ROOM, RECORD)
    answer = await rig.answer(f"!vary {typed}", **reply(event))
    assert all(word in answer for word in words), answer


async def test_fewer_where_the_operator_allows_fewer(rig: Rig) -> None:
    event = rig.homeserver.picture(ROOM, RECORD)
    rig.values(limits=LimitValues(count=2))
    assert (await rig.drawn("!vary", **reply(event)))["count"] == 2


async def test_vary_of_what_was_drawn_from_a_picture(rig: Rig) -> None:
    start = image(rig)
    event = rig.homeserver.picture(ROOM, FROM_ONE, start=start)
    body = await rig.drawn("!vary --strength 0.5", **reply(event))
    assert (body["init_image"], body["strength"], body["variation"]["strength"]) == ({"event": start}, 0.5, 0.2)


async def test_again_drops_a_variation_unless_the_seed_stays(rig: Rig) -> None:
    event = rig.homeserver.picture(ROOM, VARIED)
    assert "variation" not in await rig.drawn("!again", **reply(event))
    assert "variation" not in await rig.drawn("!again --seed 7", **reply(event))
    for typed in ("", " --steps 4", " --steps 4 --model sdxl-turbo"):
        body = await rig.drawn(f"!again --seed same{typed}", **reply(event))
        assert (body["seed"], body["variation"]) == (7, {"seed": 99, "strength": 0.25})
    body = await rig.drawn("!again --variation 3:0.5", **reply(event))
    assert (body["seed"], body["count"], body["variation"]) == (7, 1, {"seed": 3, "strength": 0.5})


async def test_a_variation_of_a_variation_is_said(rig: Rig) -> None:
    event = rig.homeserver.picture(ROOM, VARIED)
    outcome = await rig.say("!vary", **reply(event))
    assert outcome is not None
    assert outcome.request is not None
    assert outcome.request.notes == (texts.VARIED_BEFORE,)


@pytest.mark.parametrize(
    "variation", [7, "7:0.2", {}, {"seed": 1}, {"seed": -1, "strength": 0.2}, {"seed": True, "strength": 0.2},
                  {"seed": 1, "strength": 0}, {"seed": 1, "strength": "2.0"}, {"seed": 1, "strength": "nan"}],
)  # fmt: skip
def test_variations_that_nobody_typed(variation: Any) -> None:
    assert read_settings({"prompt": "x", "variation": variation}) is None


def test_variations_in_events_and_captions() -> None:
    for strength in ("0.25", 0.25):
        read = read_settings({"variation": {"seed": 9, "strength": strength}})
        assert read == DrawOptions(variation=Variation(seed=9, strength=0.25))
    used = {**USED, "variation": {"seed": 9, "strength": 0.25}}
    assert "seed 7 (varied 9:0.25) · 30 steps" in texts.summary({"used": used})
    assert "seed 7 · 30 steps" in texts.summary({"used": {**USED, "variation": None}})
