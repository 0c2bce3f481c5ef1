"""SDXL, its distillations (SSD-1B) and Turbo: two CLIP text encoders, a pooled embedding, sizes as conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..schemas.settings import Settings
from .base import ALL_SAMPLERS, Computing, Family, Preview
from .prompt import Prompt

if TYPE_CHECKING:
    import torch


def encode(
    pipe: Any, device: torch.device, prompt: Prompt, negative: Prompt, *, guided: bool, settings: Settings
) -> dict[str, Any]:
    from .clip import for_sdxl

    del guided, settings  # the pipeline takes both prompts in any case
    return for_sdxl(pipe, device, prompt, negative)


SDXL = Family(
    title="SDXL",
    pipeline="StableDiffusionXLPipeline",
    from_picture="StableDiffusionXLImg2ImgPipeline",
    modules=("text_encoder", "text_encoder_2", "unet", "vae"),
    computing=Computing(kind="sdxl", denoiser="unet", step_bytes=345, heads=20, token_pixels=256),
    encode=encode,
    load_arguments={"add_watermarker": False},
    # From the published map to 0..255: (60, -60, 25, -70), (60, -5, 15, -50), (60, 10, -5, -35), bias (150, 140, 130).
    preview=Preview(
        factors=(
            (60 / 127.5, 60 / 127.5, 60 / 127.5),
            (-60 / 127.5, -5 / 127.5, 10 / 127.5),
            (25 / 127.5, 15 / 127.5, -5 / 127.5),
            (-70 / 127.5, -50 / 127.5, -35 / 127.5),
        ),
        bias=(150 / 127.5 - 1, 140 / 127.5 - 1, 130 / 127.5 - 1),
    ),
    samplers=ALL_SAMPLERS,
    weights=True,
    loras=True,
    embeddings=True,
    control=True,
    refiner=True,
    decoder_upcasts=True,
    single_files=True,
)
