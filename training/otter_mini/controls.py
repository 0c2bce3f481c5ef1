"""Whether the controls act: weights, negative prompt, image-to-image, seeds, LoRA, textual inversion, settings.

Each experiment draws the same seeds with the control and without it, and the judge says what changed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .evaluate import weights_of
from .model_arguments import add_model_arguments
from .outcome import Outcome
from .scenes import CATEGORIES
from .tables import aligned

if TYPE_CHECKING:
    from .experiments import Laboratory

NAMES = (
    "weights", "negative", "image_to_image", "same_bytes", "guidance", "steps", "enough", "samplers", "lora",
    "inversion",
)  # fmt: skip
"""In the order in which they run; the last one changes the loaded pipeline for good."""


def add_parser(subparsers: Any) -> None:
    parser: argparse.ArgumentParser = subparsers.add_parser("controls", help="show whether each control acts")
    add_model_arguments(parser)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=list(NAMES), metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--lora", type=Path, help="the LoRA's file")
    parser.add_argument("--inversion", type=Path, help="the textual inversion's file")
    parser.add_argument("--token", default="ottoline", help="the textual inversion's word")
    parser.add_argument(
        "--token-means",
        nargs="+",
        default=["animal=otter", "hat=crown", "outfit=robe"],
        metavar="CATEGORY=VALUE",
        help="what the judge should see where the word stands",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Figures of experiments that do not run now stay in the JSON file. :returns: 0 where all that ran hold, else 1"""
    from .experiments import Laboratory
    from .judge import Judge
    from .pictures import Painter

    means = dict(text.split("=", 1) for text in args.token_means if "=" in text)
    unknown = [text for text in means if means[text] not in CATEGORIES.get(text, ())]
    if unknown or not means:
        print(f"--token-means: not as CATEGORY=VALUE, or not in scenes.CATEGORIES: {' '.join(args.token_means)}")
        return 2
    painter = Painter(args.model, steps=args.steps, guidance=args.guidance, batch=args.batch, bf16=args.bf16)
    laboratory = Laboratory(painter, Judge.load(args.judge), range(args.seeds))
    experiments = _experiments(args, laboratory, means)
    report: dict[str, Any] = {}
    if args.json and args.json.is_file():
        report = json.loads(args.json.read_text())
    all_hold = True
    for name in (name for name in NAMES if name in args.only):
        if name not in experiments:
            print(f"\n{name}: left out, there is no file for it", flush=True)
            continue
        started = time.monotonic()
        outcome = experiments[name]()
        all_hold &= outcome.holds
        print("\n".join(lines(outcome)) + f"\n({time.monotonic() - started:.0f} s)", flush=True)
        report[name] = {"weights": weights_of(args.model), "seeds": args.seeds, **asdict(outcome)}
        if args.json:
            args.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0 if all_hold else 1


def lines(outcome: Outcome) -> list[str]:
    """An experiment for people: a title, a table, and whether it came out as wanted."""
    table = aligned(outcome.rows)
    verdict = "holds" if outcome.holds else "DOES NOT HOLD"
    return ["", f"== {outcome.title}", *table, f"{verdict}: {outcome.wanted}"]


def _experiments(
    args: argparse.Namespace, laboratory: Laboratory, means: Mapping[str, str]
) -> dict[str, Callable[[], Outcome]]:
    """Those that can run: a LoRA and a textual inversion only where their file is there."""
    experiments: dict[str, Callable[[], Outcome]] = {
        name: getattr(laboratory, name) for name in NAMES if name not in ("lora", "inversion")
    }
    if args.lora and args.lora.is_file():
        experiments["lora"] = lambda: laboratory.lora(args.lora)
    if args.inversion and args.inversion.is_file():
        experiments["inversion"] = lambda: laboratory.inversion(args.inversion, token=args.token, means=means)
    return experiments
