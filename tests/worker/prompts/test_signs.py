"""Signs of weight as keyboards of phones and of other scripts type them, and what only looks like one."""

from __future__ import annotations

import re

import pytest
from counted_work import operations
from hypothesis import given, settings
from hypothesis import strategies as st

from otterbot_worker.prompts import Fragment, explain, parse, read

LESS = ["--", "—", "–", "―", "‒", "−−", "‑‑", "‐‐", "－－", "﹣﹣", "-−", "−-", "－-"]
MORE = ["++", "＋＋", "+＋", "﹢﹢"]
ENDS = [
    "", " ", "\n", ",", ".", ";", ":", "!", "?", ")", "]", "(b)", "[b]", '"', "'", "”", "’", "»", "「", "」", "/",
    "\\", "{", "}", "|", "<", ">",
    "…", "，", "。", "、", "；", "：", "！", "？", "（", "）", "।", "॥", "؛", "،", "؟", "·", "•", "~", "*", "=", "&",
    "%", "@", "#", "💚", "\u00a0", "　", "፣", "׃",
]  # fmt: skip


def weights(prompt: str) -> list[tuple[str, float]]:
    return [(text, weight) for text, weight in parse(prompt) if weight != 1]


@pytest.mark.parametrize("signs", LESS)
def test_less_is_less_however_it_is_typed(signs: str) -> None:
    assert weights(f"(otter){signs}") == [("otter", 0.81)]
    assert weights(f"a (big otter){signs}, hat") == [("big otter", 0.81)]
    assert weights(f"otter{signs}, hat") == [("otter", 0.81)]
    assert weights(f"水獭{signs}，帽子") == [("水獭", 0.81)]


@pytest.mark.parametrize("signs", MORE)
def test_more_is_more(signs: str) -> None:
    assert weights(f"(otter){signs} hat{signs}") == [("otter", 1.21), ("hat", 1.21)]


@pytest.mark.parametrize(
    ("signs", "weight"),
    [("-", 0.9), ("−", 0.9), ("—-", 0.729), ("-—", 0.729), ("——", 0.6561), ("–−", 0.729), ("⸺", 0.81), ("---", 0.729),
    ("+", 1.1), ("＋", 1.1)],
)  # fmt: skip
def test_how_much(signs: str, weight: float) -> None:
    assert weights(f"(otter){signs} x") == [("otter", weight)]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(("signs", "weight"), [("++", 1.21), ("--", 0.81), ("—", 0.81)])
def test_signs_end_at_punctuation_of_any_script(end: str, signs: str, weight: float) -> None:
    assert ("猫", weight) in weights(f"(猫){signs}{end}")
    if end not in ("b", "(b)", "[b]"):
        assert weights(f"hat{signs}{end}") == [("hat", weight)]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("(猫)++，(帽子)++", [("猫", 1.21), ("，", 1), ("帽子", 1.21)]),
        ("(a)++(b)++", [("ab", 1.21)]),
        ("(a)++(b)--", [("a", 1.21), ("b", 0.81)]),
        ("猫，帽子++、围巾--", [("猫，", 1), ("帽子", 1.21), ("、", 1), ("围巾", 0.81)]),
        ("قطة؛ قبعة++، بحر", [("قطة؛ ", 1), ("قبعة", 1.21), ("، بحر", 1)]),
        ("बिल्ली।टोपी++।", [("बिल्ली।", 1), ("टोपी", 1.21), ("।", 1)]),
        ("{(a)++|(b)—}", [("{", 1), ("a", 1.21), ("|", 1), ("b", 0.81), ("}", 1)]),
        ('"(red hat)++"', [('"', 1), ("red hat", 1.21), ('"', 1)]),
        ("(猫：1.3)", [("猫", 1.3)]),
        ("(otter)— a hat", [("otter", 0.81), (" a hat", 1)]),
        ("(otter)1.3，hat", [("otter", 1.3), ("，hat", 1)]),
    ],
)
def test_prompts(prompt: str, expected: list[tuple[str, float]]) -> None:
    assert [text for text, _ in parse(prompt)] == [text for text, _ in expected]
    assert [weight for _, weight in parse(prompt)] == pytest.approx([weight for _, weight in expected], abs=1e-4)
    assert read(prompt).notes == ()


