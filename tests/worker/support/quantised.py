"""Writes a small ``.gguf``, as the tools of the field do: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import torch

BLOCK = 32
_F32, _Q8_0 = 0, 8


def q8(tensor: torch.Tensor) -> tuple[bytes, torch.Tensor]:
    """``Q8_0``: of every 32 values a scale in half precision and 32 bytes. Also what becomes of the values."""
    blocks = tensor.float().reshape(-1, BLOCK)
    scales = (blocks.abs().amax(dim=1, keepdim=True) / 127).half()
    whole = torch.where(scales > 0, blocks / scales.float(), 0.0).round().clamp(-127, 127).to(torch.int8)
    raw = torch.cat([scales.view(torch.uint8), whole.view(torch.uint8)], dim=1)
    return raw.numpy().tobytes(), (whole.float() * scales.float()).reshape(tensor.shape)


def write(path: Path, tensors: Mapping[str, torch.Tensor], architecture: str) -> dict[str, torch.Tensor]:
    """What can be is quantised: matrices whose rows are whole blocks. Returns what the file stands for."""
    kept, infos, data = {}, b"", b""
    for name, tensor in tensors.items():
        if tensor.ndim == 2 and tensor.shape[1] % BLOCK == 0:
            kind = _Q8_0
            raw, kept[name] = q8(tensor)
        else:
            kind, raw, kept[name] = _F32, tensor.float().numpy().tobytes(), tensor.float()
        infos += _text(name) + struct.pack("<I", tensor.ndim)
        infos += b"".join(struct.pack("<Q", side) for side in reversed(tensor.shape))
        infos += struct.pack("<IQ", kind, len(data))
        data += raw + bytes(-len(raw) % BLOCK)
    header = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 1)
    header += _text("general.architecture") + struct.pack("<I", 8) + _text(architecture) + infos
    path.write_bytes(header + bytes(-len(header) % BLOCK) + data)
    return kept


def _text(words: str) -> bytes:
    return struct.pack("<Q", len(words)) + words.encode()
