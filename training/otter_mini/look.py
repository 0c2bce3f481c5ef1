"""Says what the judge sees in picture files, as JSON: for programs without torch, such as the end-to-end tests."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .scenes import QUESTIONS

Seen = dict[str, dict[str, float]]
"""By question, the probability of each of its values."""


def add_parser(subparsers: Any) -> None:
    """Adds ``look``."""
    parser: argparse.ArgumentParser = subparsers.add_parser("look", help="say what the judge sees in pictures, as JSON")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints a list with an entry for each file, in their order."""
    print(json.dumps(look(args.files)))
    return 0


def look(files: Sequence[Path]) -> list[Seen]:
    """:raises OSError: a file that is not there, or no picture"""
    from PIL import Image

    from .judge import Judge

    found = Judge.load().probabilities([Image.open(file) for file in files])
    return [
        {
            question: {value: round(float(share), 4) for value, share in zip(values, found[question][row], strict=True)}
            for question, values in QUESTIONS.items()
        }
        for row in range(len(files))
    ]
