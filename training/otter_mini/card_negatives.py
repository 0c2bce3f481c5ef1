"""The card's sections about negative prompts, and about the judge against people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .negative_evaluation import NEGATIVES, PROMPTS, WANTED
from .spoiling import STANDARD_NEGATIVE
from .tables import markdown

COLUMNS = {
    "style kept": "style kept, %",
    "sharpness": "sharpness, lowest median",
    "others kept": "all else kept, %",
    "gone": "named thing gone, %",
    "clean": "not spoilt, %",
}


def negatives(report: Mapping[str, Any], first: Mapping[str, Any], *, sheet: bool) -> str:
    """What negative prompts take away and leave; ``first``: the first edition's report, if there is one."""
    before = {row["negative"]: row for row in first.get("by negative", [])}
    rows = [_row(_name(row["negative"]), row, before.get(row["negative"])) for row in report["by negative"]]
    rows.append(_row("**all**", report, first or None))
    verdict = "holds" if report["reached"] else "**does not hold**"
    wanted = ", ".join(f"{COLUMNS[name]} ≥ {value:g}" for name, value in WANTED.items())
    picture = "\n![The same seed without and with each negative prompt](negatives.png)\n" if sheet else ""
    seeds = f" The first edition was measured over {first['seeds']} seeds, at {first['steps']} steps." if first else ""
    kept = ", ".join(f"{question.replace('_', ' ')} {percent} %" for question, percent in _kept(report).items())
    return f"""## Negative prompts

{len(PROMPTS)} prompts with {len(NEGATIVES)} negative prompts, {report["seeds"]} seeds each, {report["steps"]} steps,
CFG {report["guidance"]:g}, against the same seeds without (`python -m otter_mini evaluate-negatives`). A figure counts
what the picture without the negative prompt shows. Sharpness is the deviation of the Laplacian relative to that of
brightness, at the picture's own size, and relative to the picture without.{seeds}
{picture}
Wanted over all: {wanted}. This {verdict}.

{markdown(rows)}

Of what was not named there stay: {kept}.
"""


def agreement(report: Mapping[str, Any]) -> str:
    """The judge against a person."""
    rows = [
        {"": question.replace("_", " "), "agrees": f"{figure['percent']:.1f} %", "answers": str(figure["answers"])}
        for question, figure in report["questions"].items()
    ]
    return f"""On {report["pictures"]} pictures of the model, two in five with a negative prompt, a person who looked
and did not see the prompt said the same as the judge in (`python -m otter_mini agreement`):

{markdown(rows)}
"""


def _kept(report: Mapping[str, Any]) -> dict[str, float]:
    return {question: percent for question, percent in report["kept by question"].items() if percent is not None}


def _name(negative: str) -> str:
    return "the standard list" if negative == STANDARD_NEGATIVE else negative


def _row(name: str, figures: Mapping[str, Any], first: Mapping[str, Any] | None) -> dict[str, str]:
    """Each cell has the first edition's figure behind the model's, in brackets."""
    row = {"--no": name}
    for key, title in COLUMNS.items():
        row[title] = _cell(figures[key])
        if first is not None and _cell(first[key]):
            row[title] += f" ({_cell(first[key])})"
    return row


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
