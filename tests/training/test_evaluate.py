"""The arithmetic of the evaluation, on judgements that are made up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from otter_mini.captions import prompt_of
from otter_mini.evaluate import Answer, answers_of, lines, summary, wanted_of
from otter_mini.judge import Floats
from otter_mini.scenes import HELD_OUT, NONE, QUESTIONS, Combination

OTTER = Combination(animal="otter", hat="cowboy hat", place="beach")


def sure(seen: dict[str, str], count: int, *, of: float = 0.9) -> dict[str, Floats]:
    """Judgements of ``count`` pictures: ``seen`` gets ``of``, the others of its category share the rest."""
    rows = {}
    for category, values in QUESTIONS.items():
        row = np.full(len(values), (1 - of) / (len(values) - 1), np.float32)
        row[values.index(seen.get(category, NONE))] = of
        rows[category] = np.tile(row, (count, 1))
    return rows


def as_wanted(combination: Combination) -> dict[str, str]:
    return {category: wanted for category, (_, wanted) in wanted_of(combination).items()}


def everything_right() -> list[Answer]:
    answers = []
    for number, combination in enumerate(HELD_OUT):
        answers += answers_of(number, combination, range(4), sure(as_wanted(combination), 4))
    return answers


def test_what_is_not_named_should_be_absent() -> None:
    assert wanted_of(OTTER) == {
        "animal": (True, "otter"),
        "hat": (True, "cowboy hat"),
        "face": (False, "none"),
        "neck": (False, "none"),
        "outfit": (False, "none"),
        "item": (False, "none"),
        "place": (True, "beach"),
        "time": (False, "day"),
        "style": (False, "cartoon"),
        "spoilt": (False, "none"),
    }
    assert wanted_of(Combination(animal="cat"))["time"] == (False, "none")


def test_a_colour_is_asked_for_where_it_is_named() -> None:
    """Each garment its own; what is not named may have any."""
    both = Combination(animal="fox", neck="scarf", neck_colour="red", outfit="hoodie", outfit_colour="blue")
    wanted = wanted_of(both)
    assert (wanted["neck_colour"], wanted["outfit_colour"]) == ((True, "red"), (True, "blue"))
    assert "item_colour" not in wanted
    assert "neck_colour" not in wanted_of(Combination(animal="fox", neck="scarf"))


def test_everything_right_is_a_hundred_percent() -> None:
    report = summary(everything_right())
    assert report["reached"]
    assert report["all_named_percent"] == report["everything_percent"] == 100
    assert {figure["percent"] for kind in ("named", "unnamed") for figure in report[kind].values()} == {100}
    assert report["named"]["animal"]["pictures"] == 4 * len(HELD_OUT)
    assert "animal" not in report["unnamed"]  # every prompt has one
    assert "spoilt" not in report["named"]
    assert len(report["combinations"]) == len(HELD_OUT)


def test_a_confused_animal_is_counted_where_it_belongs() -> None:
    seen = as_wanted(OTTER)
    answers = answers_of(0, OTTER, range(6), sure(seen, 6))
    answers += answers_of(1, OTTER, range(3), sure({**seen, "animal": "bear"}, 3))
    answers += answers_of(2, OTTER, range(1), sure(seen, 1, of=0.4))
    report = summary(answers)
    assert report["named"]["animal"] == {"percent": 60, "pictures": 10, "mistaken_for": {"bear": 3, "unclear": 1}}
    assert report["values"]["animal"] == {"otter": report["named"]["animal"]}
    assert report["named"]["hat"]["percent"] == 90
    assert report["unnamed"]["outfit"]["percent"] == 90
    assert report["all_named_percent"] == report["everything_percent"] == 60
    assert not report["reached"]
    assert [row["everything_percent"] for row in report["combinations"]] == [100, 0, 0]
    assert report["combinations"][1]["percent"]["animal"] == 0
    assert report["combinations"][1]["percent"]["hat"] == 100


def test_what_appears_unasked_spoils_everything_but_not_what_was_named() -> None:
    seen = as_wanted(OTTER)
    answers = answers_of(0, OTTER, range(1), sure(seen, 1))
    answers += answers_of(1, OTTER, range(1), sure({**seen, "item": "pizza"}, 1))
    report = summary(answers)
    assert report["all_named_percent"] == 100
    assert report["everything_percent"] == 50
    assert report["unnamed"]["item"] == {"percent": 50, "pictures": 2, "mistaken_for": {"pizza": 1}}


@pytest.mark.parametrize(("percent_right", "reached"), [(95, True), (94, False)])
def test_ninety_five_percent_is_enough(percent_right: int, reached: bool) -> None:
    seen = as_wanted(OTTER)
    answers = answers_of(0, OTTER, range(percent_right), sure(seen, percent_right))
    answers += answers_of(1, OTTER, range(100 - percent_right), sure({**seen, "hat": "crown"}, 100 - percent_right))
    assert summary(answers)["reached"] is reached


def test_half_is_not_more_than_half() -> None:
    rows = sure(as_wanted(OTTER), 1)
    rows["hat"] = np.array([[0, 0.5, 0.5, 0, 0, 0]], np.float32)
    (hat,) = (a for a in answers_of(0, OTTER, [0], rows) if a.category == "hat")
    assert not hat.right


def test_a_spoilt_picture_is_not_everything_right() -> None:
    seen = as_wanted(OTTER)
    answers = answers_of(0, OTTER, range(1), sure({**seen, "spoilt": "blocks"}, 1))
    report = summary(answers)
    assert report["unnamed"]["spoilt"] == {"percent": 0, "pictures": 1, "mistaken_for": {"blocks": 1}}
    assert report["all_named_percent"] == 100
    assert report["everything_percent"] == 0


def test_as_many_judgements_as_seeds() -> None:
    with pytest.raises(ValueError, match="3 judgements for 2 seeds"):
        answers_of(0, OTTER, range(2), sure(as_wanted(OTTER), 3))


def test_the_text_names_what_is_weak() -> None:
    answers = everything_right()
    first = HELD_OUT[0]
    answers += answers_of(0, first, range(4, 24), sure({**as_wanted(first), "animal": "panda"}, 20))
    report: dict[str, Any] = summary(answers)
    text = "\n".join(lines(report))
    assert prompt_of(first) in text
    assert f"{first.animal} 55 % (panda 20)" in text
    assert "NOT every category reaches 95 %." in text
