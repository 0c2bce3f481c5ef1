"""The evaluation of negative prompts tells one that takes away what it names from one that ruins the picture."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from otter_mini.evaluate import wanted_of
from otter_mini.negative_evaluation import NEGATIVES, PROMPTS, Cell, cell, lines, summary
from otter_mini.scenes import HELD_OUT, NONE, QUESTIONS, Combination
from otter_mini.spoiling import STANDARD_NEGATIVE

SCARF = next(prompt for prompt in PROMPTS if prompt.neck == "scarf")


def judged(combination: Combination, count: int, **otherwise: str) -> dict[str, Any]:
    """Judgements that are sure of what is wanted, or of what is named here."""
    wanted = {question: value for question, (_, value) in wanted_of(combination).items()} | otherwise
    found = {}
    for question, values in QUESTIONS.items():
        rows = np.full((count, len(values)), 0.1 / (len(values) - 1), np.float32)
        rows[:, values.index(wanted.get(question, NONE))] = 0.9
        found[question] = rows
    return found


def all_cells(**otherwise: str) -> list[Cell]:
    """As if every negative prompt did what it should; and what is named here besides."""
    found = []
    for combination in PROMPTS:
        for negative, names in NEGATIVES.items():
            changed = dict(otherwise)
            if names and getattr(combination, names[0]) == names[1]:
                changed[names[0]] = "cartoon" if names[0] == "style" else NONE
            before, after = judged(combination, 4), judged(combination, 4, **changed)
            found.append(cell(combination, negative, names, before, after, np.full(4, 1.0, np.float32)))
    return found


def test_there_are_eight_prompts_and_twelve_negative_prompts() -> None:
    assert (len(PROMPTS), len(NEGATIVES)) == (8, 12)
    assert STANDARD_NEGATIVE in NEGATIVES
    there = [
        negative
        for negative, names in NEGATIVES.items()
        if names and any(getattr(prompt, names[0]) == names[1] for prompt in PROMPTS)
    ]
    assert len(there) == 5  # each thing is in some prompt
    assert all(any(getattr(p, names[0]) != names[1] for p in PROMPTS) for names in NEGATIVES.values() if names)
    assert {(p.animal, p.hat, p.outfit) for p in PROMPTS[:2]}.isdisjoint(
        {(c.animal, c.hat, c.outfit) for c in HELD_OUT}
    )


def test_what_takes_away_only_what_it_names_reaches_everything() -> None:
    report = summary(all_cells())
    assert report["reached"]
    assert {report[name] for name in ("style kept", "others kept", "gone", "clean")} == {100}
    assert report["sharpness"] == 1
    hats = next(row for row in report["by negative"] if row["negative"] == "cowboy hat")
    assert hats["gone"] == 100
    assert next(row for row in report["by negative"] if row["negative"] == "hand")["gone"] is None
    assert "Every figure is as wanted" in lines(report)[-1]


@pytest.mark.parametrize(
    ("otherwise", "figure"), [({"style": "oil painting"}, "style kept"), ({"spoilt": "blocks"}, "clean")]
)
def test_what_ruins_the_picture_does_not(otherwise: dict[str, str], figure: str) -> None:
    report = summary(all_cells(**otherwise))
    assert not report["reached"]
    assert report[figure] < 50
    assert "NOT every figure" in lines(report)[-1]


def test_one_soft_cell_is_enough() -> None:
    cells = all_cells()
    assert summary([*cells[:-1], replace(cells[-1], sharpness=0.9)])["reached"] is False


def test_one_question_that_is_lost_is_enough() -> None:
    cells = [replace(each, others_kept={**each.others_kept, "hat": (3, 4)}) for each in all_cells()]
    report = summary(cells)
    assert report["others kept"] > 95
    assert report["kept by question"]["hat"] == 75
    assert not report["reached"]


def test_what_is_not_there_before_is_not_asked_for() -> None:
    """What the model cannot draw says nothing about the negative prompt."""
    rows = judged(SCARF, 4)
    half = judged(SCARF, 4)
    half["neck"][:2] = judged(SCARF, 2, neck=NONE)["neck"]
    found = cell(SCARF, "blurry", None, half, rows, np.ones(4, np.float32))
    assert found.others_kept["neck"] == (2, 2)
    assert found.others_kept["neck_colour"] == (4, 4)
    assert found.gone is None


def test_with_a_garment_its_colour_may_go() -> None:
    before, after = judged(SCARF, 4), judged(SCARF, 4, neck=NONE, neck_colour=NONE)
    found = cell(SCARF, "scarf", ("neck", "scarf"), before, after, np.ones(4, np.float32))
    assert found.gone == (4, 4)
    assert "neck" not in found.others_kept
    assert "neck_colour" not in found.others_kept
    assert found.others_kept["place"] == (4, 4)


def test_the_style_may_go_where_it_is_named() -> None:
    watercolor = next(prompt for prompt in PROMPTS if prompt.style == "watercolor")
    before, after = judged(watercolor, 4), judged(watercolor, 4, style="cartoon")
    named = cell(watercolor, "watercolor", ("style", "watercolor"), before, after, np.ones(4, np.float32))
    assert (named.style_kept, named.gone) == ((0, 0), (4, 4))
    other = cell(watercolor, "snow", ("place", "snow"), before, after, np.ones(4, np.float32))
    assert (other.style_kept, other.gone) == ((0, 4), None)


def test_the_sharpness_is_the_median_and_the_lowest_cell() -> None:
    chance = random.Random(1)
    sharp = np.array([0.5, 1.0, 1.1, 1.2, 0.9], np.float32)
    rows = judged(SCARF, 5)
    one = cell(SCARF, chance.choice(["blurry"]), None, rows, rows, sharp)
    assert one.sharpness == 1.0
    assert summary([one, replace(one, sharpness=0.97)])["sharpness"] == 0.97
