"""Evaluates prompt following: 60 unseen combinations, 50 seeds each, judged.

An attribute that the prompt names is present where the judge gives it more than half. What it does not name should not
be there: no hat, no outfit, nothing held, a plain background, a cartoon; and no picture should be spoilt. Colours
are asked for where the prompt names them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .captions import prompt_of
from .contact_sheet import sheet_of, write_png
from .model_arguments import add_model_arguments, settings_of
from .painting import Job, painted
from .scenes import CATEGORIES, COLOURED, HELD_OUT, NONE, OUTDOORS, QUESTIONS, Combination

if TYPE_CHECKING:
    from .judge import Floats

WANTED = 95.0
"""Percent, of each category, named or not."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The judge's answer on one picture in one category. ``wanted``: the expected value."""

    combination: int
    seed: int
    category: str
    named: bool
    wanted: str
    seen: str
    """The likeliest value."""
    probability: float
    """Probability of the wanted value."""

    @property
    def right(self) -> bool:
        return self.probability > 0.5


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A share of pictures in percent."""

    percent: float
    pictures: int
    mistaken_for: dict[str, int]
    """How often something else was seen, most frequent first."""


def add_parser(subparsers: Any) -> None:
    parser: argparse.ArgumentParser = subparsers.add_parser("evaluate", help="judge pictures of held-out combinations")
    add_model_arguments(parser)
    parser.add_argument("--failures", type=Path, help="PNG to write with pictures that are not as wanted")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """:returns: 0 where every figure is as wanted, else 1"""
    from .judge import Judge, Pixels

    judge = Judge.load(args.judge)
    seeds = tuple(range(args.seeds))
    answers: list[Answer] = []
    failures: list[tuple[Pixels, str]] = []
    started = time.monotonic()
    jobs = [Job(prompt=prompt_of(combination), seeds=seeds) for combination in HELD_OUT]
    drawn = painted(settings_of(args), jobs, processes=args.processes)
    for number, (combination, pictures) in enumerate(zip(HELD_OUT, drawn, strict=True)):
        found = answers_of(number, combination, seeds, judge.probabilities(pictures))
        answers += found
        if args.failures:
            failures += _failures(pictures, found)
        done = sum(answer.right for answer in found) / len(found)
        print(f"{number + 1:2} {100 * done:5.1f} %  {prompt_of(combination)}", flush=True)
    report = {
        "weights": weights_of(args.model),
        "seeds": args.seeds,
        "steps": args.steps,
        "guidance": args.guidance,
        "scheduler": scheduler_of(args.model),
        "seconds": round(time.monotonic() - started, 1),
        **summary(answers),
    }
    print("\n".join(lines(report)))
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")
    if args.failures and failures:
        write_png(sheet_of(failures[:96], columns=12), args.failures)
    return 0 if report["reached"] else 1


def weights_of(model: Path) -> str:
    """A hash of the weights in the folder, to which figures belong."""
    digest = hashlib.sha256()
    for path in sorted(model.glob("*/*.safetensors")):
        digest.update(path.parent.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def scheduler_of(model: Path) -> str:
    """The class of the folder's own sampler."""
    name: str = json.loads((model / "model_index.json").read_text(encoding="utf-8"))["scheduler"][1]
    return name


def wanted_of(combination: Combination) -> dict[str, tuple[bool, str]]:
    """By question, whether the prompt names it, and what should be seen. Without the colours that it does not name."""
    unnamed = dict.fromkeys(QUESTIONS, NONE) | {"style": "cartoon"}
    if combination.place in OUTDOORS:
        unnamed["time"] = "day"
    wanted = {}
    for question in QUESTIONS:
        value = getattr(combination, question, None)
        if value is not None or question.removesuffix("_colour") not in COLOURED or question in CATEGORIES:
            wanted[question] = (value is not None, value or unnamed[question])
    return wanted


def answers_of(
    number: int, combination: Combination, seeds: Sequence[int], probabilities: Mapping[str, Floats]
) -> list[Answer]:
    """``probabilities``: by category, a row for each seed."""
    answers = []
    for category, (named, wanted) in wanted_of(combination).items():
        values, rows = QUESTIONS[category], probabilities[category]
        if len(rows) != len(seeds):
            raise ValueError(f"{len(rows)} judgements for {len(seeds)} seeds")
        for seed, row in zip(seeds, rows, strict=True):
            answers.append(
                Answer(
                    combination=number,
                    seed=seed,
                    category=category,
                    named=named,
                    wanted=wanted,
                    seen=values[int(np.argmax(row))],
                    probability=float(row[values.index(wanted)]),
                )
            )
    return answers


