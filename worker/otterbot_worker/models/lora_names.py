"""The names of a LoRA's tensors, read by one reader for the list and for the engine. Free of torch.

A name is a layer (its *stem*) and what the tensor is for it: a half (``down``, ``up``) or the scale (``alpha``).
Trainers write layers with dots or underscores, by diffusers' names or by those of the original U-Net, with one prefix
or another for the part of the model. So names are compared without regard to dots: ``place`` gives part and flat
name, and ``table`` says which layer of a model that is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Literal

from . import ldm_names

Part = Literal["down", "up", "alpha"]
Place = tuple[str, str]
"""Component, and the layer's name in it with underscores instead of dots."""

_HALVES: tuple[tuple[re.Pattern[str], dict[str, Part]], ...] = (
    # PEFT, with or without an adapter's name.
    (re.compile(r"(.+)\.lora_(A|B)(?:\.(?!(?:weight|bias)$)([^.]+))?(?:\.weight)?"), {"A": "down", "B": "up"}),
    # kohya's `.lora_down`, and diffusers' `.lora.down`, `.lora_linear_layer.down` and `_lora.down` of former years.
    (re.compile(r"(.+?)[._]lora(?:_linear_layer)?[._](down|up)(?:\.weight)?"), {"down": "down", "up": "up"}),
    (re.compile(r"(.+)\.(alpha)"), {"alpha": "alpha"}),
)
WRAPPED = "base_model.model."
"""PEFT's prefix of a model's or a component's layers."""
_BUNDLED = "bundle_emb."
"""Prefix of embeddings that OneTrainer stores beside the LoRA they were trained with."""
_PREFIXES = {
    "lora_unet_": "unet",
    "lora_te1_": "text_encoder",
    "lora_te2_": "text_encoder_2",
    "lora_te_": "text_encoder",
    "lycoris_": "unet",
    "model.diffusion_model.": "unet",
    "diffusion_model.": "unet",
    "unet.": "unet",
    "text_encoders.clip_g.transformer.": "text_encoder_2",
    "text_encoders.clip_l.transformer.": "text_encoder",
    "text_encoder_2.": "text_encoder_2",
    "text_encoder.": "text_encoder",
    "clip_g.": "text_encoder_2",
    "clip_l.": "text_encoder",
    "clip.": "text_encoder",
    "te2.": "text_encoder_2",
    "te1.": "text_encoder",
    "te.": "text_encoder",
}
_OF_A_UNET = re.compile(
    r"(?:(?:down|up|input|output)_blocks|mid_block|middle_block|conv_in|conv_out|time_embed(?:ding)?|add_embedding"
    r"|label_emb)_"
)
"""Beginnings of U-Net layer names without a component prefix."""
_OTHER_KINDS = {
    "dora_scale": "a DoRA",
    "lora_magnitude_vector": "a DoRA",
    "hada_": "a LoHa",
    "lokr_": "a LoKr",
    "lora_mid": "a LoCon in Tucker form",
    "oft_": "an OFT",
    "lora_E": "an AdaLoRA",
    "on_input": "an (IA)³",
    "vera_lambda": "a VeRA",
    "diff_b": "a full difference",
    "diff": "a full difference",
}
"""Name parts of unsupported relatives of LoRA → what they are."""
_OF_CLIP = {"q_proj": "to_q", "k_proj": "to_k", "v_proj": "to_v", "out_proj": "to_out"}
"""diffusers' former names of attention layers in LoRAs of text encoders."""
_ONLY_SDXL = re.compile(
    r"add_embedding_|label_emb_|transformer_blocks_[2-9]_"
    r"|down_blocks_2_attentions_\d+_transformer_blocks_[1-9]|mid_block_\w*transformer_blocks_[1-9]"
)
_ONLY_SD = re.compile(
    r"down_blocks_0_attentions|down_blocks_3_|up_blocks_3_|(?:input_blocks_[12]_1|(?:input|output)_blocks_(?:9|10|11)_\d)_"
)
"""Layers that only one family's U-Net has."""


def read(name: str) -> tuple[str, Part] | None:
    """The layer and what the tensor is for it; ``None``: it is no part of a plain LoRA."""
    if name.startswith(_BUNDLED):
        return None
    for pattern, parts in _HALVES:
        if match := pattern.fullmatch(name):
            return match[1], parts[match[2]]
    return None


def is_half(name: str) -> bool:
    found = read(name)
    return found is not None and found[1] != "alpha"


def adapter(half: str) -> str:
    """PEFT's adapter name of a half; empty where it has none."""
    match = _HALVES[0][0].fullmatch(half)
    return (match[3] or "") if match else ""


def place(stem: str) -> Place | None:
    """The place of a layer; ``None`` for unknown names."""
    name = stem.removeprefix(WRAPPED).replace(".processor.", ".")
    for prefix, component in _PREFIXES.items():
        if name.startswith(prefix):
            return component, flat(name.removeprefix(prefix).removeprefix(WRAPPED))
    layer = flat(name)
    return ("unet", layer) if _OF_A_UNET.match(layer + "_") else None


def table(component: str, modules: Iterable[str], layers: int) -> dict[str, str]:
    """Possible names of layers → their name in the model. ``layers``: per block of the U-Net."""
    found: dict[str, str] = {}
    for module in modules:
        ways = [module]
        if component == "unet":
            ways += ldm_names.of_module(module, layers)
            ways += [way.removesuffix(".0") for way in ways if way.endswith(".to_out.0")]
        else:
            head, _, last = module.rpartition(".")
            ways += [f"{head}.{_OF_CLIP[last]}"] if last in _OF_CLIP else []
            # Some versions of transformers have this name part, others do not.
            inner = [way.removeprefix("text_model.") for way in ways]
            ways += [*inner, *(f"text_model.{way}" for way in inner)]
        for way in ways:
            found.setdefault(flat(way), module)
    return found


def other_kind(names: Iterable[str]) -> str | None:
    """What a file with these tensors is instead of a plain LoRA, as "a DoRA"."""
    parts = {part for name in names if not name.startswith(_BUNDLED) for part in name.split(".")[1:]}
    for mark, kind in _OTHER_KINDS.items():
        if mark in parts or (mark not in ("diff", "diff_b") and any(part.startswith(mark) for part in parts)):
            return kind
    return None


def family(names: Iterable[str]) -> str | None:
    """The family that a LoRA is for, by layers that only its U-Net has."""
    layers = {found[1] for name in names if (half := read(name)) and (found := place(half[0])) and found[0] == "unet"}
    if any(_ONLY_SDXL.search(name) for name in layers):
        return "sdxl"
    return "sd" if any(_ONLY_SD.match(name) for name in layers) else None


def left_out_note(lora: str, names: Iterable[str]) -> str | None:
    """A note on ignored tensors of a file; ``None``: all were used."""
    counts = Counter(_left_out(name) for name in names)
    if not counts:
        return None
    kinds = ", ".join(f"{kind} ({count})" if len(counts) > 1 else kind for kind, count in sorted(counts.items()))
    total = sum(counts.values())
    return f"Of the LoRA {lora}, {total} tensor{'s were' if total > 1 else ' was'} left out: {kinds}."


def _left_out(name: str) -> str:
    if name.startswith(_BUNDLED):
        return "embeddings that it brings along"
    if name.endswith((".w_norm", ".b_norm")):
        return "changes of norms"
    return "names that are not known here"


def flat(name: str) -> str:
    """A layer's name in the form for comparing."""
    return name.replace(".", "_")
