"""A line that is written for a room is read there as what it was written from."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import parse

from otterbot.language.line import line_of
from otterbot.language.option_values import Control, Hires, Variation
from otterbot.language.options import DrawOptions
from otterbot.language.typed import clean

FULL = DrawOptions(
    prompt="otter, cowboy hat", negative_prompt="ugly", steps=30, guidance_scale=7.5, width=768, height=512, seed=7,
    variation=Variation(seed=4, strength=5e-05), model="ssd-1b", sampler="DPM++ 2M Karras",
)  # fmt: skip


def read(line: str | None) -> DrawOptions:
    assert line is not None
    intent = parse(f"!{line}", prefix="!")
    assert intent is not None
    assert intent.problem is None
    assert not intent.overlooked
    return intent.options


def test_every_setting_is_said() -> None:
    assert line_of(FULL) == (
        "draw otter, cowboy hat --no ugly --steps 30 --cfg 7.5 --size 768x512 --seed 7 --variation 4:0.00005 "
        '--model ssd-1b --sampler "DPM++ 2M Karras"'
    )
    assert read(line_of(FULL)) == FULL


@pytest.mark.parametrize(
    "options",
    [
        DrawOptions(prompt="otter", negative_prompt=""),
        DrawOptions(prompt="a\nb", strength=0.6, inpaint=True, model="a.b."),
        DrawOptions(prompt="a castle", control=Control(kind="my depth", scale=0.5)),
        DrawOptions(prompt='"', negative_prompt="'", hires=Hires(scale=1.5, strength=0.4, upscaler="lanczos")),
        DrawOptions(prompt="otter", aspect="portrait", count=3, explain=True),
        DrawOptions(prompt="otter", negative_prompt="-- steps 5", model='it"s', sampler="euler a"),
    ],
)
def test_settings_that_need_quotes(options: DrawOptions) -> None:
    assert read(line_of(options)) == options


def test_upscaling_has_no_words_and_no_size() -> None:
    options = replace(FULL, upscale=4, strength=0.3, variation=None)
    line = line_of(options)
    assert line == 'upscale 4 --no ugly --steps 30 --cfg 7.5 --seed 7 --model ssd-1b --sampler "DPM++ 2M Karras" ' \
        "--strength 0.3"  # fmt: skip
    assert read(line) == replace(options, prompt=None, width=None, height=None)


def test_the_steps_of_a_second_pass_are_left_out() -> None:
    options = DrawOptions(prompt="otter", hires=Hires(scale=2, steps=12))
    assert read(line_of(options)).hires == Hires(scale=2)


@pytest.mark.parametrize(
    ("prompt", "line"),
    [
        ("an angel --wings", "draw an angel (--:1)wings"),
        ("otter—steps 5", "draw otter(—:1)steps 5"),
        ("-n 4", "draw (-:1)n 4"),
        ("semi-portrait, 1990–2000", "draw semi-portrait, 1990–2000"),
        ("otter -- steps", "draw otter (--:1) steps"),
    ],
)
def test_words_that_look_like_flags_get_marks(prompt: str, line: str) -> None:
    assert line_of(DrawOptions(prompt=prompt)) == line
    assert read(line).prompt == line.removeprefix("draw ")


BITS = ["otter", "--steps", "-n", "4", "—", "--", '"', "'", "”", "--wings", "a-b", "hat--", "\n", ",", "("]
WORDS = st.lists(st.sampled_from(BITS) | st.text(max_size=8), min_size=1, max_size=8).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(WORDS, WORDS, st.integers(1, 200), st.text(min_size=1, max_size=20).filter(str.isprintable))
def test_a_line_says_what_it_was_written_from_or_there_is_none(prompt: str, no: str, steps: int, model: str) -> None:
    options = DrawOptions(prompt=prompt, negative_prompt=no, steps=steps, model=model)
    line = line_of(options)
    if line is None:
        return
    found = read(line)
    assert (found.steps, found.model) == (steps, model)
    if "(" not in line:  # no marks
        assert (found.prompt, found.negative_prompt) == (clean(prompt).strip(), clean(no).strip())
