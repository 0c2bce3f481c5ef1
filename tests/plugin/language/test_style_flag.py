"""``--style`` as it is typed, recorded and written again."""

from __future__ import annotations

from typing import Any

import pytest

from otterbot.language.flags import parse_options
from otterbot.language.line import line_of
from otterbot.language.option_kinds import NeverTyped
from otterbot.language.options import DrawOptions
from otterbot.language.style_values import StyleChoice, StylesOf, fold, is_style_name, styled, worded

KIND = StylesOf()


def names(text: str) -> list[str] | None:
    options, problem = parse_options(text)
    assert problem is None, text
    return None if options.style is None else [style.name for style in options.style]


def problem(text: str) -> tuple[str, str]:
    _, found = parse_options(text)
    assert found is not None, text
    return found.code, found.flag


@pytest.mark.parametrize(
    ("text", "found", "prompt"),
    [
        ("otter --style watercolor", ["watercolor"], "otter"),
        ("otter —style Watercolor, hat", ["Watercolor"], "otter hat"),
        ("--style watercolor,backlit otter", ["watercolor", "backlit"], "otter"),
        ("otter --style watercolor --steps 3 --style=backlit", ["watercolor", "backlit"], "otter"),
        ('otter --style "oil painting, 16 bit"', ["oil painting", "16 bit"], "otter"),
        ("otter --style “oil painting”", ["oil painting"], "otter"),
        ("猫 --style 水彩，逆光", ["水彩", "逆光"], "猫"),
        ("otter --style none", [], "otter"),
        ("otter --style None.", [], "otter"),
        ("otter in style", None, "otter in style"),
    ],
)
def test_what_is_typed(text: str, found: list[str] | None, prompt: str) -> None:
    options, _ = parse_options(text)
    assert (names(text), options.prompt) == (found, prompt)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("otter --style", "no_value"),
        ("otter --style ,", "no_value"),
        ("otter --style --steps 3", "no_value"),
        ("otter --style none,watercolor", "bad_value"),
        ("otter --style none --style watercolor", "bad_value"),
        ("otter --style watercolor --style none", "bad_value"),
        (f"otter --style {'x' * 101}", "bad_value"),
        ("otter --style a,b,c,d,e,f,g,h,i", "bad_value"),
        ("otter --style a,b,c,d,e --style f,g,h,i", "bad_value"),
    ],
)
def test_what_cannot_be_meant(text: str, code: str) -> None:
    assert problem(text) == (code, "style")


def test_what_is_nearly_it() -> None:
    _, found = parse_options("otter --styel watercolor")
    assert found is not None
    assert (found.code, found.near) == ("unknown_flag", ("style",))
    _, found = parse_options("otter --preset watercolor")
    assert found is not None
    assert found.near == ("style",)


def test_names_are_compared_by_their_letters() -> None:
    assert len({fold(one) for one in ("oil-painting", "Oil Painting", "OIL_PAINTING", "oil.painting")}) == 1
    assert fold("✨") == "✨"
    assert not any(map(is_style_name, ("", "none", "None", "a,b", "x" * 101, "a\nb", " ")))


@pytest.mark.parametrize(
    "never",
    [
        "watercolor", ["x" * 101], [""], [7], [None], ["a"] * 9, [{"prompt": "p"}], [{"name": "n", "prompt": 7}],
        [{"name": "n", "prompt": "x" * 4_001}], [{"name": "n\n", "prompt": ""}], [{"name": "n", "prompt": "\ud800"}],
        {},
    ],
)  # fmt: skip
def test_a_record_is_no_truth(never: Any) -> None:
    with pytest.raises(NeverTyped):
        KIND.recorded(never)


def test_a_recorded_one_has_its_words() -> None:
    whole = {"name": "glow", "prompt": "{prompt} glows", "negative_prompt": "dull"}
    (glow, plain) = KIND.recorded([whole, "backlit"])
    assert KIND.sent((glow, plain)) == [whole, "backlit"]
    assert KIND.written((glow, plain)) == "glow,backlit"
    assert styled("otter", "text", (glow, plain)) == ("otter glows", "text, dull")


def test_a_rooms_own_goes_with_its_words() -> None:
    own = {"glow": StyleChoice(name="Glow", prompt="ours")}
    typed = (StyleChoice(name="g-low"), StyleChoice(name="backlit"), StyleChoice(name="glow", prompt="as it was"))
    assert [(one.name, one.prompt) for one in worded(typed, own)] == [
        ("Glow", "ours"), ("backlit", None), ("glow", "as it was"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("style", "said"),
    [
        ((StyleChoice(name="watercolor"),), "draw otter --style watercolor"),
        ((StyleChoice(name="a", prompt="words"), StyleChoice(name="b c")), 'draw otter --style "a,b c"'),
        ((StyleChoice(name="水彩"),), 'draw otter --style "水彩"'),
        ((), "draw otter --style none"),
    ],
)  # fmt: skip
def test_the_line_names_them(style: tuple[StyleChoice, ...], said: str) -> None:
    assert line_of(DrawOptions(prompt="otter", style=style)) == said
