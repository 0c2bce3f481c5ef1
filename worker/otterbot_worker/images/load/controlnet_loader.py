# mypy: disallow-untyped-calls=False
"""Loads a ControlNet from its files, or says why it cannot.

A folder has a configuration. For a single file it is derived from the tensors' shapes; the rest (heads, norms) is
copied from the U-Net, since a ControlNet is trained from a copy of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from diffusers import ControlNetModel

from ...models import controlnets, part_settings
from .. import diffusers_private
from . import scaled_weights

State = Mapping[str, torch.Tensor]

_OF_THE_UNET = (
    "flip_sin_to_cos", "freq_shift", "only_cross_attention", "downsample_padding", "mid_block_scale_factor", "act_fn",
    "norm_num_groups", "norm_eps", "attention_head_dim", "num_attention_heads", "addition_time_embed_dim",
    "upcast_attention", "resnet_time_scale_shift",
)  # fmt: skip
_SAME = ("in_channels", "block_out_channels", "layers_per_block", "cross_attention_dim")
"""Settings that must equal the U-Net's for the outputs to fit its blocks."""
_HINT_STAGES = 4
"""Stages of the hint encoder. Each but the first halves the picture, down to the size of the latents (1/8)."""


class Unfit(Exception):
    """The message ends the sentence "It cannot be used: …"."""


def load(path: Path, unet: Any, dtype: torch.dtype) -> Any:
    """Load a ControlNet on the processor in ``dtype``. ``path``: a file or a folder; ``unet``: the one it is for.

    :raises Unfit: it was made for another model, or is broken. Errors of the libraries come as they are.
    """
    weights = controlnets.weights_in(path)
    if weights is None:
        raise Unfit("its file is not there")
    tensors = safetensors.torch.load_file(weights)
    scaled_weights.multiply(tensors, dtype)
    state: State = tensors
    if controlnets.layout_of({name: tuple(tensor.shape) for name, tensor in state.items()}) == "ldm":
        state = _converted(state)
    config = controlnets.read_config(path) if path.is_dir() else _config(state, unet.config)
    if not part_settings.sensible(config):
        raise Unfit("nothing can be built by its settings")
    # Built on ``meta`` without values, which takes no time; all values come from the file.
    with torch.device("meta"):
        net: Any = ControlNetModel.from_config(config)
    for name in _SAME:
        if _plain(net.config[name]) != _plain(unet.config[name]):
            raise Unfit("it was made for another kind of model")
    if len(net.config.conditioning_embedding_out_channels) != _HINT_STAGES or net.config.conditioning_channels != 3:
        raise Unfit("it does not take pictures as they are")
    if {name: value.shape for name, value in net.state_dict().items()} != {n: t.shape for n, t in state.items()}:
        raise Unfit("its file does not hold the net that it describes")
    if not all(bool(torch.isfinite(tensor.to(dtype)).all()) for tensor in state.values()):  # no isfinite for 8 bits
        raise Unfit("it holds numbers that are not finite")
    net.load_state_dict({name: tensor.to(dtype) for name, tensor in state.items()}, assign=True)
    return net.eval().requires_grad_(False)


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else value


def _converted(state: State) -> State:
    """Rename from the original repositories' names to diffusers'."""
    inner = {name.removeprefix("control_model."): tensor for name, tensor in state.items()}
    # The first block starts after the input convolution: its layers, then its downsampling.
    first = min(int(name.split(".")[1]) for name in inner if name.endswith(".0.op.weight"))
    converted = diffusers_private.convert_controlnet(inner, first - 1)
    if "label_emb.0.0.weight" in inner:  # SDXL's embedding, which diffusers' converter ignores
        for layer, place in ((1, 0), (2, 2)):
            for part in ("weight", "bias"):
                converted[f"add_embedding.linear_{layer}.{part}"] = inner[f"label_emb.0.{place}.{part}"]
    return converted


def _config(state: State, unet: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a net with these tensors. :raises KeyError: :raises IndexError: parts are missing"""
    blocks = range(_count(state, "down_blocks."))
    attending = [_count(state, f"down_blocks.{block}.attentions.") > 0 for block in blocks]
    depths = [max(1, _count(state, f"down_blocks.{block}.attentions.0.transformer_blocks.")) for block in blocks]
    middle = _count(state, "mid_block.attentions.0.transformer_blocks.")
    if not attending[-1] and middle:
        depths[-1] = middle  # the middle block has the last block's depth
    widths = {t.shape[1] for name, t in state.items() if name.endswith("attn2.to_k.weight")}
    embedded = state.get("add_embedding.linear_1.weight")
    hints = range(1, _count(state, "controlnet_cond_embedding.blocks."), 2)
    hint = state["controlnet_cond_embedding.conv_in.weight"]
    projections = [tensor for name, tensor in state.items() if name.endswith("attentions.0.proj_in.weight")]
    return {
        **{name: unet[name] for name in _OF_THE_UNET if name in unet},
        "in_channels": state["conv_in.weight"].shape[1],
        "conditioning_channels": hint.shape[1],
        "conditioning_embedding_out_channels": (
            hint.shape[0],
            *(state[f"controlnet_cond_embedding.blocks.{number}.weight"].shape[0] for number in hints),
        ),
        "block_out_channels": tuple(state[f"down_blocks.{n}.resnets.0.conv1.weight"].shape[0] for n in blocks),
        "layers_per_block": _count(state, "down_blocks.0.resnets."),
        "down_block_types": tuple("CrossAttnDownBlock2D" if one else "DownBlock2D" for one in attending),
        "mid_block_type": "UNetMidBlock2DCrossAttn" if middle else "UNetMidBlock2D",
        "transformer_layers_per_block": tuple(depths),
        "cross_attention_dim": widths.pop() if len(widths) == 1 else unet["cross_attention_dim"],
        "use_linear_projection": bool(projections) and projections[0].ndim == 2,
        "addition_embed_type": None if embedded is None else "text_time",
        "projection_class_embeddings_input_dim": None if embedded is None else embedded.shape[1],
    }


def _count(state: State, prefix: str) -> int:
    """How many different next name parts follow the prefix."""
    return len({name[len(prefix) :].split(".")[0] for name in state if name.startswith(prefix)})
