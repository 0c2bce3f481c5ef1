# mypy: disallow-untyped-calls=False
"""Fits a linear map from latents to colours, for previews without the decoder.

Least squares over fresh drawings: the encoder's latents of each on one side, its pixels, averaged over the square that
a latent stands for, on the other.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

NAME = "preview.json"
"""In the autoencoder's folder."""


def add_parser(subparsers: Any) -> None:
    parser: argparse.ArgumentParser = subparsers.add_parser("colours", help="fit colours to latents, for previews")
    parser.add_argument("--model", type=Path, required=True, help=f"the model's folder; writes {NAME} beside its vae")
    parser.add_argument("--seed", type=int, default=5, help="of the drawings, other ones than the model's")
    parser.add_argument("--pictures", type=int, default=400)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    import numpy as np
    from diffusers import AutoencoderKL

    from .dataset import example

    vae = AutoencoderKL.from_pretrained(args.model / "vae", local_files_only=True).float()
    pixels = np.stack([example(args.seed, vae.config.sample_size, 1, index)[0] for index in range(args.pictures)])
    factors, bias, explained = fit(vae, pixels)
    print(f"{100 * explained:.1f} % of the colours' variance, over {args.pictures} drawings of seed {args.seed}")
    rows = ",\n    ".join(json.dumps([round(value, 4) for value in row]) for row in factors)
    offset = json.dumps([round(value, 4) for value in bias])
    (args.model / "vae" / NAME).write_text(f'{{\n  "bias": {offset},\n  "factors": [\n    {rows}\n  ]\n}}\n', "utf-8")
    return 0


def fit(vae: Any, pixels: Any) -> tuple[list[list[float]], list[float], float]:
    """From N×H×W×3 bytes: for each channel of the latents what it adds to red, green and blue (-1 to 1), what is there
    without any, and the share of the variance that this explains."""
    import torch
    from torch.nn.functional import avg_pool2d

    from .vae import as_input, mean_latents

    latents, colours = [], []
    with torch.no_grad():
        for first in range(0, len(pixels), 32):
            pictures = as_input(pixels[first : first + 32], torch.device("cpu"))
            found = mean_latents(vae, pictures) * vae.config.scaling_factor
            latents.append(found.movedim(1, -1).flatten(0, 2).double())
            colours.append(
                avg_pool2d(pictures, pictures.shape[-1] // found.shape[-1]).movedim(1, -1).flatten(0, 2).double()
            )
    known, wanted = torch.cat(latents), torch.cat(colours)
    known = torch.cat([known, torch.ones(len(known), 1, dtype=known.dtype)], dim=1)
    solved = torch.linalg.lstsq(known, wanted).solution
    left = (wanted - known @ solved).square().sum() / (wanted - wanted.mean(dim=0)).square().sum()
    return solved[:-1].tolist(), solved[-1].tolist(), 1.0 - float(left)
