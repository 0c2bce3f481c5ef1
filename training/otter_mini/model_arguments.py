"""The arguments of every subcommand that draws with a model and judges."""

from __future__ import annotations

import argparse
from pathlib import Path

from .drawing_defaults import GUIDANCE, STEPS
from .painting import Settings


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """The model, the judge, and how to draw."""
    parser.add_argument("--model", type=Path, required=True, help="the pipeline's folder")
    parser.add_argument("--judge", type=Path, help="other weights than the judge's own")
    parser.add_argument("--seeds", type=int, default=50, help="pictures of each prompt; 5 give a quick look")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--guidance", type=float, default=GUIDANCE)
    parser.add_argument("--batch", type=int, default=25)
    parser.add_argument("--bf16", action="store_true", help="faster where the processor has it, and not the same bytes")
    parser.add_argument("--processes", type=int, default=2, help="that draw where prompts are many; one thread each")
    parser.add_argument("--json", type=Path, help="file for the figures, which the model card is made from")


def settings_of(args: argparse.Namespace) -> Settings:
    """What drawing needs of the arguments."""
    return Settings(model=args.model, steps=args.steps, guidance=args.guidance, batch=args.batch, bf16=args.bf16)