def summary(answers: Sequence[Answer]) -> dict[str, Any]:
    """Figures by category, by value and by combination; ``reached`` says whether all categories are as wanted."""
    named = {c: _figure(a for a in answers if a.category == c and a.named) for c in QUESTIONS}
    unnamed = {c: _figure(a for a in answers if a.category == c and not a.named) for c in QUESTIONS}
    values = {
        category: {
            value: asdict(figure)
            for value in options
            if (figure := _figure(a for a in answers if a.category == category and a.named and a.wanted == value))
        }
        for category, options in QUESTIONS.items()
    }
    categories = [figure for figure in (*named.values(), *unnamed.values()) if figure]
    return {
        "named": {category: asdict(figure) for category, figure in named.items() if figure},
        "unnamed": {category: asdict(figure) for category, figure in unnamed.items() if figure},
        "values": {category: figures for category, figures in values.items() if figures},
        "combinations": _combinations(answers),
        "all_named_percent": _all_right([answer for answer in answers if answer.named]),
        "everything_percent": _all_right(answers),
        "reached": all(figure.percent >= WANTED for figure in categories),
    }


def lines(report: Mapping[str, Any]) -> list[str]:
    """The report for people."""
    text = ["", f"{'':16}{'named: present':>18}{'not named: absent':>20}"]
    for category in QUESTIONS:
        cells = [report[kind].get(category) for kind in ("named", "unnamed")]
        shown = [
            f"{cell['percent']:.1f} %{' ' if cell['percent'] >= WANTED else '!'}" if cell else "" for cell in cells
        ]
        text.append(f"{category:16}{shown[0]:>18}{shown[1]:>20}")
    text.append(f"everything that was named: {report['all_named_percent']:.1f} % of pictures")
    text.append(f"and nothing else: {report['everything_percent']:.1f} %")
    for category, values in report["values"].items():
        ordered = sorted(values.items(), key=lambda item: item[1]["percent"])
        text.append(f"{category}: " + ", ".join(_short(value, figure) for value, figure in ordered))
    text.append("weakest combinations:")
    for row in sorted(report["combinations"], key=lambda row: float(row["everything_percent"]))[:8]:
        weak = ", ".join(
            f"{category} {percent:.0f} %" for category, percent in row["percent"].items() if percent < WANTED
        )
        text.append(f"  {row['everything_percent']:5.1f} %  {row['prompt']}  ({weak or 'each by itself well'})")
    text.append(f"{'Every' if report['reached'] else 'NOT every'} category reaches {WANTED:.0f} %.")
    return text


def _short(value: str, figure: Mapping[str, Any]) -> str:
    """``bear 84 % (otter 5, dog 3)``: what was seen instead only where it is worth a look."""
    text = f"{value} {figure['percent']:.0f} %"
    if figure["percent"] < 97 and figure["mistaken_for"]:
        text += " (" + ", ".join(f"{name} {count}" for name, count in list(figure["mistaken_for"].items())[:2]) + ")"
    return text


def _figure(answers: Iterable[Answer]) -> Figure | None:
    """``None`` where nothing was asked."""
    chosen = list(answers)
    if not chosen:
        return None
    right = sum(answer.right for answer in chosen)
    # The likeliest value may be the wanted one with less than half: then it counts as unclear.
    wrong = Counter("unclear" if a.seen == a.wanted else a.seen for a in chosen if not a.right)
    return Figure(percent=_percent(right, len(chosen)), pictures=len(chosen), mistaken_for=dict(wrong.most_common()))


def _combinations(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    rows = []
    for number in sorted({answer.combination for answer in answers}):
        mine = [answer for answer in answers if answer.combination == number]
        percent = {c: figure.percent for c in QUESTIONS if (figure := _figure(a for a in mine if a.category == c))}
        everything = _all_right(mine)
        rows.append({"prompt": prompt_of(HELD_OUT[number]), "percent": percent, "everything_percent": everything})
    return rows


def _all_right(answers: Sequence[Answer]) -> float:
    """Percent of the pictures with all answers right."""
    pictures: dict[tuple[int, int], bool] = {}
    for answer in answers:
        key = answer.combination, answer.seed
        pictures[key] = pictures.get(key, True) and answer.right
    return _percent(sum(pictures.values()), len(pictures))


def _percent(part: int, whole: int) -> float:
    return round(100 * part / max(1, whole), 2)


def _failures(pictures: Any, answers: Sequence[Answer]) -> list[tuple[Any, str]]:
    """Pictures that are not as wanted, each with what is wrong with it."""
    wrong: dict[int, list[Answer]] = {}
    for answer in answers:
        if not answer.right:
            wrong.setdefault(answer.seed, []).append(answer)
    found = []
    for seed, several in wrong.items():
        text = "; ".join(f"{a.wanted} ≠ {a.seen} {a.probability:.2f}" for a in several)
        found.append((pictures[seed], f"{several[0].combination + 1}, {seed}: {text}"))
    return found
