"""Structured prompts as people type and paste them, and what is no structured prompt."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import parse

from otterbot import texts
from otterbot.language.intents import Intent
from otterbot.language.line import line_of
from otterbot.language.option_kinds import NeverTyped
from otterbot.language.option_table import FIELDS
from otterbot.language.option_values import KeyChange, WordChange
from otterbot.language.options import DrawOptions
from otterbot.language.structures import KEYS, Structure

CASES = json.loads((Path(__file__).parents[2] / "structures.json").read_text("utf-8"))
RECORDED = FIELDS["structure"].kind.recorded


def read(body: str) -> Intent:
    intent = parse(body, prefix="!")
    assert intent is not None, body
    return intent


def drawn(body: str) -> tuple[dict[str, Any], DrawOptions]:
    intent = read(body)
    assert intent.problem is None, (body, intent.problem)
    assert intent.options.structure is not None, body
    assert intent.options.prompt == intent.options.structure.prompt
    return intent.options.structure.sent, intent.options


def problem(body: str) -> tuple[str, str, tuple[str, ...], str]:
    found = read(body).problem
    assert found is not None, body
    return found.code, found.flag, found.near, texts.usage_problem(found, "!")


@pytest.mark.parametrize("case", CASES)
def test_it_is_joined_as_the_worker_joins_it(case: dict[str, Any]) -> None:
    values = {name: value if isinstance(value, str) else tuple(value) for name, value in case["structure"].items()}
    found = Structure.of(values)
    assert found is not None
    assert (found.prompt, found.negative) == (case["prompt"], case["negative"])


@pytest.mark.parametrize(
    ("typed", "structure"),
    [
        ("subject: otter\nstyle: watercolor", {"subject": "otter", "style": "watercolor"}),
        ("style: watercolor\n\nsubject: otter", {"subject": "otter", "style": "watercolor"}),
        ("\nsubject: otter", {"subject": "otter"}),
        ("Subject : an otter: the movie\n OUTFIT:red", {"subject": "an otter: the movie OUTFIT:red"}),
        ("  subject: otter\n  style: oil", {"subject": "otter", "style": "oil"}),
        ("subject:\u00a0otter\nstyle:\u00a0oil", {"subject": "otter", "style": "oil"}),
        ("subject：水獭\nstyle：水彩", {"subject": "水獭", "style": "水彩"}),
        ("subject: “an otter”\nstyle: 'it''s oil'", {"subject": "an otter", "style": "it's oil"}),
        ('"subject": "an otter",\n"style": "oil"', {"subject": "an otter", "style": "oil"}),
        ('subject: "tall" man\nstyle: \'tis oil', {"subject": '"tall" man', "style": "'tis oil"}),
        (r'subject: "a \"b\" \\(c\\) \u00e9 \(d\)"', {"subject": r'a "b" \(c\) é \(d\)'}),
        ('subject: "an otter\n  in a hat"\nstyle: oil', {"subject": "an otter\nin a hat", "style": "oil"}),
        ("subject: an otter\n  in a hat\n\n  at sea\nstyle: oil",
         {"subject": "an otter in a hat at sea", "style": "oil"}),
        ("subject: |\n  an otter\n  in a hat\nstyle: >\n  oil\n  soft",
         {"subject": "an otter\nin a hat", "style": "oil soft"}),
        ("subject:\n- otter\n- fox\nstyle:\n  – oil\n  • soft",
         {"subject": ["otter", "fox"], "style": ["oil", "soft"]}),
        ('subject: [otter, "a, b"]\nstyle: ["oil"]', {"subject": ["otter", "a, b"], "style": ["oil"]}),
        ("subject: [hat] [cat:dog:0.5]\nstyle: [oil]", {"subject": "[hat] [cat:dog:0.5]", "style": "[oil]"}),
        ("subject: [cat:dog:0.5]\nstyle: [a|b]", {"subject": "[cat:dog:0.5]", "style": "[a|b]"}),
        ("subject: {red|green} hat, *hat*, @room\nstyle: 50% oil", {"subject": "{red|green} hat, *hat*, @room",
                                                                    "style": "50% oil"}),
        ("# mine\nsubject: otter # the best\nstyle: #1 oil", {"subject": "otter", "style": "#1 oil"}),
        ("subject: otter\noutfit:\nstyle: ~\nemotions: null", {"subject": "otter"}),
        ("prompt:\n  subject: otter\n  style: oil\nnegative: text",
         {"subject": "otter", "style": "oil", "negative": "text"}),
        ("structure:\n  subject: otter", {"subject": "otter"}),
        ("prompt: an otter\nstyle: oil", {"subject": "an otter", "style": "oil"}),
        ("an otter, at sea\nstyle: oil", {"subject": "an otter, at sea", "style": "oil"}),
        ("an otter\nsubject:\n- hat\n- boots", {"subject": ["an otter", "hat", "boots"]}),
        ("```yaml\nsubject: otter\nstyle: oil\n```", {"subject": "otter", "style": "oil"}),
        ("an otter\n```\nstyle: oil\n```\nat sea", {"subject": "an otter, at sea", "style": "oil"}),
        ("---\nsubject: otter\n...", {"subject": "otter"}),
        ("subject: no\nstyle: 12:30", {"subject": "no", "style": "12:30"}),
        ("theme: holiday\nsubject: otter\nnegative: \"\"", {"theme": "holiday", "subject": "otter", "negative": ""}),
        ("otter: the movie\nstyle: oil", {"subject": "otter: the movie", "style": "oil"}),
        ('{"subject": "otter", "style": ["oil", "soft"]}', {"subject": "otter", "style": ["oil", "soft"]}),
        ('{“subject”: “otter”,\n “style”: “oil”}', {"subject": "otter", "style": "oil"}),
        ('an otter ```json\n{"prompt": {"subject": "hat"}, "negative": "text"}\n```',
         {"subject": ["an otter", "hat"], "negative": "text"}),
        ('{"subject": "otter \\ud83d\\udc9a \\u0000", "outfit": null}', {"subject": "otter 💚"}),
    ],
)  # fmt: skip
def test_keys_as_they_are_typed(typed: str, structure: dict[str, Any]) -> None:
    assert drawn(f"!draw {typed}")[0] == structure


@pytest.mark.parametrize(
    "typed",
    [
        "portrait: an otter", "otter: the movie", "time: 12:30 at the sea", "an otter: style matters", "theme: park",
        "negative: space", "steps: 30", "a: b\nc: d", "{red|green} hat", '{"red"|"green"} hat',
        "size: small\nsteps: 30",
        "the style: watercolor", "https://example.org/subject: x", "style:watercolor", "model: a woman", "{otter}",
    ],
)  # fmt: skip
def test_what_merely_holds_a_colon_stays_a_prompt(typed: str) -> None:
    intent = read(f"!draw {typed}")
    assert intent.problem is None
    assert (intent.options.prompt, intent.options.structure) == (typed, None)


def test_options_by_their_names_and_as_flags() -> None:
    typed = (
        "!draw --seed 4\nsubject: otter --cfg 3\nsteps: 30\nsize: 768x512\nsampler: euler a\n"
        "Clip_Skip: 2\n--count 2\nno: blurry\nnegative: text"
    )
    structure, options = drawn(typed)
    assert structure == {"subject": "otter", "negative": ["text", "blurry"]}
    assert options.asked() == {
        "prompt": "otter", "negative_prompt": "text, blurry", "steps": 30, "guidance_scale": 3.0, "width": 768,
        "height": 512, "seed": 4, "sampler": "euler a", "clip_skip": 2, "count": 2,
    }  # fmt: skip
    _, options = drawn('!draw {"subject": "otter", "steps": 30, "cfg": 7.50, "square": true, "expand": false}')
    assert (options.steps, options.guidance_scale, options.aspect, options.expand) == (30, 7.5, "square", False)
    _, options = drawn("!draw\nsubject: otter\nsquare: no\nexpand: Yes\nhires: 2:0.4\nvariation: 42:0.2")
    assert (options.aspect, options.expand) == (None, True)


@pytest.mark.parametrize(
    ("typed", "code", "flag", "near"),
    [
        ("subject: otter\nmood: happy", "unknown_key", "mood", ("emotions",)),
        ("mood: happy\nsubject: otter", "unknown_key", "mood", ("emotions",)),
        ("subjct: otter\nstyle: oil", "unknown_key", "subjct", ("subject",)),
        ("subject: otter\nwidth: 700", "unknown_key", "width", ("size",)),
        ("subject: otter\nguidance scale: 7", "unknown_key", "guidance scale", ("cfg",)),
        ("subject: otter\nqwertz: 7", "unknown_key", "qwertz", ()),
        ('{"subject": "otter", "enviroment": "sea"}', "unknown_key", "enviroment", ("environment",)),
        ("subject: otter\nsubject: fox", "key_twice", "subject", ()),
        ("subject: otter\nsteps: many", "bad_value", "steps", ()),
        ("subject: otter\nsteps: 3\n--steps 4", "twice", "steps", ()),
        ("subject: otter\nsquare: maybe", "bad_switch", "square", ()),
        ("subject: otter\nsteps: [3, 4]", "bad_value", "steps", ()),
        ("subject: otter\ntheme: " + "x" * 65, "long_theme", "theme", ()),
        ("theme: park\nsteps: 3", "no_words", "", ()),
        ("subject: otter -n 4", "one_dash", "-n 4", ("count", "4")),
        ("subject: otter\nin a hat", "bad_lines", "no_key", ("in a hat",)),
        ('subject: otter\nstyle: "oil', "bad_lines", "unclosed", ("style",)),
        ("subject: [otter, fox\nstyle: oil", "bad_lines", "bracket", ("[otter, fox",)),
        ("subject: &a otter\nstyle: *a", "bad_lines", "special", ("&a otter",)),
        ("subject: otter\nstyle: *a", "bad_lines", "special", ("*a",)),
        ("subject: !!python/object otter", "bad_lines", "special", ("!!python/object otter",)),
        ("subject: otter\n<<: *a", "bad_lines", "special", ("<<: *a",)),
        ("theme: a\noutfit:\n  head: hat", "bad_lines", "deep", ("outfit",)),
        ('{"subject": {"is": "otter"}}', "bad_lines", "deep", ("subject",)),
        ('{"subject": [["otter"]]}', "bad_lines", "deep", ("subject",)),
        ('{"subject": "otter"\n "style": "oil"}', "bad_lines", "json_comma", ('"style": "oil"}',)),
        ('{"subject": "otter",}', "bad_lines", "json_last", (",}",)),
        ('{"subject": "otter" , }', "bad_lines", "json_last", (", }",)),
        ('{"subject": ["otter",]}', "bad_lines", "json_last", (",]}",)),
        ('{"subject": "otter", style: "oil"}', "bad_lines", "json_quotes", ('style: "oil"}',)),
        ('{"subject": ,}', "bad_lines", "json_value", (",}",)),
        ('{"subject": "otter", , "style": "oil"}', "bad_lines", "json_quotes", (', "style": "oil"}',)),
        ('{"subject": "otter" "style": "oil"}', "bad_lines", "json_comma", ('"style": "oil"}',)),
        ('{"subject": "otter, "style": "oil"', "bad_lines", "json_comma", ('style": "oil"',)),
        ('{"subject": otter}', "bad_lines", "json_value", ("otter}",)),
        ('{"subject": "otter', "bad_lines", "json_end", ('"otter',)),
        ("subject: otter\noutfit:" + "\n- hat" * 33, "bad_lines", "items", ("outfit",)),
        ("subject: otter" + "\n" * 301, None, "", ()),
        ("subject: otter\n" + "# x\n" * 300 + "style: oil", "bad_lines", "many", ("",)),
        ("subject: x\n" + ("  " + "x" * 9_000 + "\n") * 2 + "style: oil", "bad_lines", "long", ("",)),
        ("subject: otter\nstyle:oil", "bad_lines", "no_key", ("style:oil",)),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(typed: str, code: str | None, flag: str, near: tuple[str, ...]) -> None:
    if code is None:
        assert drawn(f"!draw {typed}")
        return
    found = problem(f"!draw {typed}")
    assert found[:3] == (code, flag, near)
    assert len(found[3]) > 20
    assert not near or not near[0] or near[0].replace("`", "'") in found[3]


def test_the_line_and_the_reason_are_said() -> None:
    said = problem("!draw\nsubject: otter\nstyle: oil\nin a hat")[3]
    assert said == (
        "Line 3 of it (`in a hat`) cannot be read. It begins with no key (`subject:` and a space), and is not further "
        "in than the line above."
    )
    assert "Line 2 " in problem('!draw {"subject": "otter"\n "style": "oil"}')[3]
    said = problem("!draw subject: otter\nqwertz: 7")[3]
    assert all(f"`{key}`" in said for key in KEYS)


def test_what_looks_like_a_key_is_named() -> None:
    assert [one.form for one in read("!draw subject: otter, style: oil").overlooked] == ["inner_key"]
    [one] = read("!draw otter: the movie\nstyle: oil").overlooked
    assert texts.overlooked(one) == "`otter:` is no key that I know, so that line was read as words."


@pytest.mark.parametrize(
    ("typed", "changes"),
    [
        ("style: pointillism", (KeyChange("style", "pointillism"),)),
        ("style: pointillism\noutfit:\n- a\n- b", (KeyChange("style", "pointillism"), KeyChange("outfit", ("a", "b")))),
        ("outfit:", (KeyChange("outfit", None),)),
        ("theme: park", (KeyChange("theme", "park"),)),
        ("style: oil +scarf -hat", (KeyChange("style", "oil"), WordChange("scarf", True), WordChange("hat", False))),
        ("+scarf\nstyle: soft - dotted", (KeyChange("style", "soft - dotted"), WordChange("scarf", True))),
        ('{"style": "oil"}', (KeyChange("style", "oil"),)),
        ("steps: 50", None),
    ],
)  # fmt: skip
def test_changes_of_keys(typed: str, changes: Any) -> None:
    intent = read(f"!again {typed}")
    assert intent.problem is None
    assert intent.options.changes == changes


def test_more_about_changes_of_keys() -> None:
    assert read("!again style: oil\n--steps 5").options.steps == 5
    assert read("!again style: oil --seed random").options.seed == "random"
    assert read("!again prompt: a fox").options.prompt == "a fox"
    assert problem("!again mood: happy")[:3] == ("unknown_key", "mood", ("emotions",))
    assert problem("!again style: oil -steps 5")[0] == "one_dash"
    vary = read("!vary 0.3\nstyle: oil").options
    assert (vary.changes, vary.variation is not None) == ((KeyChange("style", "oil"),), True)


@pytest.mark.parametrize(
    "recorded",
    [{}, [], "otter", {"mood": "x"}, {"subject": 7}, {"subject": ["a", 7]}, {"subject": {"a": "b"}}, {"theme": "x"},
     {"subject": "x" * 4_001}, {"subject": ["x"] * 33}, {"subject": "\ud800"}, {"subject": "a", "theme": ["x"]},
     {"subject": "a", "theme": "x" * 65}, {"subject": ["x" * 3_000, "y" * 3_000]}, {"negative": "x"}],
)  # fmt: skip
def test_a_record_that_lies_is_not_believed(recorded: Any) -> None:
    with pytest.raises(NeverTyped):
        RECORDED(recorded)


def test_a_record_may_hold_more_than_we_know() -> None:
    assert RECORDED({"subject": ["a"], "later": 1, "outfit": None}).sent == {"subject": ["a"]}


WORDS = st.text(min_size=1, max_size=25).filter(lambda text: text.isprintable() and text.strip(" \t,;，、；") == text)
VALUES = WORDS | st.lists(WORDS, min_size=1, max_size=4).map(tuple) | st.just("a\nb") | st.just("--steps 3 # x")


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from([key for key in KEYS if key != "theme"]), VALUES), st.integers(1, 200))
def test_a_line_by_keys_says_what_it_was_written_from(values: dict[str, Any], steps: int) -> None:
    structure = Structure.of({"subject": "otter", **values})
    assert structure is not None
    options = DrawOptions(prompt=structure.prompt, negative_prompt=structure.negative, structure=structure, steps=steps)
    line = line_of(options)
    assert line is not None
    found = read(f"!{line}")
    assert found.problem is None
    said = re.sub(r"\((\W+):1\)", r"\1", found.options.prompt or "")  # marks around what looks like a flag
    assert (said, found.options.steps) == (re.sub(r"\((\W+):1\)", r"\1", structure.prompt), steps)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(
    ["subject:", " otter", "\n", "  ", "- ", "style: ", '"', "'", "[", "]", "{", "}", "|", ">", "#", ":", "--steps 3",
     "```", "&a", "*a", "!!b", ",", "<<:", "\t", "—", "“", '{"subject": ']), max_size=14).map("".join))  # fmt: skip
def test_anything_may_be_typed(text: str) -> None:
    for command in ("draw", "again"):
        intent = read(f"!{command} {text}")
        if intent.problem is not None:
            assert texts.usage_problem(intent.problem, "!", stray="x")


def test_hostile_lines_take_no_long_time() -> None:
    started = time.monotonic()
    for text in (
        "subject: " + "[" * 15_000, '{"subject": ' + "[" * 60_000, "subject: " + '"\\' * 7_000, "a: " * 20_000,
        "\n".join(["subject: x"] * 20_000), "subject: x\n" + "  y\n" * 250, 'subject: "' + "\n" * 290,
        "subject: [" + '"a",' * 3_900, "subject: x" + " #" * 7_000, "x: y\n" * 13_000 + "subject: z",
        "subject: " + "''" * 7_000, "subject: 'a" + "''" * 7_000, "{" + '"subject": "x",' * 4_000,
    ):  # fmt: skip
        read(f"!draw {text}")
        read(f"!again {text}")
    assert time.monotonic() - started < 4
