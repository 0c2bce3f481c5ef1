"""Trains otter-mini, a small text-to-image model, and judges what it draws."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import commands as judging
from . import few_shot_commands
from .drawing_defaults import GUIDANCE, STEPS
from .evaluate import weights_of
from .recipe import STAGES, Data, Diffusion, Negatives, Recipe, Vae


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m otter_mini", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--out", type=Path, required=True, help="the directory of this training")
    common.add_argument("--from", type=Path, dest="start", metavar="FOLDER", help="the finished model to grow from")
    common.add_argument("--seed", type=int, default=1)
    common.add_argument("--threads", type=int, default=2, help="of PyTorch; another number gives other bytes")
    common.add_argument("--tiny", action="store_true", help="a recipe of seconds, to try the program")
    common.add_argument("--pictures", type=int, default=Data.pictures)
    common.add_argument("--vae-steps", type=int, default=Vae.steps)
    common.add_argument("--latent-channels", type=int, default=Vae.latent_channels)
    common.add_argument("--steps", type=int, default=Diffusion.steps, help="of the diffusion training")
    common.add_argument("--negatives-steps", type=int, default=Negatives.steps)
    for name in ("train", *STAGES):
        what = "every stage that is" if name == "train" else f"the stages up to {name!r} that are"
        stage = commands.add_parser(name, parents=[common], help=f"{what} not done yet")
        stage.add_argument("--processes", type=int, default=2, help="that draw; any number gives the same pictures")
        stage.add_argument("--device", default="cpu", help="cpu or cuda")
    preview = commands.add_parser("preview", parents=[common], help="draw with the newest checkpoint")
    preview.add_argument("prompts", nargs="+")
    preview.add_argument("--seeds", type=int, default=4, help="pictures in a row")
    preview.add_argument("--sampling-steps", type=int, default=STEPS)
    preview.add_argument("--guidance", type=float, default=GUIDANCE)
    preview.add_argument("--file", type=Path, help="instead of preview-STEP.png in the directory")
    judging.add_parsers(commands)
    few_shot_commands.add_parsers(commands)
    return parser


def recipe_of(options: argparse.Namespace) -> Recipe:
    start = weights_of(options.start) if options.start else ""
    if options.tiny:
        return replace(Recipe.tiny(seed=options.seed), start=start)
    recipe = Recipe(seed=options.seed, start=start)
    return replace(
        recipe,
        data=replace(recipe.data, pictures=options.pictures),
        vae=replace(recipe.vae, steps=options.vae_steps, latent_channels=options.latent_channels),
        diffusion=replace(recipe.diffusion, steps=options.steps),
        negatives=replace(recipe.negatives, steps=options.negatives_steps),
    )


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    # Before torch: threads that spin while they wait make it ten times slower when another process wants the cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if hasattr(options, "run"):
        if "model" in options and (missing := _missing(options.model)):
            return _failed(missing)
        return int(options.run(options))
    if options.start is not None and (missing := _missing(options.start)):
        return _failed(missing)
    # Only now: --help should not wait for torch.
    import torch

    from . import export
    from .checkpoints import ForeignFiles, InUse
    from .growth import DoesNotFit
    from .training import Training

    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    export.quiet()
    try:
        if options.command == "preview":
            os.nice(10)
            training = Training(recipe=recipe_of(options), directory=options.out)
            picture, step = training.preview(
                options.prompts, seeds=options.seeds, steps=options.sampling_steps, guidance=options.guidance
            )
            file = options.file or options.out / f"preview-{step}.png"
            picture.save(file)
            print(file)
            return 0
        torch.use_deterministic_algorithms(True)
        deterministic: Any = torch.utils.deterministic
        deterministic.fill_uninitialized_memory = False  # it would only cost time
        training = Training(
            recipe=recipe_of(options),
            directory=options.out,
            start=options.start,
            processes=options.processes,
            device=options.device,
        )
        training.run(STAGES[-1] if options.command == "train" else options.command)
    except (DoesNotFit, ForeignFiles, InUse, FileNotFoundError) as error:
        return _failed(str(error))
    return 0


def _missing(model: Path) -> str:
    """What to say where there is no model; empty where there is one."""
    return "" if (model / "model_index.json").is_file() else f"there is no model in {model}"


def _failed(sentence: str) -> int:
    print(f"otter_mini: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
