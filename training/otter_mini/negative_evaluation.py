"""Evaluates negative prompts: 8 prompts, 12 negative prompts, 50 seeds each, against the same seeds without.

A negative prompt should take away what it names, and leave everything else as it is: the style, how sharp the picture
is, and every other attribute. Quality words and words without a meaning should change nothing that can be seen. An
attribute counts where the picture without the negative prompt shows it: what the model cannot draw says nothing here.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .captions import prompt_of
from .contact_sheet import strips_of, write_png
from .evaluate import wanted_of, weights_of
from .model_arguments import add_model_arguments, settings_of
from .painting import Job, painted
from .scenes import QUESTIONS, Combination
from .sharpness import ratios
from .spoiling import STANDARD_NEGATIVE

if TYPE_CHECKING:
    from .judge import Floats, Pixels

PROMPTS = (
    Combination(animal="otter", hat="cowboy hat", place="beach"),
    Combination(animal="otter", hat="cowboy hat", style="watercolor"),
    Combination(animal="cat", outfit="hoodie", outfit_colour="red", place="city", style="pixel art"),
    Combination(animal="fox", hat="crown", place="forest", style="oil painting"),
    Combination(animal="rabbit", hat="headphones", place="snow", style="pencil drawing"),
    Combination(animal="owl", outfit="robe", item="book", place="night sky", style="cartoon"),
    Combination(animal="robot", face="glasses", item="guitar", place="space", style="watercolor"),
    Combination(animal="penguin", neck="scarf", neck_colour="red", place="city", style="oil painting"),
)
"""The last two have what the first edition did not know."""
NEGATIVES: dict[str, tuple[str, str] | None] = {
    STANDARD_NEGATIVE: None,
    "blurry": None,
    "low quality, worst quality": None,
    "bad anatomy": None,
    "text, watermark": None,
    "hand": None,
    "zqxv brumpf": None,
    "cowboy hat": ("hat", "cowboy hat"),
    "city": ("place", "city"),
    "snow": ("place", "snow"),
    "glasses": ("face", "glasses"),
    "watercolor": ("style", "watercolor"),
}
"""With what each names, if anything: five quality words, two without a meaning, five things that some prompts have."""
WANTED = {"style kept": 95.0, "sharpness": 0.95, "others kept": 95.0, "gone": 90.0, "clean": 95.0}
"""Percent, but for the sharpness: the median of the pictures with the negative prompt relative to those without."""
SHEET_LIMIT = 500_000


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One prompt with one negative prompt: counts over the seeds."""

    prompt: str
    negative: str
    style_kept: tuple[int, int]
    """How many kept it, of how many that had it."""
    others_kept: dict[str, tuple[int, int]]
    """By question, style and what the negative prompt names left out."""
    gone: tuple[int, int] | None
    """What the negative prompt names; ``None`` where the prompt does not name it."""
    clean: tuple[int, int]
    """Pictures that are not spoilt, of those that were not without the negative prompt."""
    sharpness: float
    """The median."""


def add_parser(subparsers: Any) -> None:
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "evaluate-negatives", help="judge what negative prompts take away, and what they leave"
    )
    add_model_arguments(parser)
    parser.add_argument("--sheet", type=Path, help="PNG to write: each prompt without and with each negative prompt")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """:returns: 0 where every figure is as wanted, else 1"""
    from .judge import Judge

    judge = Judge.load(args.judge)
    seeds, started = tuple(range(args.seeds)), time.monotonic()
    jobs = [
        Job(prompt=prompt_of(combination), negative=negative, seeds=seeds)
        for combination in PROMPTS
        for negative in ("", *NEGATIVES)
    ]
    pictures = painted(settings_of(args), jobs, processes=args.processes)
    cells: list[Cell] = []
    strips: list[list[tuple[Pixels, str]]] = []
    for combination in PROMPTS:
        before = next(pictures)
        found = judge.probabilities(before)
        strips.append([(before[0], prompt_of(combination))])
        for negative, names in NEGATIVES.items():
            after = next(pictures)
            cells.append(cell(combination, negative, names, found, judge.probabilities(after), ratios(after, before)))
            strips[-1].append((after[0], f"--no {negative}"))
            print(line(cells[-1]), flush=True)
    report = {
        "weights": weights_of(args.model),
        "seeds": args.seeds,
        "steps": args.steps,
        "guidance": args.guidance,
        "seconds": round(time.monotonic() - started, 1),
        **summary(cells),
    }
    print("\n".join(lines(report)))
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")
    if args.sheet:
        write_png(strips_of(strips), args.sheet, limit=SHEET_LIMIT)
    return 0 if report["reached"] else 1


