"""Sweeps as they are typed, as tables."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from otterbot.commands.registry import VOCABULARY
from otterbot.language.intents import Intent, parse
from otterbot.language.option_kinds import NeverTyped
from otterbot.language.option_table import SWEEP
from otterbot.language.option_values import Axis
from otterbot.language.problems import Refused
from otterbot.matrix.event_content import canonical

FIVE = (4.0, 7.0, 10.0, 13.0, 16.0)


def read(text: str) -> list[tuple[Any, ...]]:
    found = []
    for axis in SWEEP.typed(text):
        styles = axis.option == "style"
        values = tuple(map(SWEEP.kinds["style"].written, axis.values)) if styles else axis.values
        found.append((axis.option, values, *([axis.name] if axis.name else [])))
    return found


@pytest.mark.parametrize(
    ("text", "axes"),
    [
        ("cfg 4..16", [("cfg", FIVE)]),
        ("cfg=4..16", [("cfg", FIVE)]),
        ("CFG: 4…16.", [("cfg", FIVE)]),
        ("cfg 4...16", [("cfg", FIVE)]),
        ("guidance 4-16", [("cfg", FIVE)]),
        ("cfg 4 – 16", [("cfg", FIVE)]),
        ("cfg 4..16/5", [("cfg", FIVE)]),
        ("cfg 16..4", [("cfg", FIVE[::-1])]),
        ("cfg 4..16+4", [("cfg", (4.0, 8.0, 12.0, 16.0))]),
        ("cfg 16..5+4", [("cfg", (16.0, 12.0, 8.0))]),
        ("cfg 4..8", [("cfg", (4.0, 5.0, 6.0, 7.0, 8.0))]),
        ("cfg 1..10", [("cfg", (1.0, 4.0, 7.0, 10.0))]),
        ("cfg 0..1", [("cfg", (0.0, 0.2, 0.4, 0.6, 0.8, 1.0))]),
        ("strength 0.2..0.8", [("strength", (0.2, 0.4, 0.6, 0.8))]),
        ("strength .3..0.5/3", [("strength", (0.3, 0.4, 0.5))]),
        ("steps 10,20, 40", [("steps", (10, 20, 40))]),
        ("steps １０，２０", [("steps", (10, 20))]),
        ("steps 8..30", [("steps", (8, 14, 19, 24, 30))]),
        ("steps 5..7", [("steps", (5, 6, 7))]),
        ("steps 5..7/9", [("steps", (5, 6, 7))]),
        ("steps 1..3, 10", [("steps", (1, 2, 3, 10))]),
        ("seeds 1..4", [("seed", (1, 2, 3, 4))]),
        ("size 512x768, 768×512", [("size", ((512, 768), (768, 512)))]),
        ("size 512..1024/3", [("size", ((512, 512), (768, 768), (1024, 1024)))]),
        ("sampler euler a, dpm++ 2m karras", [("sampler", ("euler a", "dpm++ 2m karras"))]),
        ('model ssd-1b,"my, model"', [("model", ("ssd-1b", "my, model"))]),
        ("style watercolor, pixel art+backlit, none", [("style", ("watercolor", "pixel art,backlit", "none"))]),
        ("lora penguin 0.2..1", [("lora", (0.2, 0.4, 0.6, 0.8, 1.0), "penguin")]),
        ('lora "my penguin" 0.5, 1', [("lora", (0.5, 1.0), "my penguin")]),
        ("lora penguin=-1..1", [("lora", (-1.0, -0.5, 0.0, 0.5, 1.0), "penguin")]),
        ("lora 0.5,1", [("lora", (0.5, 1.0))]),
        ("variation 0.1,0.2", [("variation", (0.1, 0.2))]),
        ("hires 0.3..0.6", [("hires", (0.3, 0.4, 0.5, 0.6))]),
        ("clip-skip 1..2", [("clip-skip", (1, 2))]),
        ("clipskip=1,2", [("clip-skip", (1, 2))]),
        ('words "cowboy hat|crown|no hat"', [("words", ("cowboy hat", "crown", "no hat"))]),
        ("words “cowboy hat|crown”", [("words", ("cowboy hat", "crown"))]),
        ('words "cowboy hat"|"a, b"', [("words", ("cowboy hat", "a, b"))]),
        ("words hat|crown|", [("words", ("hat", "crown", ""))]),
        ("words cowboy hat, crown", [("words", ("cowboy hat", "crown"))]),
        ("words (hat:1.3)|crown", [("words", ("(hat:1.3)", "crown"))]),
        ("cfg 4,8 steps 10,20", [("cfg", (4.0, 8.0)), ("steps", (10, 20))]),
        ("cfg=4,8; steps=10,20", [("cfg", (4.0, 8.0)), ("steps", (10, 20))]),
        ("sampler euler a, unipc words hat|crown", [("sampler", ("euler a", "unipc")), ("words", ("hat", "crown"))]),
        ('words "small steps|large steps" cfg 4,8', [("words", ("small steps", "large steps")), ("cfg", (4.0, 8.0))]),
        ("words a|b words c|d", [("words", ("a", "b")), ("words", ("c", "d"))]),
        ("seed 5, 5, 6", [("seed", (5, 6))]),
        ("cfg 4,,8,", [("cfg", (4.0, 8.0))]),
    ],
)
def test_axes(text: str, axes: list[tuple[Any, ...]]) -> None:
    assert read(text) == axes


@pytest.mark.parametrize(
    ("text", "code", "flag", "near"),
    [
        ("cgf 4..16", "sweep_axis", "cgf", ("cfg",)),
        ("colour red, blue", "sweep_axis", "colour", ()),
        ("4..16", "sweep_axis", "4..16", ()),
        ("cfg 4..16 stesp 10,20", "sweep_axis", "stesp", ("steps",)),
        ("cfg", "sweep_values", "cfg", ()),
        ("cfg 4", "sweep_values", "cfg", ()),
        ("cfg 4..4", "sweep_values", "cfg", ()),
        ("words |crown", "sweep_values", "words", ()),
        ("words hat", "sweep_values", "words", ()),
        ("steps 4,x", "sweep_value", "steps", ("x",)),
        ("steps 4,5.5", "sweep_value", "steps", ("5.5",)),
        ("cfg 4 8 16", "sweep_value", "cfg", ("4 8 16",)),
        ("cfg 4..99", "sweep_value", "cfg", ("99",)),
        ("cfg 4..16/1", "sweep_value", "cfg", ("4..16/1",)),
        ("cfg 4..16+0", "sweep_value", "cfg", ("4..16+0",)),
        ("lora a 1,9", "sweep_value", "lora", ("9",)),
        ("seed 1..4000000000+1", "sweep_many", "seed", ()),
        ("seed 1..100/100", "sweep_many", "seed", ()),
        ("cfg 1,2 steps 1,2 seed 1,2", "sweep_axes", "sweep", ()),
        ("cfg 1,2 guidance 3,4", "sweep_twice", "cfg", ()),
        ("words a|b words A|c", "sweep_twice", "words", ()),
        ("", "no_value", "sweep", ()),
    ],
)
def test_what_cannot_be_read(text: str, code: str, flag: str, near: tuple[str, ...]) -> None:
    with pytest.raises(Refused) as refused:
        SWEEP.typed(text)
    problem = refused.value.problem
    assert (problem.code, problem.flag, problem.near) == (code, flag, near)


def said(text: str) -> Intent:
    intent = parse(text, prefix="!", commands=VOCABULARY)
    assert intent is not None
    return intent


def test_as_a_command_and_as_a_flag() -> None:
    cfg, steps = Axis(option="cfg", values=(4.0, 8.0)), Axis(option="steps", values=(10, 20))
    both = said("!sweep cfg 4,8 --size 512 steps 10,20")
    assert (both.problem, both.options.sweep, both.options.width) == (None, (cfg, steps), 512)
    flags = said("!draw otter --sweep cfg=4,8 --no hats —sweep steps 10, 20")
    assert (flags.problem, flags.options.sweep, flags.options.prompt) == (None, (cfg, steps), "otter")
    mixed = said("!sweep cfg 4,8 --sweep steps=10,20")
    assert mixed.options.sweep == (steps, cfg)
    assert said("!again --sweep cfg=4,8").options.sweep == (cfg,)


@pytest.mark.parametrize(
    ("text", "code", "flag"),
    [
        ("!sweep", "sweep_nothing", ""),
        ("!sweep …", "sweep_nothing", ""),
        ("!sweep cfg 4,8 --cfg 7", "conflict", "cfg"),
        ("!sweep size 512,768 --square", "conflict", "square"),
        ("!sweep size 512,768 --ar 3:2", "conflict", "ar"),
        ("!draw otter --sweep cfg=4,8 --count 2", "conflict", "count"),
        ("!draw otter --sweep cfg=4,8 --sweep cfg=5,6", "sweep_twice", "cfg"),
        ("!draw otter --sweep", "no_value", "sweep"),
        ("!draw otter --swep cfg=4,8", "unknown_flag", "swep"),
        ("!sweep cfg 4,8 steps 1,2 --sweep seed=1,2", "sweep_axes", "sweep"),
    ],
)
def test_misuse_is_named(text: str, code: str, flag: str) -> None:
    problem = said(text).problem
    assert problem is not None
    assert (problem.code, problem.flag) == (code, flag)


def test_what_says_more_than_the_swept_value_stays() -> None:
    assert said("!draw otter --hires 2 --sweep hires=0.3,0.5").problem is None
    assert said("!draw otter --variation 42:0.1 --sweep variation=0.3,0.5").problem is None


@pytest.mark.parametrize(
    "text",
    ["cfg " + "4," * 20_000, "words " + "|" * 40_000, "cfg " * 10_000, '"' * 40_000, "cfg 1.." + "9" * 40_000,
     "words " + "“a" * 20_000, "steps " + "1 " * 20_000],
)  # fmt: skip
def test_hostile_sweeps_take_no_time(text: str) -> None:
    begun = time.perf_counter()
    with pytest.raises(Refused) as refused:
        SWEEP.typed(text)
    assert all(len(one) <= 40 for one in (refused.value.problem.flag, *refused.value.problem.near))
    assert time.perf_counter() - begun < 2.0


@pytest.mark.parametrize(
    "text",
    ["cfg 4..16/5 steps 10,20", "lora penguin -1..1", "size 512x768,640", "style watercolor+backlit,none",
     "words hat|crown|", "seed 1..4 clip-skip 1,2", "sampler euler a,unipc variation 0.1,0.25", "hires 0.3,0.5"],
)  # fmt: skip
def test_a_sheets_message_says_the_same(text: str) -> None:
    axes = SWEEP.typed(text)
    told = canonical(SWEEP.sent(axes))
    assert SWEEP.recorded(json.loads(json.dumps(told))) == axes


@pytest.mark.parametrize(
    "told",
    [None, [], {}, [1], [{"field": "cfg", "values": [1, 2]}], [{"field": "steps", "values": [1]}],
     [{"field": "steps", "values": [1, 999]}], [{"field": "steps", "values": "12"}],
     [{"field": "size", "values": [1, 2]}], [{"field": "size", "values": [[64, 64, 64], [1, 2]]}],
     [{"field": "lora", "values": ["--1", "-9"]}],
     [{"field": "lora", "values": [1, 2], "name": 7}], [{"field": "words", "values": ["a", "x" * 4_001]}],
     [{"field": "seed", "values": list(range(65))}], [{"field": "seed", "values": [1, 2]}] * 2,
     [{"field": field, "values": [1, 2]} for field in ("seed", "steps", "clip_skip")]],
)  # fmt: skip
def test_hostile_messages_are_no_sweeps(told: Any) -> None:
    with pytest.raises(NeverTyped):
        SWEEP.recorded(told)
