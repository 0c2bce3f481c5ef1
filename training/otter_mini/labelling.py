"""The judge against people: pictures of the model, labelled by somebody who looked, and how often the judge agrees.

``label-sheet`` draws the pictures and writes ``labels.json`` with every answer open (``null``), and numbered sheets to
look at. A person fills the answers in; what cannot be said stays open. ``agreement`` compares.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .captions import prompt_of
from .contact_sheet import strips_of
from .evaluate import weights_of
from .model_arguments import add_model_arguments, settings_of
from .negative_evaluation import NEGATIVES
from .painting import Job, painted
from .scenes import HELD_OUT, NONE, QUESTIONS

if TYPE_CHECKING:
    from .judge import Floats, Judge

NAME = "labels.json"
SIDE = 192
"""Of a picture on a sheet: large enough to see what it shows."""
ROWS, COLUMNS = 4, 5
UNSURE = "unsure"
"""An answer of people who cannot tell either; not counted."""
SPOILT = "yes"
"""Spoilt in a way that people have no word for."""

Label = dict[str, Any]
"""``file``, ``prompt``, ``negative``, and under ``seen`` an answer for each question."""


def add_parser(subparsers: Any) -> None:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "label-sheet", help="draw pictures for a person to label, with numbers on sheets"
    )
    add_model_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures, the sheets and labels.json")
    parser.add_argument("--count", type=int, default=200)
    parser.set_defaults(run=_draw)
    parser = subparsers.add_parser("agreement", help="compare the judge with the labels of a person")
    parser.add_argument("--labels", type=Path, required=True, help="the labels.json that was filled in")
    parser.add_argument("--judge", type=Path, help="other weights than the judge's own")
    parser.add_argument("--json", type=Path, help="file for the figures, which the model card is made from")
    parser.set_defaults(run=_compare)


def _draw(args: argparse.Namespace) -> int:
    """:returns: 0; 1 where there are labels already, which it does not write over"""
    from PIL import Image

    path: Path = args.out / NAME
    if path.exists():
        print(f"{path} is there already: take another folder, or delete it.")
        return 1
    args.out.mkdir(parents=True, exist_ok=True)
    jobs = jobs_of(args.count)
    labels: list[Label] = []
    cells = []
    for job, pictures in zip(jobs, painted(settings_of(args), jobs, processes=args.processes), strict=True):
        number = len(labels)
        Image.fromarray(pictures[0]).save(args.out / f"{number:03}.png")
        labels.append({"file": f"{number:03}.png", **open_label(job)})
        # Without the prompt: who knows what should be there sees it.
        cells.append((pictures[0], f"{number}"))
    for at in range(0, len(cells), ROWS * COLUMNS):
        part = cells[at : at + ROWS * COLUMNS]
        rows = [part[row : row + COLUMNS] for row in range(0, len(part), COLUMNS)]
        strips_of(rows, side=SIDE).save(args.out / f"sheet-{at:03}.png")
    content = {"weights": weights_of(args.model), "answers": QUESTIONS, "pictures": labels}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{len(labels)} pictures. Look at the sheets and fill in {path}: one of the answers, or {UNSURE!r}.")
    return 0


def _compare(args: argparse.Namespace) -> int:
    """:returns: 0; 1 where the labels cannot be read"""
    from PIL import Image

    from .judge import Judge

    try:
        content = json.loads(args.labels.read_text(encoding="utf-8"))
        labels = content["pictures"]
        check(labels)
        pictures = [Image.open(args.labels.parent / label["file"]).convert("RGB") for label in labels]
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"{args.labels}: {error}")
        return 1
    report = {"weights": content.get("weights"), **agreement(Judge.load(args.judge), pictures, labels)}
    print("\n".join(lines(report)))
    if args.json:
        args.json.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def jobs_of(count: int) -> list[Job]:
    """``count`` pictures of held-out prompts, each of another seed; two in five have a negative prompt."""
    rng = random.Random("otter-mini labels")
    negatives = list(NEGATIVES)
    return [
        Job(
            prompt=prompt_of(HELD_OUT[number * 7 % len(HELD_OUT)]),
            negative=rng.choice(negatives) if number % 5 in (1, 3) else "",
            seeds=(1000 + number,),
        )
        for number in range(count)
    ]


def open_label(job: Job) -> Label:
    return {"prompt": job.prompt, "negative": job.negative, "seen": dict.fromkeys(QUESTIONS)}


def check(labels: Sequence[Label]) -> None:
    """:raises ValueError: an answer that the question does not have, with the picture's file in the sentence"""
    for label in labels:
        for question, answer in label["seen"].items():
            allowed = (*QUESTIONS.get(question, ()), UNSURE, *((SPOILT,) if question == "spoilt" else ()))
            if question not in QUESTIONS or (answer is not None and answer not in allowed):
                raise ValueError(f"{label['file']}: {question} cannot be {answer!r}; it is one of {', '.join(allowed)}")


def agreement(judge: Judge, pictures: Any, labels: Sequence[Label]) -> dict[str, Any]:
    """How often the judge says what a person said: by question, of the pictures that have an answer. Of a spoilt
    picture only that is asked: in which way matters little. ``differ`` lists the others."""
    found = judge.probabilities(pictures)
    counts: dict[str, tuple[int, int]] = {}
    differ: list[dict[str, str]] = []
    for question, values in QUESTIONS.items():
        for row, label in enumerate(labels):
            answer = label["seen"].get(question)
            if answer in (None, UNSURE):
                continue
            said = _said(found, question, row, values)
            same = (answer == NONE) == (said == NONE) if question == "spoilt" else answer == said
            right, asked = counts.get(question, (0, 0))
            counts[question] = right + same, asked + 1
            if not same:
                differ.append({"file": label["file"], "question": question, "person": answer, "judge": said})
    return {
        "pictures": len(labels),
        "questions": {
            question: {"percent": round(100 * right / asked, 1), "answers": asked}
            for question, (right, asked) in counts.items()
        },
        "differ": differ,
    }


def lines(report: Mapping[str, Any]) -> list[str]:
    """The report for people."""
    text = [f"{'':16}{'agrees':>9}{'answers':>9}"]
    text += [
        f"{question:16}{figure['percent']:>7.1f} %{figure['answers']:>9}"
        for question, figure in report["questions"].items()
    ]
    most = Counter((row["question"], row["person"], row["judge"]) for row in report["differ"]).most_common(8)
    text += [
        f"{count} times {person} was {judge} to the judge ({question})" for (question, person, judge), count in most
    ]
    return text


def _said(found: Mapping[str, Floats], question: str, row: int, values: Sequence[str]) -> str:
    return values[int(np.argmax(found[question][row]))]
