"""LoRAs and embeddings with random numbers for the small pipelines, in the layouts that people's files have."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

UNET = r"(attn[12]\.to_[qkv]|attn[12]\.to_out\.0|ff\.net\.2|proj_in|conv1)$"
TEXT = r"(q_proj|out_proj|fc1)$"
RANK = 4

Pairs = dict[tuple[str, str], tuple[torch.Tensor, torch.Tensor]]


def pairs(pipe: Any, *, seed: int = 0, size: float = 0.3, text: bool = True, unet: str = UNET) -> Pairs:
    """Down and up by component and module."""
    numbers = torch.Generator().manual_seed(seed)
    made: Pairs = {}
    patterns = {"unet": unet, **({"text_encoder": TEXT, "text_encoder_2": TEXT} if text else {})}
    for component, pattern in patterns.items():
        model = getattr(pipe, component, None)
        for name, module in model.named_modules() if model is not None else ():
            if not re.search(pattern, name):
                continue
            shape = module.weight.shape
            down = torch.randn(RANK, *shape[1:], generator=numbers) / shape[1] ** 0.5
            up = torch.randn(shape[0], RANK, *(1 for _ in shape[2:]), generator=numbers) * size
            made[component, name] = down, up
    return made


def peft(made: Pairs) -> dict[str, torch.Tensor]:
    """diffusers' layout of today."""
    state = {}
    for (component, name), (down, up) in made.items():
        state[f"{component}.{name}.lora_A.weight"] = down
        state[f"{component}.{name}.lora_B.weight"] = up
    return state


def kohya(made: Pairs, *, xl: bool, alpha: float = 1.0, blocks: int | None = None) -> dict[str, torch.Tensor]:
    """kohya's layout, for SDXL with the names of the original U-Net (``blocks``: its layers per block)."""
    state: dict[str, torch.Tensor] = {}
    prefixes = {"unet": "lora_unet", "text_encoder": "lora_te1" if xl else "lora_te", "text_encoder_2": "lora_te2"}
    for (component, name), (down, up) in made.items():
        if component != "unet" and not name.startswith(("text_model.", "text_projection")):
            name = f"text_model.{name}"
        name = original(name, blocks) if component == "unet" and blocks is not None else name
        key = f"{prefixes[component]}_{name.replace('.', '_')}"
        state[f"{key}.lora_down.weight"], state[f"{key}.lora_up.weight"] = down, up
        state[f"{key}.alpha"] = torch.tensor(alpha)
    return state


def original(name: str, blocks: int) -> str:
    """An attention's name in the U-Net as it was published."""
    match = re.fullmatch(r"(down|up)_blocks\.(\d+)\.attentions\.(\d+)\.(.+)", name)
    if match is None:
        return re.sub(r"^mid_block\.attentions\.0", "middle_block.1", name)
    block, layer = int(match[2]), int(match[3])
    number = 1 + block * (blocks + 1) + layer if match[1] == "down" else block * (blocks + 1) + layer
    return f"{'input' if match[1] == 'down' else 'output'}_blocks.{number}.1.{match[4]}"


def write(path: Path, state: Mapping[str, torch.Tensor], **metadata: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    notes = {key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}
    safetensors.torch.save_file({key: tensor.contiguous() for key, tensor in state.items()}, path, notes or None)
    return path


def wanted(path: Path, weight: float = 1.0) -> dict[str, Any]:
    """As it stands in a task."""
    return {"name": path.stem, "path": str(path), "weight": weight, "hash": digest(path)}


def embedding(path: Path, token: str | None = None) -> dict[str, Any]:
    return {"token": token or path.stem, "name": path.stem, "path": str(path), "hash": digest(path)}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def base_bytes(pipe: Any) -> dict[str, str]:
    """A hash of everything that a pipeline holds: parameters, buffers, tokenizers."""
    found = {}
    for component in ("unet", "vae", "text_encoder", "text_encoder_2"):
        model = getattr(pipe, component, None)
        for name, tensor in model.state_dict().items() if model is not None else ():
            found[f"{component}.{name}"] = hashlib.sha256(tensor.numpy().tobytes()).hexdigest()
        for name, module in model.named_modules() if model is not None else ():
            found[f"{component}.{name}()"] = f"{type(module).__name__} {len(module._forward_hooks)}"
    for name in ("tokenizer", "tokenizer_2"):
        if getattr(pipe, name, None) is not None:
            found[name] = repr(sorted(getattr(pipe, name).get_vocab().items()))
    return found
