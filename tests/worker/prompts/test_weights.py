"""The parser of weights: a table, A1111's own examples, properties."""

from __future__ import annotations

import gc
import math
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otterbot_worker.prompts import Fragment, clean_text, parse

PLAIN = [
    "otter, cowboy hat",
    "Oregon 💚, 日本語, Füchse",
    "C++ code and g++",
    "well-known -- dashes - and --flags",
    ":-) :( ;-( and :-[ x",
    "a :) b :-] =), :(",
    "1,000 otters at 3.14",
    'a "quoted" it\'s',
    "a) b] c",
    "  spaces\tand\nlines  ",
    "100% +5 -3 a+b",
]

WEIGHTED = [
    ("back\\slash_\\, x", [("backslash_, x", 1)]),
    ("(x)", [("x", 1.1)]),
    ("((x))", [("x", 1.21)]),
    ("[x]", [("x", 0.9091)]),
    ("(x:1.3)", [("x", 1.3)]),
    ("(x: 1.3 )", [("x", 1.3)]),
    ("(x:.5)", [("x", 0.5)]),
    ("(x)1.3", [("x", 1.3)]),
    ("(x)0.4, y", [("x", 0.4), (", y", 1.0)]),
    ("otter, (cowboy hat)++, ((pizza))", [("otter, ", 1), ("cowboy hat", 1.21), (", ", 1), ("pizza", 1.21)]),
    ("word++ next", [("word", 1.21), (" next", 1)]),
    ("big cat--, (phrase)--", [("big ", 1), ("cat", 0.81), (", ", 1), ("phrase", 0.81)]),
    ("猫++", [("猫", 1.21)]),
    ("(cat++ dog:1.2)", [("cat", 1.452), (" dog", 1.2)]),
    ("(semi)-dry (a)100x", [("semi", 1.1), ("-dry ", 1), ("a", 1.1), ("100x", 1)]),
    ("pi (3.14), C++", [("pi ", 1), ("3.14", 1.1), (", C++", 1)]),
    ("(C++) :-( (hat)", [("C++", 1.1), (" :-( ", 1), ("hat", 1.1)]),
    ('"(x)", say "hi"', [('"', 1), ("x", 1.1), ('", say "hi"', 1)]),
    ("(a:1e999)(b:nan)(c:1.3.4)(d:+-1)", [("a:1e999b:nanc:1.3.4d:+-1", 1.1)]),
    ("(x:-0.5)", [("x", 0.0)]),
    ("(x:+1.3)", [("x", 1.3)]),
    ("(x:+.5) (y: -1 )", [("x", 0.5), (" ", 1), ("y", 0.0)]),
    ("((x:-1):-1)", [("x", 0.0)]),
    ("(x:1.2100000000000002)", [("x", 1.21)]),
    ("(x)1.2100000000000002", [("x", 1.21)]),
    ("(x:00001.5)", [("x", 1.5)]),
    ("(x:123456)", [("x", 2.0)]),
    ("(x:0." + "1" * 40 + ")", [("x:0." + "1" * 40, 1.1)]),
    ("(16:9)", [("16:9", 1.1)]),
    ("(4:3), ( 12:30 )", [("4:3", 1.1), (", ", 1), (" 12:30 ", 1.1)]),
    ("(12:30:45)", [("12:30:45", 1.1)]),
    ("((a clock) 12:30)", [("a clock", 1.21), (" 12:30", 1.1)]),
    ("(at 12:30), (portrait,16:9)", [("at 12:30", 1.1), (", ", 1), ("portrait,16:9", 1.1)]),
    ("(at 12:30:1.3)", [("at 12:30", 1.3)]),
    ("(in 2024:2)", [("in 2024", 2.0)]),
    ("(room b12:3)", [("room b12", 2.0)]),
    ("(16:9:1.3)", [("16:9", 1.3)]),
    ("(16:9:2)", [("16:9", 2.0)]),
    ("(16:9)1.3", [("16:9", 1.3)]),
    ("(2024:1.3)", [("2024", 1.3)]),
    ("(:3)", [(":3", 1.1)]),
    ("((a):2)", [("a", 2.0)]),
    ("(x)1e5, (y)99999", [("x", 1.1), ("1e5, ", 1), ("y", 1.1), ("99999", 1)]),
    ("(see)1,000", [("see", 1.1), ("1,000", 1)]),
    (r"\(x\) \[y\] \\", [(r"(x) [y] " + "\\", 1)]),
    (r"word\+\+", [("word++", 1)]),
    ("(x:99)", [("x", 2.0)]),
    ("(x:0)", [("x", 0.0)]),
    ("x" + "+" * 48, [("x" + "+" * 48, 1)]),
    ("xy" + "+" * 48, [("xy", 2.0)]),
    ("()", [("", 1)]),
    ("", [("", 1)]),
]

