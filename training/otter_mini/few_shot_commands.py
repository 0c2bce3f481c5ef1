"""The subcommands that teach a finished model something from ten pictures. Free of torch until one of them runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from . import inversion, lora
from .model_folder import side_of


def add_parsers(subparsers: Any) -> None:
    """Adds ``lora`` and ``inversion``; each sets ``run``: from the parsed arguments to the exit status."""
    _add_lora(subparsers)
    _add_inversion(subparsers)


def _add_lora(subparsers: Any) -> None:
    parser: argparse.ArgumentParser = subparsers.add_parser("lora", help=f"teach a finished model a {lora.TRIGGER}")
    parser.add_argument("--model", type=Path, required=True, help="the pipeline's folder")
    parser.add_argument("--out", type=Path, required=True, help="the .safetensors file to write")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--steps", type=int, default=lora.Recipe.steps)
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch; another number gives other bytes")
    parser.set_defaults(run=_lora)


def _lora(args: argparse.Namespace) -> int:
    """:returns: 0 :raises OSError: ValueError: there is no whole model in the folder"""
    from . import few_shot, lora_training

    recipe, path = lora.Recipe(steps=args.steps), args.out
    with few_shot.same_bytes(args.threads):
        pipe = few_shot.read(args.model)
        lora_training.learn(pipe, recipe, args.seed, print)
    lora_training.write(pipe, path, lora.notes_of(recipe, args.seed, side_of(args.model)))
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")
    return 0


def _add_inversion(subparsers: Any) -> None:
    parser: argparse.ArgumentParser = subparsers.add_parser("inversion", help="teach a finished model a new word")
    parser.add_argument("--model", type=Path, required=True, help="the pipeline's folder")
    parser.add_argument("--out", type=Path, required=True, help="the .safetensors file to write")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--steps", type=int, default=inversion.Recipe.steps)
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch; another number gives other bytes")
    parser.set_defaults(run=_inversion)


def _inversion(args: argparse.Namespace) -> int:
    """:returns: 0 :raises OSError: ValueError: there is no whole model in the folder"""
    from . import few_shot, inversion_training

    recipe, path = inversion.Recipe(steps=args.steps), args.out
    with few_shot.same_bytes(args.threads):
        vectors = inversion_training.learn(few_shot.read(args.model), recipe, args.seed, print)
    inversion_training.write(vectors, path, inversion.notes_of(recipe, args.seed))
    print(f"{path}: {path.stat().st_size / 1e3:.1f} kB")
    return 0