PROSE = [
    "otter — with hat – and boots", "salt-and-pepper—steps of stone", "1990–2000", "1990–, 2024—", "plan A—",
    "C++, g++", "semi-dry", "5 -- 6", "— a dash",
    "well—known", "he—she", "-—-", "—", "otter--hat", "ケーキー", "٢٠٢٤–",
]  # fmt: skip


@pytest.mark.parametrize("prompt", PROSE)
def test_prose_is_left_alone(prompt: str) -> None:
    assert parse(prompt) == [Fragment(prompt, 1.0)]
    assert read(prompt).notes == ()


@pytest.mark.parametrize(
    ("prompt", "word"),
    [
        ("(otter)++hat", "++"), ("(otter)--hat", "++"), ("(otter)—hat", "++"), ("(猫)++帽子", "++"),
        ("hat++scarf", "++"), ('"tall man"++', "++"), ("[cat]++, x", "++"), ("[cat]—", "++"),
        ("(otter)+--", "++"), ("(hat:1,3)", "(hat:1,3)"), ("（猫:1.3）", "（hat:1.3）"),
        ("（猫：1.3）", "（hat:1.3）"), ("otter— in a hat", "dash"), ("otter–", "dash"),
    ],
)  # fmt: skip
def test_what_looks_like_a_weight_is_named(prompt: str, word: str) -> None:
    (note,) = read(prompt).notes
    assert word in note
    assert explain(prompt).notes == (note,)
    assert read(prompt).said(weights_act=False) == ()


DASHES = st.text(alphabet="-‐‑−－﹣⁻‒–—―⸺⸻﹘", min_size=1, max_size=4)
PLUSES = st.text(alphabet="+＋﹢", min_size=1, max_size=4)
SIGNS = "-+＋﹢‐‑−－﹣⁻‒–—―⸺⸻﹘"
END = st.characters(categories=["P", "S", "Z"]).filter(lambda one: one not in SIGNS and not re.match(r"\w", one))
INSIDE = st.text(alphabet="abc 猫帽שק", min_size=1, max_size=8).filter(str.strip)


@settings(max_examples=300, deadline=None)
@given(
    INSIDE,
    DASHES | PLUSES,
    st.characters(categories=["P", "S", "Z"]).filter(lambda one: one not in "-+＋﹢‐‑−－﹣⁻‒–—―⸺⸻﹘_‿⁀⁔︳︴﹍﹎﹏＿"),
)
def test_signs_behind_a_bracket_always_act(inside: str, signs: str, end: str) -> None:
    found = read(f"x ({inside}){signs}{end}").fragments
    (acted,) = [fragment for fragment in found if inside in fragment.text]
    assert acted.weight < 1 if signs[0] not in "+＋﹢" else acted.weight > 1
    assert not any(sign in "".join(fragment.text for fragment in found) for sign in signs)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab猫 ,，()[]+-—–−＋\"'{}/|.:：", max_size=200))
def test_no_word_is_lost_and_no_weight_leaves_its_bounds(prompt: str) -> None:
    found = read(prompt)
    letters = [one for one in prompt if one.isalpha()]
    kept = [one for fragment in found.fragments for one in fragment.text if one.isalpha()]
    assert kept == letters or "schedule" in found.marks
    assert all(0 <= fragment.weight <= 2 for fragment in found.fragments)


UNITS = [
    "—", "－", "＋", "a—", "猫++", "(a)—", ")++a", "a--b", "a++b", '"++', "]--", "：1,", "(a：1", "1.3）", "\\)++",
    "، ",
]  # fmt: skip


@pytest.mark.parametrize("unit", UNITS)
def test_the_work_grows_as_the_prompt_does(unit: str) -> None:
    small, large = operations(unit * 25), operations(unit * 200)
    assert large <= 10 * small
