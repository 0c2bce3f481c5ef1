"""A safety checker with random weights, and thresholds that say what it finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from transformers import CLIPConfig, CLIPImageProcessor

EVERYTHING, NOTHING = -2.0, 2.0
"""Thresholds: a cosine is always above the one and never above the other."""
SIDE = 32


def checker(threshold: float) -> Any:
    torch.manual_seed(3)
    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": SIDE,
        "patch_size": 8,
        "projection_dim": 16,
    }
    made: Any = StableDiffusionSafetyChecker(CLIPConfig(vision_config=vision, projection_dim=16)).eval()
    with torch.no_grad():
        made.concept_embeds.copy_(torch.randn(17, 16))
        made.special_care_embeds.copy_(torch.randn(3, 16))
        made.concept_embeds_weights.fill_(threshold)
        made.special_care_embeds_weights.fill_(NOTHING)
    return made


def processor() -> Any:
    return CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})


def save(folder: Path, threshold: float, features: Path | None = None, made: Any = None) -> Path:
    """``features``: another folder for the file about the pictures that it looks at."""
    (made if made is not None else checker(threshold)).save_pretrained(folder, safe_serialization=True)
    processor().save_pretrained(features or folder)
    return folder
