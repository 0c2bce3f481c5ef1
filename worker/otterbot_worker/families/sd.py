"""Stable Diffusion 1 and 2: one CLIP text encoder, a U-Net, latents of an eighth of the picture's side."""

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
    from .clip import for_sd

    del guided  # the pipeline takes both prompts in any case
    return for_sd(pipe, device, prompt, negative, settings)


SD = Family(
    title="Stable Diffusion 1 and 2",
    pipeline="StableDiffusionPipeline",
    from_picture="StableDiffusionImg2ImgPipeline",
    modules=("text_encoder", "unet", "vae"),
    computing=Computing(kind="sd1", denoiser="unet", step_bytes=545, heads=16, token_pixels=64),
    encode=encode,
    load_arguments={"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False},
    preview=Preview(
        factors=(
            (0.3512, 0.2297, 0.3227),
            (0.3250, 0.4974, 0.2350),
            (-0.2829, 0.1762, 0.2721),
            (-0.2120, -0.2616, -0.7177),
        )
    ),
    samplers=ALL_SAMPLERS,
    weights=True,
    loras=True,
    embeddings=True,
    control=True,
    single_files=True,
)
