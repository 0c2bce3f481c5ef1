"""Whole prompts in both dialects: chunks, parts, what has no equal, and how all of it is explained."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from core_lab import settings as worker_settings
from core_lab import worker_here
from counted_work import operations
from hypothesis import given, settings
from hypothesis import strategies as st

from otterbot_worker.prompts import Fragment, clean_text, explain, foreign, parse, read
from otterbot_worker.prompts.dialects import PARTS_MAX
from otterbot_worker.prompts.weights import BREAKS_MAX

PLAIN = [
    "C++, :-) 1,000 and \"quotes\" it's",
    "ROCK AND ROLL",
    "A CAT AND A DOG IN CAPITALS",
    "AND", "AND then", "and so on AND", "BRAND ANDES BREAKFAST", "COFFEE-BREAK, 'BREAK'",
    "a | b, 16:9, 12:30",
    '"one", "two".and',
    "otter.blend",
]  # fmt: skip

CHUNKS = [
    ("a BREAK b", [["a"], ["b"]]),
    ("a\nBREAK\nb", [["a"], ["b"]]),
    ("a, BREAK, b", [["a,"], [", b"]]),
    ("BREAK a BREAK BREAK b BREAK", [["a"], ["b"]]),
    ("(a BREAK b:1.3) c", [[("a", 1.3)], [("b", 1.3), " c"]]),
    ("break a Break b", [["break a Break b"]]),
    ("BREAK", [[""]]),
]

NO_EQUAL = [
    ("a cat AND a dog", [("a cat, a dog", 1)], "AND"),
    ("a cat :1.2 AND a dog :0.8 ", [("a cat, a dog", 1)], "AND"),
    ("(cat) AND (dog:1.3)", [("cat", 1.1), (", ", 1), ("dog", 1.3)], "AND"),
    ("a, AND b", [("a, b", 1)], "AND"),
    ("a AND AND b", [("a, , b", 1)], "AND"),
    ("[cow:horse:0.4] in a field", [("horse in a field", 1)], "schedule"),
    ("a [smile:10]", [("a smile", 1)], "late"),
    ("[a::0.5]", [("a", 1)], "leaving"),
    ("[a: :3]", [("a ", 1)], "leaving"),
    ("[(a)++:(b)++ c:-0.5]", [("b", 1.21), (" c", 1)], "schedule"),
    ("[[a:b:1]:c:1e0]", [("c", 1)], "late"),
    ("[a:[b:c:1]:1]", [("c", 1)], "late"),
    ("([a:b:1]:1.3)", [("b", 1.3)], "late"),
    ("[a|b|c] hat", [("a, b, c hat", 1)], "alternation"),
    ("[|a]", [(", a", 1)], "alternation"),
]

OF_OTHER_PROGRAMS = {
    "double_colon": [
        "1.5::cat ::", "a hat, -1::rain::, sun", "1girl::2", "2::1girl::", "cat::2 dog::1", "hot:: dog", "hot :: dog",
        "hot dog::-.5", "(cat)::2", "a cat ::1.5, hat", "1.2::(cat), hat::",
    ],
    "variable": ["${colour} cat", "${x=!red}", "${x?=red}", "${season:summer}", "__name(x=y)__ a", "__~a/b(x=y)__"],
    "tag": ["<wildcard:color> cat", "a <random:a,b>", "<embed:foo>", "<random[1-2]:a|b>", "<cat:1.2>", "<Segment:x>"],
    "regions": ["cat ADDCOL dog", "a ADDROW b", "sky ADDCOMM a", "a ADDBASE b", "a COUPLE(0 0.5) b", "MASK(0 1) a"],
    "AND_": ["cat AND_PERP dog", "a AND_SALT b", "a AND_TOPK b"],
}  # fmt: skip
NOT_OF_OTHER_PROGRAMS = [
    "16::9", "at 12::30", "16:9", "12:30:45", "x[1::y]", "x[::2]", "xs[1::2]", "std::vector", "fe80::1", "::1", "a::b",
    "_name_", "__init__", "def __init__(self)", "obj.__doc__", "__a()", "____", "a__b__c", "snake_case_name",
    "<https://example.org/a>", "<mailto:a@b.c>", "<3: a", "a <b: c", "<cat-toy>", "<embedding:foo>",
    "COUPLE (two people)", "a COUPLE", "ADDCOLOUR", "addcol", "AND_", "BAND_PERP", "and_perp", "MASK of wood",
]  # fmt: skip

SQUARE_BUT_A_WEIGHT = ["[sic]", "[16:9]", "[12:30]", "[a:b]", "[a:b:c:1]", "[:-) x]", "[a (b:1) c]", "[:3]"]

COMPOUNDS = [
    ('("a", "b").and()', "and", [(1, [("a", 1)]), (1, [("b", 1)])]),
    ('("a", "b").and(0.5, 1)', "and", [(0.5, [("a", 1)]), (1, [("b", 1)])]),
    (' ( "a" , "b" ) .and( 1 , .5 ) ', "and", [(1, [("a", 1)]), (0.5, [("b", 1)])]),
    ("(“a”, “b”).and()", "and", [(1, [("a", 1)]), (1, [("b", 1)])]),
    ('("a (b)++", "[c], dog++").blend(0.7, 0.3)', "blend",
     [(0.7, [("a ", 1), ("b", 1.21)]), (0.3, [("c", 0.9091), (", ", 1), ("dog", 1.21)])]),
    ('("a", "b").blend()', "blend", [(0.5, [("a", 1)]), (0.5, [("b", 1)])]),
    ('("a", "b").blend(3, 1)', "blend", [(0.75, [("a", 1)]), (0.25, [("b", 1)])]),
    ('("a", "b").blend(1, 1, no_normalize)', "blend", [(1, [("a", 1)]), (1, [("b", 1)])]),
    (r'("say \"hi\"", "\(b\)").and()', "and", [(1, [('say "hi"', 1)]), (1, [("(b)", 1)])]),
    ('("a",).and()', "and", [(1, [("a", 1)])]),
]  # fmt: skip

MALFORMED = [
    '("a", "b").and(1)',
    '("a", "b").and(1, x)',
    '("a", "b").and(1, nan)',
    '("a", "b").and(1e9, 1)',
    '("a", "b").blend(-1, -1)',
    '("a", "b").blend(0, 0)',
    'x ("a", "b").and()',
    '("a", "b").and() x',
    '("a", ("b", "c").blend(1, 1)).and()',
    "(" + ", ".join(['"a"'] * (PARTS_MAX + 1)) + ").and()",
]


@pytest.mark.parametrize("prompt", PLAIN)
def test_plain_text_is_left_alone(prompt: str) -> None:
    found = read(prompt)
    assert (found.kind, found.fragments, found.notes, found.marks) == ("plain", [Fragment(prompt, 1.0)], (), ())


def _near(fragments: Any, expected: list[Any]) -> None:
    expected = [(one, 1.0) if isinstance(one, str) else one for one in expected]
    assert [text for text, _ in fragments] == [text for text, _ in expected]
    assert [weight for _, weight in fragments] == pytest.approx([weight for _, weight in expected], abs=1e-4)


@pytest.mark.parametrize(("prompt", "expected"), CHUNKS)
def test_chunks(prompt: str, expected: list[list[Any]]) -> None:
    (part,) = read(prompt).parts
    assert len(part.chunks) == len(expected)
    for chunk, wanted in zip(part.chunks, expected, strict=True):
        _near(chunk, wanted)


@pytest.mark.parametrize(("prompt", "expected", "mark"), NO_EQUAL)
def test_what_has_no_equal_is_named(prompt: str, expected: list[Any], mark: str) -> None:
    found = read(prompt)
    _near(found.fragments, expected)
    assert mark in found.marks
    assert len(found.notes) == 1
    assert "not supported here" in found.notes[0]


@pytest.mark.parametrize(("mark", "prompt"), [(mark, one) for mark, all_ in OF_OTHER_PROGRAMS.items() for one in all_])
def test_what_means_something_in_other_programs_is_named(mark: str, prompt: str) -> None:
    found = read(prompt)
    assert [one for one in found.marks if one in foreign.SAID] == [mark]
    assert foreign.SAID[mark] in found.notes
    assert foreign.SAID[mark] in explain(prompt).notes


@pytest.mark.parametrize(
    "prompt", [*NOT_OF_OTHER_PROGRAMS, "[cat::0.5]", "[cat:: 10 ]", "(cat::1.2)", "<lora:x:0.8>", "[a::b]"]
)
def test_prose_and_code_are_not_taken_for_that(prompt: str) -> None:
    assert not foreign.marks(prompt)


@pytest.mark.parametrize("prompt", SQUARE_BUT_A_WEIGHT)
def test_square_brackets_that_are_weights(prompt: str) -> None:
    found = read(prompt)
    assert not {"schedule", "alternation"} & {*found.marks}
    assert (found.fragments[0].weight, found.notes) == (0.9091, ())


@pytest.mark.parametrize(("prompt", "kind", "parts"), COMPOUNDS)
def test_compounds(prompt: str, kind: str, parts: list[Any]) -> None:
    found = read(prompt)
    assert (found.kind, found.notes) == (kind, ())
    assert [part.weight for part in found.parts] == pytest.approx([weight for weight, _ in parts])
    for part, (_, fragments) in zip(found.parts, parts, strict=True):
        _near([fragment for chunk in part.chunks for fragment in chunk], fragments)


@pytest.mark.parametrize("prompt", MALFORMED)
def test_malformed_compounds_are_words(prompt: str) -> None:
    found = read(prompt)
    assert (found.kind, len(found.parts)) == ("plain", 1)
    assert "malformed" in found.marks
    assert "read as plain words" in found.notes[0]


@pytest.mark.parametrize(("method", "weights"), [("and(9, -1)", [2, 0]), ("blend(1, -1)", [1, 0])])
def test_weights_of_parts_are_clamped_and_that_is_said(method: str, weights: list[float]) -> None:
    found = read(f'("a", "b").{method}')
    assert [part.weight for part in found.parts] == weights
    assert "0 to 2" in found.notes[0]


TWENTY = "(" * 20 + "x" + ")" * 20


@pytest.mark.parametrize(
    "prompt",
    ["(otter:9)", "(x)9", TWENTY, "otter++++++++", "(x:-0.5)", "((a:1.5) b:1.5)", '("(a:9)", "b").and()'],
)
def test_weights_beyond_the_bounds_are_named(prompt: str) -> None:
    found = read(prompt)
    assert "clamped" in found.marks
    assert found.notes == ("Weights go from 0 to 2; what was beyond was brought to the nearest of them.",)
    assert explain(prompt).notes == found.notes


@pytest.mark.parametrize(
    "prompt", ["(x:2)", "(x:0)", "((x:9):0.1)", "[[[x]]]", "((a:1.4) :1.4)", "((x:1.25):1.6)", "(16:9)"]
)
def test_weights_within_the_bounds_are_not(prompt: str) -> None:
    found = read(prompt)
    assert ("clamped" in found.marks, found.notes) == (False, ())


@pytest.mark.parametrize(
    ("prompt", "weighted"),
    [("otter, hat", False), ("(otter)++", True), ("[otter]", True), ("(otter:1)", False), ("( ) otter", False),
     ('("a", "b").and()', False), ('("a", "b").and(1, 0.5)', True), ('("a", "b").blend(3, 1)', False),
     ('("a (b)", "c").blend(3, 1)', True), ("a BREAK b", False), ("[a|b]", False), ("", False)],
)  # fmt: skip
def test_whether_words_count_more_or_less(prompt: str, weighted: bool) -> None:
    assert read(prompt).weighted is weighted


def test_the_number_of_chunks_is_bounded() -> None:
    found = read("a BREAK " * 1000)
    assert len(found.parts[0].chunks) == BREAKS_MAX + 1
    assert found.parts[0].chunks[-1][0].text.startswith("a a a")
    assert f"first {BREAKS_MAX}" in found.notes[0]
    found = read('("a BREAK b BREAK c", "' + "a BREAK " * 100 + '", "d BREAK e").and()')
    assert [len(part.chunks) for part in found.parts] == [3, BREAKS_MAX - 1, 1]


ALPHABET = st.sampled_from(
    ["(", ")", "[", "]", ":", "|", '"', "“", "”", "\\", "+", "-", ".", ",", " ", "\n", "a", "0.5", "1", "BREAK",
     " AND ", ").and(", ").blend(", "no_normalize", "<lora:x:1>", ":-)", "💚"]
)  # fmt: skip
JUMBLE = st.lists(ALPHABET, max_size=60).map("".join)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300) | JUMBLE | JUMBLE.map(lambda text: f'("a", "{text}").blend(1, 2)'))
def test_anything_goes_and_weights_stay_in_bounds(prompt: str) -> None:
    found = read(prompt)
    assert found.parts
    assert all(part.chunks and all(part.chunks) for part in found.parts)
    assert all(0.0 <= fragment.weight <= 2.0 for fragment in found.fragments)
    assert all(math.isfinite(part.weight) and 0.0 <= part.weight <= 2.0 for part in found.parts)
    assert sum(len(part.chunks) for part in found.parts) <= BREAKS_MAX + PARTS_MAX
    assert read(prompt) == found
    assert hash(found.parts) == hash(read(prompt).parts)
    assert parse(prompt) == found.fragments
    clean_text(prompt)
    explain(prompt)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.characters(exclude_characters="()[]\\+-＋﹢（）‐‑−－﹣⁻‒–—―⸺⸻﹘"), max_size=400))
def test_text_without_marks_goes_through_unchanged(prompt: str) -> None:
    if "AND" in prompt or "BREAK" in prompt:
        return
    found = read(prompt)
    assert (found.fragments, set(found.marks) - set(foreign.SAID)) == ([Fragment(prompt, 1.0)], set())


PROSE = ["otter", "Cowboy", "hat,", "and", "a", "1,000", "💚", "C++", ":-)", "x|y", "a:b"]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(PROSE), max_size=30))
def test_prose_goes_through_unchanged(words: list[str]) -> None:
    prompt = " ".join(words)
    assert read(prompt).fragments == [Fragment(prompt, 1.0)]


# ---------------------------------------------------------------- linear time, counted

UNITS = [
    "(", "[", "(a ", "[a:", "[a|", "[:", "[a:b:1]", "[[:1]:1]", "a AND ", "A AND ", " AND", "a :1 AND ", "a BREAK ",
    "BREAK ", "(a :) ", "(:) ", ":( ", "(a :-) b",
    '"', '("', '("a",', '"a", ', '"a\\"', '").and(', '".and(1,', "(“a”", "“", "\\", "1,", "(a:1)", "a++ ",
]  # fmt: skip
FRAMES: list[tuple[str, Callable[[int], str]]] = [
    *((unit, lambda count, unit=unit: unit * count) for unit in UNITS),
    *((f'("{unit}', lambda count, unit=unit: '("' + unit * count) for unit in UNITS),
    ("[[a:b:1]…", lambda count: "[" * count + "a" + ":b:1]" * count),
    ("[a:[a:…1]", lambda count: "[a:" * count + "b" + ":1]" * count),
    ("[ :[ :…1]", lambda count: "[ :" * count + "b" + ":1]" * count),
    ("[a|[a|…]", lambda count: "[a|" * count + "b" + "]" * count),
    ("((… :) :)", lambda count: "(a " * count + "b" + " :)" * count),
    ("((… :) ))", lambda count: "(a " * count + ":) " * count + ")" * count),
    ("((…:1):1)", lambda count: "(" * count + "b" + ":1)" * count),
]


@pytest.mark.parametrize("name", [name for name, _ in FRAMES])
def test_the_work_grows_as_the_prompt_does(name: str) -> None:
    make = dict(FRAMES)[name]
    small, large = operations(make(25)), operations(make(200))
    assert large <= 10 * small


# ---------------------------------------------------------------- explained


def test_explained() -> None:
    found = explain("otter BREAK (hat)++ <lora:penguin:0.8> [a|b]")
    assert [tuple(fragment) for fragment in found.fragments] == [
        ("otter", 1.0, 0, 0),
        ("hat", 1.21, 0, 1),
        ("  a, b", 1.0, 0, 1),
    ]
    assert [(lora.name, lora.weight) for lora in found.loras] == [("penguin", 0.8)]
    assert found.marks == ("BREAK", "signs", "alternation", "lora")
    assert "Alternation" in found.notes[0]
    assert "LoRA" in explain("<lora:x").notes[0]


async def test_the_route(tmp_path: Any) -> None:
    async with worker_here(worker_settings(tmp_path), paused=True) as here:
        asked = {"prompt": '("(otter)++ hat", "x").blend(3, 1)', "negative_prompt": "a AND b <lora:x>"}
        status, answer = await here.api.call("POST", "/v1/prompts/explain", asked)
        assert status == 200
        assert answer["prompt"]["kind"] == "blend"
        assert answer["prompt"]["part_weights"] == [0.75, 0.25]
        assert answer["prompt"]["fragments"] == [
            {"text": "otter", "weight": 1.21, "part": 0, "chunk": 0},
            {"text": " hat", "weight": 1.0, "part": 0, "chunk": 0},
            {"text": "x", "weight": 1.0, "part": 1, "chunk": 0},
        ]
        assert answer["negative_prompt"]["marks"] == ["AND", "lora"]
        assert answer["negative_prompt"]["loras"] == [{"name": "x", "weight": 1.0}]
        status, answer = await here.api.call("POST", "/v1/prompts/explain", {"prompt": "x"})
        assert (status, answer["negative_prompt"]) == (200, None)
        for wrong in ({}, {"prompt": 1}, {"prompt": "x" * 4001}, {"prompt": "x", "steps": 3}):
            status, answer = await here.api.call("POST", "/v1/prompts/explain", wrong)
            assert (status, answer["code"]) == (422, "invalid_request")
