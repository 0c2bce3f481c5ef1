"""Files with the header of a LoRA or an embedding, and nothing behind it."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

LORA = {
    "lora_unet_mid_block_attn2_to_k.lora_down.weight": [4, 768],
    "lora_unet_mid_block_attn2_to_k.lora_up.weight": [320, 4],
}


def tensors(shapes: dict[str, list[int]], **metadata: str) -> bytes:
    """A safetensors file of zeros in 16 bits."""
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    at = 0
    for name, shape in shapes.items():
        size = 2
        for side in shape:
            size *= side
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    raw = json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + bytes(at)


def whole(shapes: dict[str, list[int]]) -> dict[str, list[int]]:
    """With the other half of each layer that has only the one before the rank."""
    made = dict(shapes)
    for name, shape in shapes.items():
        up = name.replace(".lora_down.", ".lora_up.").replace(".lora_A.", ".lora_B.")
        if up != name:
            made.setdefault(up, [320, shape[0], *(1 for _ in shape[2:])])
    return made


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


ANY = tensors({"lora_unet_x.lora_down.weight": [4, 32], "lora_unet_x.lora_up.weight": [32, 4]})
"""A LoRA of both families."""
