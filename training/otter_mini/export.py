# mypy: disallow-untyped-calls=False
"""Writes the finished model as a folder that ``StableDiffusionPipeline.from_pretrained`` loads unchanged."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from .diffusion import NOISE
from .drawing_defaults import GUIDANCE, STEPS

CHECK_PROMPT = "otter, cowboy hat, beach"


def pipeline(vae: Any, text_encoder: Any, tokenizer: Any, unet: Any) -> Any:
    """The models with the sampler that suits them."""
    from diffusers import StableDiffusionPipeline, UniPCMultistepScheduler

    # Trailing steps begin at pure noise even when there are only a few of them.
    scheduler = UniPCMultistepScheduler(**NOISE, timestep_spacing="trailing", steps_offset=1, solver_order=2)
    pipe: Any = StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def quiet() -> None:
    """No progress bars and no advice from the libraries; and no look at the network."""
    os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
    import diffusers
    import transformers

    for library in (diffusers, transformers):
        library.utils.logging.disable_progress_bar()
        library.utils.logging.set_verbosity_error()


def draw(pipe: Any, prompt: str, *, seed: int, steps: int = STEPS, guidance: float = GUIDANCE) -> Image.Image:
    chance = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        answer = pipe(prompt, negative_prompt="", num_inference_steps=steps, guidance_scale=guidance, generator=chance)
    picture: Image.Image = answer.images[0]
    return picture


def write(pipe: Any, directory: Path) -> None:
    """Write the folder in half precision, whole or not at all; one that is there is replaced."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        for part in (pipe.vae, pipe.text_encoder, pipe.unet):
            part.half()
        pipe.save_pretrained(scratch / "model", safe_serialization=True)
        _load_in_single_precision(scratch / "model" / "text_encoder" / "config.json")
        if directory.exists():
            os.rename(directory, scratch / "old")
        os.rename(scratch / "model", directory)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _load_in_single_precision(config: Path) -> None:
    """Where nobody asks for a precision, transformers takes the files' and diffusers float32: halves do not fit."""
    settings = json.loads(config.read_text(encoding="utf-8")) | {"dtype": "float32"}
    config.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def read(directory: Path) -> Any:
    """The pipeline in ``directory``, in single precision, ready to draw. ``ValueError`` if it is incomplete."""
    from diffusers import StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(directory, local_files_only=True, dtype=torch.float32)
    for name in ("vae", "text_encoder", "unet"):
        if any(parameter.is_meta for parameter in getattr(pipe, name).parameters()):
            raise ValueError(f"{directory}: {name} lacks weights")
    pipe.set_progress_bar_config(disable=True)
    return pipe


def size_of(directory: Path) -> int:
    """Bytes of all files."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def sheet(pictures: list[Image.Image], columns: int) -> Image.Image:
    """All pictures on one, row by row."""
    width, height = pictures[0].size
    rows = -(-len(pictures) // columns)
    result = Image.new("RGB", (columns * width, rows * height), "white")
    for n, picture in enumerate(pictures):
        result.paste(picture, (n % columns * width, n // columns * height))
    return result
