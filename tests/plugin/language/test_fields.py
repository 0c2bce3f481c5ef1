from __future__ import annotations

import pytest

from otterbot.language.fields import LONGEST, Field, fields, leading, letters_of, numbered

NAMED = {
    "2": ["2"], " 2. ": ["2"], "#2": ["2"], "no. 2": ["2"], "２": ["2"], "2\ufe0f\u20e3": ["2"], "12": ["12"],
    "b3": ["B3"], "B 3": ["B3"], "aa10": ["AA10"], "2, 4": ["2", "4"], "2 and 4!": ["2", "4"],
    "1+3 & 5": ["1", "3", "5"],
    "2 4": ["2", "4"], "2,2": ["2"], "B3 c1": ["B3", "C1"], "2；4": ["2", "4"],
}  # fmt: skip


@pytest.mark.parametrize("typed", NAMED)
def test_fields_that_a_reply_names(typed: str) -> None:
    assert [one.said for one in fields(typed)] == NAMED[typed]


@pytest.mark.parametrize(
    "typed",
    ["", "0", "two", "2 otters", "the 2nd", "2.5", "-2", "100", "abc1", "2 " * 40, "1 2 3 4 5 6 7 8 9 10 11 12 13",
     "2" * LONGEST],
)  # fmt: skip
def test_what_names_none(typed: str) -> None:
    assert fields(typed) == ()


BEHIND = {
    "2": ("2", ""), "2 --steps 30": ("2", "--steps 30"), "B3 +red scarf": ("B3", "+red scarf"), "2. ": ("2", ""),
    "3 0.4": ("3", "0.4"), "#4 --cfg 9": ("4", "--cfg 9"), "2\ufe0f\u20e3 4": ("2", "4"),
}  # fmt: skip


@pytest.mark.parametrize("typed", BEHIND)
def test_a_field_behind_a_command(typed: str) -> None:
    named, rest = leading(typed)
    assert named is not None
    assert (named.said, rest) == BEHIND[typed]


@pytest.mark.parametrize("typed", ["", "0.4", "42:0.2", "4x", "--steps 30", "2nd", "+2", "x2", "ddim", "1e5", "200"])
def test_what_stands_behind_a_command_and_names_no_field(typed: str) -> None:
    assert leading(typed) == (None, typed)


def test_by_number_and_by_column_and_row() -> None:
    assert Field(number=4).index(3) == 3
    assert Field(number=2, column=0).index(3) == 3
    assert Field(number=1, column=3).index(3) is None
    assert numbered(3) == Field(number=4)
    assert [letters_of(column) for column in (0, 25, 26, 51, 52)] == ["A", "Z", "AA", "AZ", "BA"]
