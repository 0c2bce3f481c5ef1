"""What differs between the families of models: class, prompt encoding, parts to watch.

Adding a family is an entry here and, where it needs one, an encoder in ``embeddings``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import (
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
)

from . import embeddings


@dataclass(frozen=True, kw_only=True)
class Family:
    pipeline: Any
    """The diffusers class; its name must stand in the model's index, other classes load silently."""
    from_picture: Any
    """The class that starts from a picture; takes the components of the former."""
    encode: Callable[[Any, torch.device, embeddings.Prompt, embeddings.Prompt], dict[str, Any]]
    load_arguments: dict[str, Any]
    modules: tuple[str, ...]
    """Components with weights."""


FAMILIES = {
    "sd": Family(
        pipeline=StableDiffusionPipeline,
        from_picture=StableDiffusionImg2ImgPipeline,
        encode=embeddings.for_sd,
        load_arguments={"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False},
        modules=("text_encoder", "unet", "vae"),
    ),
    "sdxl": Family(
        pipeline=StableDiffusionXLPipeline,
        from_picture=StableDiffusionXLImg2ImgPipeline,
        encode=embeddings.for_sdxl,
        load_arguments={"add_watermarker": False},
        modules=("text_encoder", "text_encoder_2", "unet", "vae"),
    ),
}