def cell(
    combination: Combination,
    negative: str,
    names: tuple[str, str] | None,
    before: Mapping[str, Floats],
    after: Mapping[str, Floats],
    sharp: Floats,
) -> Cell:
    """Counts what was there before and is there after. ``before``, ``after``: the judge's probabilities by question,
    a row for each seed; ``sharp``: the ratios of their sharpness."""
    there = {
        question: (_right(before, question, wanted), _right(after, question, wanted))
        for question, (_, wanted) in wanted_of(combination).items()
    }
    touched = names[0] if names and getattr(combination, names[0]) == names[1] else None
    kept = {question: (int((was & still).sum()), int(was.sum())) for question, (was, still) in there.items()}
    gone = None
    if touched is not None:
        was, still = there[touched]
        gone = int((was & ~still).sum()), int(was.sum())
    # Without a beach there is no day at the beach, and without a hoodie no red one.
    follows = {"place": ("time",), **{name.removesuffix("_colour"): (name,) for name in QUESTIONS if "_colour" in name}}
    left_out = {"style", "spoilt", touched, *follows.get(touched or "", ())}
    return Cell(
        prompt=prompt_of(combination),
        negative=negative,
        style_kept=(0, 0) if touched == "style" else kept["style"],
        others_kept={question: counts for question, counts in kept.items() if question not in left_out},
        gone=gone,
        clean=kept["spoilt"],
        sharpness=round(float(np.median(sharp)), 3),
    )


def summary(cells: Sequence[Cell]) -> dict[str, Any]:
    """Figures over all cells and for each negative prompt; ``reached`` says whether those over all are as wanted, and
    the sharpness in every cell."""
    total = _figures(cells)
    questions = [question for question in QUESTIONS if any(question in each.others_kept for each in cells)]
    by_question = {
        question: _percent([each.others_kept[question] for each in cells if question in each.others_kept])
        for question in questions
    }
    negatives = [
        {"negative": negative, **_figures([each for each in cells if each.negative == negative])}
        for negative in dict.fromkeys(each.negative for each in cells)
    ]
    weakest = min((percent for percent in by_question.values() if percent is not None), default=100.0)
    return {
        **total,
        "kept by question": by_question,
        "by negative": negatives,
        "cells": [
            {
                "prompt": each.prompt,
                "negative": each.negative,
                **_figures([each]),
            }
            for each in cells
        ],
        "reached": weakest >= WANTED["others kept"]
        and all(total[name] is None or total[name] >= wanted for name, wanted in WANTED.items()),
    }


def lines(report: Mapping[str, Any]) -> list[str]:
    """The report for people."""
    text = ["", *(f"{'':2}{_short(row['negative']):28}{_row(row)}" for row in report["by negative"])]
    text.append(f"{'all':30}{_row(report)}")
    text.append("kept: " + ", ".join(f"{name} {value} %" for name, value in report["kept by question"].items()))
    wanted = ", ".join(f"{name} {value:g}" for name, value in WANTED.items())
    text.append(f"{'Every figure is' if report['reached'] else 'NOT every figure is'} as wanted ({wanted}).")
    return text


def line(each: Cell) -> str:
    return f"{each.prompt} --no {_short(each.negative)}: {_row(_figures([each]))}"


def _figures(cells: Sequence[Cell]) -> dict[str, Any]:
    """``None`` where nothing was to be seen. The sharpness is the lowest of the cells."""
    return {
        "style kept": _percent([each.style_kept for each in cells]),
        "sharpness": min(each.sharpness for each in cells),
        "others kept": _percent([counts for each in cells for counts in each.others_kept.values()]),
        "gone": _percent([each.gone for each in cells if each.gone is not None]),
        "clean": _percent([each.clean for each in cells]),
    }


def _row(figures: Mapping[str, Any]) -> str:
    return "  ".join(f"{name} {'–' if figures[name] is None else figures[name]:>5}" for name in WANTED)


def _short(negative: str) -> str:
    return negative if len(negative) < 28 else f"{negative[:24]} …"


def _right(found: Mapping[str, Floats], question: str, wanted: str) -> Any:
    return found[question][:, QUESTIONS[question].index(wanted)] > 0.5


def _percent(counts: Sequence[tuple[int, int]]) -> float | None:
    part, whole = (sum(count[at] for count in counts) for at in (0, 1))
    return round(100 * part / whole, 2) if whole else None
