"""Weights in 8 bits with scales, as people's files have them; and what they mean."""

from __future__ import annotations

import json

import torch

Weights = dict[str, torch.Tensor]
FORMS = ("scale_weight", "weight_scale", "rows")
_LARGEST = 448.0


def scaled(weights: Weights, form: str) -> tuple[Weights, Weights]:
    """Every matrix in 8 bits beside its scale, with what else such files hold; and the same as plain numbers."""
    made: Weights = {"scaled_fp8": torch.zeros(2, dtype=torch.float8_e4m3fn)} if form == "scale_weight" else {}
    meant: Weights = {}
    for name, tensor in weights.items():
        made[name] = meant[name] = tensor.contiguous()
        if not name.endswith(".weight") or tensor.ndim != 2:
            continue
        stem = name.removesuffix(".weight")
        most = tensor.abs().amax(dim=1, keepdim=True) if form == "rows" else tensor.abs().max()
        scale = most.clamp(min=1e-9).float() / _LARGEST * 1.5
        made[name] = (tensor / scale).clamp(-_LARGEST, _LARGEST).to(torch.float8_e4m3fn).contiguous()
        meant[name] = (made[name].float() * scale).to(tensor.dtype)
        made[f"{stem}.{'scale_weight' if form == 'scale_weight' else 'weight_scale'}"] = scale
        made[f"{stem}.{'scale_input' if form == 'scale_weight' else 'input_scale'}"] = torch.ones(())
        if form == "rows":
            about = json.dumps({"format": "float8_e4m3fn"}).encode()
            made[f"{stem}.comfy_quant"] = torch.tensor(list(about), dtype=torch.uint8)
    return made, meant
