"""Tensor names of the LDM layout (CompVis' latent-diffusion, which trained Stable Diffusion). Free of torch; used for
probing and for loading.

Files of that layout differ by who wrote them. ``read`` gives each tensor the name that loading goes by, so that a
header is judged by the same names. ``of_module`` tells what a layer of diffusers' U-Net is called in it.
"""

from __future__ import annotations

import re

VAE = "first_stage_model."
_FIRST_YEARS = "cond_stage_model.transformer."
"""After this prefix, old files lack ``text_model.`` in the text encoder's names."""
_VAE_ATTENTION = re.compile(r"(\.mid\.attn_1\.)(to_q|to_k|to_v|to_out\.0|query|key|value|proj_attn|group_norm)\.")
"""diffusers' names of the VAE's attention layers, new and old."""
_VAE_LAYERS = {
    **{"to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out", "group_norm": "norm"},
    **{"query": "q", "key": "k", "value": "v", "proj_attn": "proj_out"},
}

_HEAD = {
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}
_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
_BLOCK = re.compile(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)(?:\.(.+))?")
_MIDDLE = re.compile(r"mid_block\.(resnets|attentions)\.(\d+)(?:\.(.+))?")


def read(name: str) -> str:
    """The canonical name of a tensor, which loading expects."""
    if name.startswith(_FIRST_YEARS):
        rest = name.removeprefix(_FIRST_YEARS)
        return name if rest.startswith("text_model.") else f"{_FIRST_YEARS}text_model.{rest}"
    if name.startswith((VAE, "encoder.", "decoder.")):
        return _VAE_ATTENTION.sub(lambda match: f"{match[1]}{_VAE_LAYERS[match[2]]}.", name)
    return name


def of_module(name: str, layers: int) -> list[str]:
    """All LDM names of a layer of diffusers' U-Net. ``layers``: per block."""
    if name in _HEAD:
        return [_HEAD[name]]
    if match := _MIDDLE.fullmatch(name):
        place = "middle_block.1" if match[1] == "attentions" else f"middle_block.{2 * int(match[2])}"
        return [_joined(place, _inner(match[1], match[3]))]
    if not (match := _BLOCK.fullmatch(name)):
        return []
    half, block, part, number, inner = match[1], int(match[2]), match[3], int(match[4]), match[5]
    if part == "downsamplers":
        return [f"input_blocks.{(block + 1) * (layers + 1)}.0.op"] if inner == "conv" else []
    if part == "upsamplers":  # placed after the attention, if the block has one
        last = f"output_blocks.{block * (layers + 1) + layers}"
        return [f"{last}.1.conv", f"{last}.2.conv"] if inner == "conv" else []
    first, index = ("input_blocks", 1) if half == "down" else ("output_blocks", 0)
    place = f"{first}.{index + block * (layers + 1) + number}.{int(part == 'attentions')}"
    return [_joined(place, _inner(part, inner))]


def _inner(part: str, inner: str | None) -> str:
    return _RESNET.get(inner or "", inner or "") if part == "resnets" else inner or ""


def _joined(place: str, inner: str) -> str:
    return f"{place}.{inner}" if inner else place
