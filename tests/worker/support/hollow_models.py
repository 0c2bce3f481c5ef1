"""Files with the header of a model, and nothing behind it."""

from __future__ import annotations

import json
import math
import os
import struct
from pathlib import Path

OWN_CATALOGUE = """
models:
  mine:
    file: Named.safetensors
    family: sd
    about: a test
    defaults: {steps: 4, guidance_scale: 5.0, width: 512, height: 512, sampler: UniPC}
"""

Shapes = dict[str, tuple[int, ...]]

UNET = "model.diffusion_model."
CLIP = {"cond_stage_model.transformer.text_model.embeddings.position_embedding.weight": (77, 768)}
OPEN_CLIP = {"cond_stage_model.model.positional_embedding": (77, 1024)}
BOTH = {
    "conditioner.embedders.0.transformer.text_model.embeddings.position_embedding.weight": (77, 768),
    "conditioner.embedders.1.model.positional_embedding": (77, 1280),
}
VAE = {"first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3)}
DEEP = {f"{UNET}middle_block.1.transformer_blocks.9.attn2.to_k.weight": (1280, 2048)}


def unet(width: int, channels: int = 4) -> Shapes:
    return {
        f"{UNET}input_blocks.0.0.weight": (320, channels, 3, 3),
        f"{UNET}input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": (640, width),
    }


def write(path: Path, shapes: Shapes, metadata: dict[str, str] | None = None) -> Path:
    """As large as it says, and with nothing in it: the file has holes."""
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name, shape in shapes.items():
        size = 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    raw = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw)
    os.truncate(path, 8 + len(raw) + end)
    return path


SD1, SD2, SDXL = {**unet(768), **VAE, **CLIP}, {**unet(1024), **VAE, **OPEN_CLIP}, {**unet(2048), **DEEP, **VAE, **BOTH}
