"""The subcommands that judge a model and write about it. Free of torch until one of them runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from . import card, colours, contact_sheet, controls, evaluate, labelling, look, negative_evaluation, words

HERE = Path(__file__).parent


def add_parsers(subparsers: Any) -> None:
    """Adds ``judge`` and the subcommand of each module; each sets ``run``, which takes the parsed arguments and returns
    the exit status."""
    _add_judge(subparsers)
    for module in (evaluate, negative_evaluation, labelling, controls, contact_sheet, card, look, colours, words):
        module.add_parser(subparsers)


def _add_judge(subparsers: Any) -> None:
    parser: argparse.ArgumentParser = subparsers.add_parser("judge", help="train the classifier that judges pictures")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for judge.safetensors")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--pictures", type=int, default=9000, help="drawings to learn from")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--start", type=Path, help="an earlier judge's file to begin with; it takes fewer epochs then")
    parser.set_defaults(run=_judge)


def _judge(args: argparse.Namespace) -> int:
    from . import judge_training

    return judge_training.run(args)