FACES = [
    ("(a cat :-) with hat:1.3)", [("a cat :-) with hat", 1.3)]),
    ("(a cat :-( with hat:1.3)", [("a cat :-( with hat", 1.3)]),
    ("(a cat :), hat)", [("a cat :), hat", 1.1)]),
    ("(a cat :))", [("a cat :)", 1.1)]),
    ("(a cat :):1.3)", [("a cat :)", 1.3)]),
    ("(:-) cat)++", [(":-) cat", 1.21)]),
    ("[a cat =] hat]", [("a cat =] hat", 0.9091)]),
    ("((a cat ;) hat) (dog:1.2)) x", [("a cat ;) hat", 1.21), (" ", 1.1), ("dog", 1.32), (" x", 1)]),
    ("(:-( cat :-) hat:1.3)", [(":-( cat :-) hat", 1.3)]),
    ("(otter :)", [("otter :", 1.1)]),
    ("(otter :) in a (hat)", [("otter :", 1.1), (" in a ", 1), ("hat", 1.1)]),
    ("((otter :))", [("otter :", 1.21)]),
    ("(otter :)++ x)", [("otter :", 1.21), (" x)", 1)]),
    ("(the ratio:) x)", [("the ratio:", 1.1), (" x)", 1)]),
    (r"(a :-\) b)", [("a :-) b", 1.1)]),
]

A1111 = [
    ("normal text", [("normal text", 1)]),
    ("an (important) word", [("an ", 1), ("important", 1.1), (" word", 1)]),
    ("(unbalanced", [("unbalanced", 1.1)]),
    (r"\(literal\]", [("(literal]", 1)]),
    ("(unnecessary)(parens)", [("unnecessaryparens", 1.1)]),
    (
        "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
        [
            ("a ", 1),
            ("house", 1.573),
            (" ", 1.1),
            ("on", 1),
            (" a ", 1.1),
            ("hill", 0.55),
            (", sun, ", 1.1),
            ("sky", 1.4641),
            (".", 1.1),
        ],
    ),
]


@pytest.mark.parametrize("prompt", PLAIN)
def test_plain_text_is_left_alone(prompt: str) -> None:
    assert parse(prompt) == [Fragment(prompt, 1.0)]


@pytest.mark.parametrize(("prompt", "expected"), WEIGHTED + FACES + A1111)
def test_weights(prompt: str, expected: list[tuple[str, float]]) -> None:
    assert [text for text, _ in parse(prompt)] == [text for text, _ in expected]
    assert [weight for _, weight in parse(prompt)] == pytest.approx([weight for _, weight in expected], abs=1e-4)


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=400) | st.text(alphabet="ab ()[]\\+-:,.019", max_size=400))
def test_anything_goes_and_weights_stay_in_bounds(prompt: str) -> None:
    fragments = parse(prompt)
    assert fragments
    assert all(math.isfinite(weight) and 0.0 <= weight <= 2.0 for _, weight in fragments)
    assert all(a.weight != b.weight for a, b in pairwise(fragments))
    assert clean_text(prompt) == "".join(text for text, _ in fragments)
    assert parse(prompt) == fragments


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(exclude_characters="()[]\\+＋﹢‒–—―⸺⸻﹘‐‑−－﹣⁻-"), max_size=400))
def test_text_without_marks_is_left_alone(prompt: str) -> None:
    assert parse(prompt) == [Fragment(prompt, 1.0)]


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_escaped_text_is_left_alone(prompt: str) -> None:
    escaped = "".join("\\" + c if c in "()[]\\+-" else c for c in prompt)
    assert clean_text(escaped) == prompt
    assert len(parse(escaped)) == 1


@pytest.mark.parametrize(
    "unit",
    [
        "(",
        ")",
        "[",
        "(cat ",
        "a++ ",
        "c++ ",
        "+",
        "-+",
        ":",
        "(:",
        "\\",
        "(a:1.1)++",
        "x:  ",
        "([",
        "(a)1",
        "💚",
        "(((a",
        "(a :) ",
        "(:) ",
        "(:-)",
        ":( ",
        "(1:1)",
        "(x:-1.2100000000000002)",
    ],
)
def test_sixty_kilobytes_take_linear_time(unit: str) -> None:
    def seconds(length: int) -> float:
        prompt = unit * (length // len(unit))
        found = math.inf
        for _ in range(3):
            gc.disable()  # what it looks through is everything that other tests have left
            try:
                started = time.process_time()
                parse(prompt)
                found = min(found, time.process_time() - started)
            finally:
                gc.enable()
        return found

    # Ten times as long; quadratic work would take a hundred times as long.
    assert seconds(60_000) <= 35 * max(seconds(6_000), 1e-3)


def test_three_hundred_nested_brackets() -> None:
    assert parse("(" * 300 + "cat" + ")" * 300) == [Fragment("cat", 2.0)]
    assert parse("[" * 300 + "cat" + "]" * 300) == [Fragment("cat", 0.0)]
    assert parse("(" * 60_000 + "[" * 60_000 + "cat:0)")[-1].weight <= 2.0
