"""ControlNets with random numbers for the small pipelines, in the layouts that people's files have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from diffusers import ControlNetModel


def make(unet: Any, *, seed: int = 0, size: float = 0.05) -> Any:
    """A copy of the U-Net's first half whose outputs are not zero, as those of an untrained one are."""
    torch.manual_seed(seed)
    net: Any = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=(4, 4, 8, 8))
    numbers = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.startswith(("controlnet_down_blocks", "controlnet_mid_block")):
                parameter.copy_(torch.randn(parameter.shape, generator=numbers) * size)
            elif name.startswith("controlnet_cond_embedding"):  # so that the picture tells, behind all its layers
                inputs = parameter[0].numel() if parameter.ndim > 1 else 1
                parameter.copy_(torch.randn(parameter.shape, generator=numbers) * 2 / inputs**0.5)
    return net.eval()


def save_file(net: Any, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file({name: tensor.contiguous() for name, tensor in net.state_dict().items()}, path)
    return path


def save_folder(net: Any, folder: Path) -> Path:
    net.save_pretrained(folder, safe_serialization=True)
    return folder


def original_names(net: Any) -> dict[str, torch.Tensor]:
    """The tensors under the names of the repository that ControlNets come from.
    (https://github.com/lllyasviel/ControlNet, ``cldm/cldm.py``.)"""
    layers = net.config.layers_per_block
    rules: list[tuple[str, Any]] = [
        (r"time_embedding\.linear_(\d)\.", lambda m: f"time_embed.{2 * int(m[1]) - 2}."),
        (r"add_embedding\.linear_(\d)\.", lambda m: f"label_emb.0.{2 * int(m[1]) - 2}."),
        (r"conv_in\.", "input_blocks.0.0."),
        (r"controlnet_cond_embedding\.conv_in\.", "input_hint_block.0."),
        (r"controlnet_cond_embedding\.conv_out\.", "input_hint_block.14."),
        (r"controlnet_cond_embedding\.blocks\.(\d+)\.", lambda m: f"input_hint_block.{2 * int(m[1]) + 2}."),
        (r"controlnet_down_blocks\.(\d+)\.", r"zero_convs.\1.0."),
        (r"controlnet_mid_block\.", "middle_block_out.0."),
        (r"mid_block\.resnets\.(\d)\.", lambda m: f"middle_block.{2 * int(m[1])}."),
        (r"mid_block\.attentions\.0\.", "middle_block.1."),
        (r"down_blocks\.(\d)\.resnets\.(\d)\.", lambda m: f"input_blocks.{_at(m, layers)}.0."),
        (r"down_blocks\.(\d)\.attentions\.(\d)\.", lambda m: f"input_blocks.{_at(m, layers)}.1."),
        (r"down_blocks\.(\d)\.downsamplers\.(0)\.conv\.", lambda m: f"input_blocks.{_at(m, layers) + layers}.0.op."),
    ]
    inner = {
        "norm1.": "in_layers.0.", "conv1.": "in_layers.2.", "norm2.": "out_layers.0.", "conv2.": "out_layers.3.",
        "time_emb_proj.": "emb_layers.1.", "conv_shortcut.": "skip_connection.",
    }  # fmt: skip
    renamed = {}
    for name, tensor in net.state_dict().items():
        new = name
        for pattern, replacement in rules:
            new, done = re.subn(f"^{pattern}", replacement, new)
            if done:
                break
        if ".resnets." in name:
            for old, other in inner.items():
                new = new.replace(f".{old}", f".{other}")
        renamed[f"control_model.{new}"] = tensor.contiguous()
    return renamed


def _at(match: re.Match[str], layers: int) -> int:
    return 1 + int(match[1]) * (layers + 1) + int(match[2])
