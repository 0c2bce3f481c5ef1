"""Words that are added to a prompt, and taken out of it with their brackets and weights."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import parse

from otterbot.language.intents import Intent
from otterbot.language.option_values import WordChange
from otterbot.language.word_changes import is_compound, read_changes, with_added, without

SHARED = json.loads((Path(__file__).parents[2] / "words_taken_out.json").read_text("utf-8"))


def plus(words: str) -> WordChange:
    return WordChange(words, added=True)


def minus(words: str) -> WordChange:
    return WordChange(words, added=False)


def read(body: str) -> Intent:
    intent = parse(body, prefix="!")
    assert intent is not None, body
    return intent


@pytest.mark.parametrize(
    ("prompt", "words", "left"),
    [
        ("otter, cowboy hat, sea", "cowboy hat", "otter, sea"),
        ("otter, cowboy hat", "cowboy hat", "otter"),
        ("cowboy hat, otter", "cowboy hat", "otter"),
        ("otter,cowboy hat,sea", "cowboy hat", "otter,sea"),
        ("otter, Cowboy\u0020\u0020hat , sea", "cowboy HAT", "otter, sea"),
        ("otter in a cowboy hat at the sea", "cowboy hat", "otter in a at the sea"),
        ("otter in a cowboy hat.", "cowboy hat", "otter in a."),
        ("otter, (cowboy hat)++, sea", "cowboy hat", "otter, sea"),
        ("otter, (cowboy hat)—, sea", "cowboy hat", "otter, sea"),
        ("otter, ((cowboy hat)), sea", "cowboy hat", "otter, sea"),
        ("otter, (cowboy hat:1.3), sea", "cowboy hat", "otter, sea"),
        ("otter, (cowboy hat)1.3, sea", "cowboy hat", "otter, sea"),
        ("otter, ((cowboy hat:1.2))++, sea", "cowboy hat", "otter, sea"),
        ("otter, [cowboy hat], sea", "cowboy hat", "otter, sea"),
        ("otter, cowboy hat++, sea", "cowboy hat", "otter, sea"),
        ("otter, hat--, sea", "hat", "otter, sea"),
        (r"otter, \(hat\), sea", "hat", "otter, sea"),
        ("(otter, ((cowboy hat)+)++)", "cowboy hat", "(otter)"),
        ("(cowboy hat, boots:1.3)", "cowboy hat", "(boots:1.3)"),
        ("(cowboy hat, boots:1.3)", "boots", "(cowboy hat:1.3)"),
        ("(cowboy hat, otter)", "hat", "(cowboy, otter)"),
        ("hat, cowboy hat, (hat)", "hat", "cowboy hat"),
        ("red hat, cowboy hat", "hat", "red, cowboy"),
        ("otter, (cowboy hat)++", "(cowboy hat)++", "otter"),
        ("otter, cowboy hat", "(cowboy hat)++", "otter"),
        ("otter <lora:penguin:0.8>, sea", "<lora:Penguin>", "otter, sea"),
        ("{red|green|blue} hat", "green", "{red|blue} hat"),
        ("{red|green} hat", "red", "green hat"),
        ("{cowboy hat}", "cowboy", "{hat}"),
        ("__animal__, hat", "__animal__", "hat"),
        ("猫帽子，海", "帽子", "猫，海"),
        ("otter,\nhat,\nsea", "hat", "otter,\nsea"),
        ("otter 💚, hat", "💚", "otter, hat"),
        ('("otter in a hat", "sea").and()', "hat", '("otter in a", "sea").and()'),
        ("hat", "hat", ""),
    ],
)
def test_words_go_with_all_that_is_theirs(prompt: str, words: str, left: str) -> None:
    assert without(prompt, words) == left


@pytest.mark.parametrize("case", SHARED, ids=lambda case: case["prompt"])
def test_taken_out_as_the_worker_does(case: dict[str, Any]) -> None:
    assert without(case["prompt"], case["words"]) == case["left"]


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("that hat-trick", "hat"), ("chat", "hat"), ("__animal__", "animal"), ("a cat's hat", "cat"),
        ("otter", "cowboy hat"), ("otter", "()"), ("otter", "+"), ("", "hat"),
    ],
)  # fmt: skip
def test_what_does_not_stand_there_as_words_is_not_found(prompt: str, words: str) -> None:
    assert without(prompt, words) is None


def test_words_are_added_at_the_end() -> None:
    assert with_added("otter, ", "red scarf") == "otter, red scarf"
    assert with_added("", "red scarf") == "red scarf"
    assert is_compound('("a", "b").and(1, 0.5)')
    assert not is_compound("(a, b).and")


@pytest.mark.parametrize(
    ("typed", "changes"),
    [
        ("+red scarf -cowboy hat", (plus("red scarf"), minus("cowboy hat"))),
        ("-cowboy hat, +red scarf, +boots.", (minus("cowboy hat"), plus("red scarf"), plus("boots."))),
        ("+ red scarf - hat.", (plus("red scarf"), minus("hat"))),
        ("+“red - scarf” −hat", (plus("red - scarf"), minus("hat"))),
        ("＋red　－hat", (plus("red"), minus("hat"))),
        ("—hat", (minus("hat"),)),
        (r"\-hat", (minus("hat"),)),
        ("+salt — pepper", (plus("salt — pepper"),)),
        ("+(scarf)++ -(hat)--", (plus("(scarf)++"), minus("(hat)--"))),
        ("+semi-dry, <lora:a:-0.5>", (plus("semi-dry, <lora:a:-0.5>"),)),
        ("-3 hats\n+a", (minus("3 hats"), plus("a"))),
        ('+"red" scarf', (plus('"red" scarf'),)),
        ("red scarf", None), ("red +scarf", None), ("+", None), ("+a" * 40, (plus("a" + "+a" * 39),)),
        ("+a " * 40, None),
    ],
)  # fmt: skip
def test_changes_as_they_are_typed(typed: str, changes: tuple[WordChange, ...] | None) -> None:
    assert read_changes(typed) == changes


def test_flags_may_stand_among_them() -> None:
    intent = read("!again +red scarf --steps 50 -hat --seed random")
    assert intent.problem is None
    assert (intent.options.changes, intent.options.steps) == ((plus("red scarf"), minus("hat")), 50)
    assert intent.options.seed == "random"
    vary = read("!vary 0.4 +red scarf")
    assert (vary.options.changes, vary.options.prompt) == ((plus("red scarf"),), None)
    assert vary.options.variation is not None
    assert read("!again --prompt “otter, red scarf” --steps 5").options.prompt == "otter, red scarf"


@pytest.mark.parametrize(
    ("typed", "code", "flag"),
    [
        ("-n 4", "one_dash", "count"), ("-steps 5", "one_dash", "steps"), ("- -steps 5", "one_dash", "steps"),
        ("+scarf -steps 5", "one_dash", "steps"), ("--hat", "unknown_flag", ""), ("red scarf", "stray_text", ""),
        ("red scarf +hat", "stray_text", ""), ("--prompt", "no_value", ""),
    ],
)  # fmt: skip
def test_a_flag_with_one_dash_is_still_asked_about(typed: str, code: str, flag: str) -> None:
    problem = read(f"!again {typed}").problem
    assert problem is not None
    assert problem.code == code
    assert not flag or problem.near[0] == flag


def test_what_was_typed_as_a_prompt_counts_for_draw_as_well() -> None:
    assert read("!draw otter --prompt red scarf --steps 5").options.prompt == "otter, red scarf"
    assert read("!draw --prompt red scarf").problem is None


TEXT = st.text(st.sampled_from('ab ,()[]{}|+-—:\\1.\n"猫'), max_size=30)


@settings(max_examples=300, deadline=None)
@given(TEXT, TEXT)
def test_anything_can_be_taken_out_of_anything(prompt: str, words: str) -> None:
    left = without(prompt, words)
    if left is not None:
        assert len(left) < len(prompt)


def test_hostile_texts_take_no_long_time() -> None:
    started = time.monotonic()
    for prompt, words in [("(" * 4_000, "("), ("a " * 2_000, "a"), (("(" * 1_000) + "a" + ")" * 1_000, "a"),
                          (" " * 2_000 + "a" + " " * 2_000, "a"), ("\\" * 4_000, "\\")]:  # fmt: skip
        without(prompt, words)
        read_changes("+" + prompt * 10)
        is_compound(prompt)
    assert time.monotonic() - started < 2
