"""The judge against the labels of somebody who looked; and how it takes the first edition's blocks."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from otter_mini import labelling
from otter_mini.judge import Judge, Pixels
from otter_mini.labelling import UNSURE, agreement, check, jobs_of, lines, open_label
from otter_mini.scenes import NONE, QUESTIONS

FIRST = Path(__file__).with_name("first_edition")
"""88 pictures of the first edition, 64 of them with a negative prompt, on a sheet of eleven columns; and labels of
somebody who looked at each of them."""
SIDE, COLUMNS = 128, 11


class Sure:
    """A judge that says the same about every picture."""

    def __init__(self, **answers: str) -> None:
        self._answers = answers

    def probabilities(self, pictures: Any) -> dict[str, Any]:
        found = {}
        for question, values in QUESTIONS.items():
            rows = np.zeros((len(pictures), len(values)), np.float32)
            rows[:, values.index(self._answers.get(question, values[0]))] = 1
            found[question] = rows
        return found


@pytest.fixture(scope="module")
def labels() -> list[labelling.Label]:
    pictures: list[labelling.Label] = json.loads((FIRST / "labels.json").read_text(encoding="utf-8"))["pictures"]
    check(pictures)
    return pictures


@pytest.fixture(scope="module")
def first_edition(labels: list[labelling.Label]) -> Pixels:
    with Image.open(FIRST / "pictures.webp") as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    tiles = [divmod(int(label["file"]), COLUMNS) for label in labels]
    return np.stack([pixels[y * SIDE : y * SIDE + SIDE, x * SIDE : x * SIDE + SIDE] for y, x in tiles])


def test_the_first_edition_s_blocks_are_spoilt_and_its_good_pictures_are_not(
    labels: list[labelling.Label], first_edition: Pixels
) -> None:
    """The first judge called 31 of the 56 oil paintings, ten watercolors and eight pixel art, and nothing spoilt. The
    present one tells 40 of the 56, and calls 3 of the 24 good ones spoilt; 95 and 10 of a hundred are wanted."""
    found = Judge.load().spoilt(first_edition) > 0.5
    spoilt = np.array([label["seen"]["spoilt"] not in (NONE, UNSURE) for label in labels])
    clean = np.array([label["seen"]["spoilt"] == NONE for label in labels])
    assert (spoilt.sum(), clean.sum()) == (56, 24)
    assert found[spoilt].mean() >= 0.7
    assert found[clean].mean() <= 0.13


def test_the_judge_sees_in_the_first_edition_s_good_pictures_what_a_person_sees(
    labels: list[labelling.Label], first_edition: Pixels
) -> None:
    report = agreement(Judge.load(), first_edition, labels)
    for question in ("animal", "hat", "outfit", "place", "style"):
        assert report["questions"][question]["percent"] >= 90, report["differ"]


def test_agreement_counts_what_was_answered() -> None:
    judge: Any = Sure(animal="otter", hat="crown", spoilt="jpeg")
    seen = [{"animal": "otter", "hat": "crown"}, {"animal": "cat", "hat": UNSURE}, {"spoilt": "yes"}, {"spoilt": NONE}]
    several = [{"file": f"{number}", "seen": answers} for number, answers in enumerate(seen)]
    report = agreement(judge, [None] * 4, several)
    assert report["questions"] == {
        "animal": {"percent": 50.0, "answers": 2},
        "hat": {"percent": 100.0, "answers": 1},
        "spoilt": {"percent": 50.0, "answers": 2},
    }
    assert report["differ"] == [
        {"file": "1", "question": "animal", "person": "cat", "judge": "otter"},
        {"file": "3", "question": "spoilt", "person": NONE, "judge": "jpeg"},
    ]
    assert "1 times cat was otter to the judge (animal)" in lines(report)


@pytest.mark.parametrize("answers", [{"animal": "unicorn"}, {"mood": "happy"}, {"hat": "yes"}])
def test_an_answer_that_does_not_exist_is_named(answers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=f"7.png: {next(iter(answers))} cannot be"):
        check([{"file": "7.png", "seen": answers}])


def test_pictures_to_label_are_two_hundred_of_all_prompts_some_with_a_negative_one() -> None:
    jobs = jobs_of(200)
    assert jobs == jobs_of(200)
    assert len({job.seeds for job in jobs}) == 200
    assert len({job.prompt for job in jobs}) == 60
    assert sum(bool(job.negative) for job in jobs) == 80
    assert set(open_label(jobs[0])["seen"].values()) == {None}


def test_labels_in_a_file_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (128, 128), "white").save(tmp_path / "000.png")
    parser = argparse.ArgumentParser()
    labelling.add_parser(parser.add_subparsers())

    def run(content: object) -> int:
        (tmp_path / "labels.json").write_text(json.dumps(content))
        options = parser.parse_args(["agreement", "--labels", str(tmp_path / "labels.json"),
                                     "--json", str(tmp_path / "agreement.json")])  # fmt: skip
        return int(options.run(options))

    label = {"file": "000.png", "seen": {"animal": "otter", "hat": None}}
    assert run({"weights": "abc", "pictures": [label]}) == 0
    report = json.loads((tmp_path / "agreement.json").read_text())
    assert (report["weights"], list(report["questions"])) == ("abc", ["animal"])
    for wrong in ([], {"pictures": [{**label, "file": "none.png"}]}, {"pictures": [{**label, "seen": {"hat": "x"}}]}):
        assert run(wrong) == 1
    assert "hat cannot be 'x'" in capsys.readouterr().out
