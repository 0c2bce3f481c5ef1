"""Files with the header of a ControlNet, and nothing behind it."""

from __future__ import annotations

import json
import struct
from pathlib import Path

WIDTH = {"sd": 768, "sdxl": 2048}


def header(shapes: dict[str, tuple[int, ...]], *, cut: int = 0) -> bytes:
    """A safetensors file of zeros in 8 bits."""
    entries, at = {}, 0
    for name, shape in shapes.items():
        size = 1
        for side in shape:
            size *= side
        entries[name] = {"dtype": "F8_E4M3", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(entries).encode()
    data = struct.pack("<Q", len(text)) + text + bytes(at)
    return data[: len(data) - cut]


def shapes(family: str = "sd", *, width: int | None = None, layout: str = "diffusers") -> dict[str, tuple[int, ...]]:
    """As much of a ControlNet as tells what it is."""
    sdxl = {"add_embedding.linear_1.weight": (2, 2)} if family == "sdxl" else {}
    if layout == "ldm":
        inner = {"input_hint_block.0.weight": (2, 3, 3, 3), "middle_block_out.0.weight": (2, 2, 1, 1)}
        attention = "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
        return {f"control_model.{name}": shape for name, shape in {**inner, attention: (2, width or 768)}.items()}
    return {
        "conv_in.weight": (2, 4, 3, 3),
        "controlnet_cond_embedding.conv_in.weight": (2, 3, 3, 3),
        "controlnet_mid_block.weight": (2, 2, 1, 1),
        "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight": (2, width or WIDTH[family]),
        **sdxl,
    }


def put(folder: Path, name: str, data: bytes | None = None) -> Path:
    path = folder / "controlnets" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header(shapes()) if data is None else data)
    return path
