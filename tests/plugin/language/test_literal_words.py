r"""What nothing is drawn of any more: ``\{`` for every brace of words that were drawn already."""

from __future__ import annotations

import time

import pytest

from otterbot.language.chance import literal, may_have


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("otter", "otter"),
        ("{otter}, ((hat))", "{otter}, ((hat))"),
        ("a | b", "a | b"),
        ("{red|green} hat", r"\{red|green} hat"),
        ("{a{b|c}|d} {e}", r"\{a\{b|c}|d} \{e}"),
        ("{2$$a}", r"\{2$$a}"),
        (r"\{red|green} {x|y}", r"\{red|green} \{x|y}"),
        (r"\\{x|y}", r"\\\{x|y}"),
        ("a __animal__, __animals/sea__", r"a \__animal__, \__animals/sea__"),
        (r"\__animal__", r"\__animal__"),
        ("snake__case__name", "snake__case__name"),
        ("", ""),
    ],
)
def test_words_as_they_are(text: str, words: str) -> None:
    assert literal(text) == words
    assert literal(words) == words


def test_only_what_looks_like_chance_costs_a_call() -> None:
    assert [may_have(text) for text in ("otter", "{otter}", "{a|b}", "{2$$a}", "__a__", "a__")] == [
        False, False, True, True, True, False,
    ]  # fmt: skip


def test_it_is_linear() -> None:
    started = time.perf_counter()
    for text in ("{|" * 2_000, "__a" * 1_300, "\\" * 4_000, "__" * 2_000):
        literal(text)
    assert time.perf_counter() - started < 0.5
