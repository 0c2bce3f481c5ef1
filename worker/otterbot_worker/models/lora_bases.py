"""For which models a LoRA is made, by its header alone. Free of torch.

Shapes and layer names count more than the trainer's notes: settings are copied from one training to the next.
"""

from __future__ import annotations

import re

from . import headers, lora_names

_SD_WIDTHS, _SDXL_WIDTHS = frozenset({768, 1024}), frozenset({2048})
_OF_TRANSFORMERS = ("transformer.", "lora_transformer_", "lora_te3_")
_OTHERS = (
    (re.compile(r"(?:double|single)_stream_blocks_"), "HiDream"),
    (re.compile(r"lora_prior_(?:unet|te)_"), "Stable Cascade"),
    (re.compile(r"joint_blocks_"), "Stable Diffusion 3"),
    (re.compile(r"transformer_blocks_\d+_(?:img|txt)_m(?:lp|od)_"), "Qwen-Image"),
    (re.compile(r"(?:double|single)_blocks_|single_transformer_blocks_"), "Flux or one of its relatives"),
    (re.compile(r"blocks_\d+_(?:(?:self|cross)_attn_(?:[qkvo]|[kv]_img)$|ffn_\d)"), "Wan"),
    (re.compile(r"(?:layers|context_refiner|noise_refiner)_\d"), "Z-Image or Lumina"),
    (re.compile(r"transformer_blocks_\d+_attn_"), "Stable Diffusion 3, Flux or Qwen-Image"),
    (re.compile(r"(?:transformer_)?blocks_\d"), "another kind of model"),
)
"""Beginnings of layer names (with underscores) → the other model that such a LoRA is for."""
_ATTENTION = re.compile(r"(?:attn1_to_[qkv]|attn2_to_q|self_attn_[qkv]_proj)$")
"""Layers whose input has the block's own width."""
_PUBLISHED = {
    "unet": frozenset({320, 640, 1280}),
    "text_encoder": frozenset({768, 1024}),
    "text_encoder_2": frozenset({1280}),
}
"""These widths in Stable Diffusion 1, 2 and SDXL, pruned ones included."""


def width(header: headers.Header) -> int | None:
    """Width of the prompt embeddings of the models that it is for; ``None``: unknown."""
    widths = {shape[1] for key, shape in header.shapes.items() if _reads_the_prompt(key) and len(shape) >= 2}
    return widths.pop() if len(widths) == 1 else None


def family(header: headers.Header, width: int | None) -> str | None:
    """The family that it is for; ``other`` for models with another U-Net or none; ``None``: unknown."""
    keys = list(header.shapes)
    if other(header) is not None:
        return "other"
    if width in _SD_WIDTHS or width in _SDXL_WIDTHS:
        return "sdxl" if width in _SDXL_WIDTHS else "sd"
    found = lora_names.family(keys)
    places = {place[0] for key in keys if (half := lora_names.read(key)) and (place := lora_names.place(half[0]))}
    if "text_encoder_2" in places or any(key.startswith("lora_te1_") for key in keys):
        return "sdxl"
    if found is not None:
        return found
    if width is not None or _unpublished(header):
        return None  # the notes name published models, which it does not fit
    said = [header.metadata.get(name, "") for name in ("ss_base_model_version", "modelspec.architecture")]
    if any(base.startswith(("sdxl", "stable-diffusion-xl")) for base in said):
        return "sdxl"
    if any(base.startswith(("sd_v", "sd1", "sd2", "stable-diffusion-v")) for base in said):
        return "sd"
    return "sd" if any(key.startswith("lora_te_") for key in keys) else None


def other(header: headers.Header) -> str | None:
    """By its layer names, the unsupported model that it is for, if any."""
    layers = {_layer(half[0]) for key in header.shapes if (half := lora_names.read(key)) is not None}
    for pattern, title in _OTHERS:
        if any(pattern.match(layer) for layer in layers):
            return title
    return "another kind of model" if any(key.startswith(_OF_TRANSFORMERS) for key in header.shapes) else None


def _layer(stem: str) -> str:
    """The layer's name within a transformer; empty for text encoders' layers."""
    place = lora_names.place(stem)
    if place is not None:
        return place[1] if place[0] == "unet" else ""
    name = stem.removeprefix(lora_names.WRAPPED)
    for prefix in ("transformer.", "lora_transformer_"):
        name = name.removeprefix(prefix)
    return lora_names.flat(name.removeprefix(lora_names.WRAPPED))


def _unpublished(header: headers.Header) -> bool:
    """Whether its shapes belong to no published Stable Diffusion: a small test model, or a relative trained from
    scratch."""
    for key, shape in header.shapes.items():
        place = _place_of_down(key)
        if place is None or len(shape) < 2 or _ATTENTION.search(place[1]) is None:
            continue
        if shape[1] not in _PUBLISHED[place[0]]:
            return True
    return False


def _reads_the_prompt(key: str) -> bool:
    """Whether this is the down half of a cross-attention layer, whose input width tells the text encoder."""
    place = _place_of_down(key)
    return place is not None and place[0] == "unet" and place[1].endswith("attn2_to_k")


def _place_of_down(key: str) -> lora_names.Place | None:
    """The place of the layer whose down half (as wide as the layer's input) has this name."""
    half = lora_names.read(key)
    return lora_names.place(half[0]) if half is not None and half[1] == "down" else None
