"""Numbers that stand for a line of a list."""

from __future__ import annotations

import pytest

from otterbot.language.choice import choice

TWO = ["2", " 2 ", "#2", "# 2", "2.", "2)", "2!", "no. 2", "nr 2", "２", "2\ufe0f\u20e3", "2\u20e3", "\u200b2", "2\n"]
NONE = ["", "0", "22", "2 3", "two", "2 otters", "!2", "-2", "2.5", "👍", "\ufe0f\u20e3", "2" * 5_000, "#", "2?"]


@pytest.mark.parametrize("text", TWO)
def test_two(text: str) -> None:
    assert choice(text) == 2


@pytest.mark.parametrize("text", NONE)
def test_none(text: str) -> None:
    assert choice(text) is None
