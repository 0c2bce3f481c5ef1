"""SDXL, its distillations (SSD-1B) and Turbo: two CLIP text encoders, a pooled embedding, sizes as conditions."""

from __future__ import annotations

from diffusers import StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline

from ...models import families
from .. import embeddings
from .base import Family, Preview

SDXL = Family(
    abilities=families.FAMILIES["sdxl"],
    pipeline=StableDiffusionXLPipeline,
    from_picture=StableDiffusionXLImg2ImgPipeline,
    encode=embeddings.for_sdxl,
    load_arguments={"add_watermarker": False},
    # The known map gives 0 to 255: (60, -60, 25, -70), (60, -5, 15, -50), (60, 10, -5, -35) and (150, 140, 130).
    preview=Preview(
        factors=(
            (60 / 127.5, 60 / 127.5, 60 / 127.5),
            (-60 / 127.5, -5 / 127.5, 10 / 127.5),
            (25 / 127.5, 15 / 127.5, -5 / 127.5),
            (-70 / 127.5, -50 / 127.5, -35 / 127.5),
        ),
        bias=(150 / 127.5 - 1, 140 / 127.5 - 1, 130 / 127.5 - 1),
    ),
)
