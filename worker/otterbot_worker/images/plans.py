"""How a model lies in memory. The engine begins with the first plan and falls back to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True, kw_only=True)
class Plan:
    """``tiled``: the decoder works in tiles; ``offload``: only the part that computes is on the card."""

    name: str
    tiled: bool
    offload: bool

    def apply(self, pipe: Any, device: torch.device) -> None:
        if self.tiled:
            # Without these two sizes tiling does nothing at 1024x1024.
            pipe.vae.tile_sample_min_size = 512
            pipe.vae.tile_latent_min_size = 64
            pipe.vae.enable_tiling()
        if self.offload and device.type == "cuda":
            pipe.enable_model_cpu_offload(gpu_id=device.index or 0)
        else:
            pipe.to(device)


RESIDENT = Plan(name="all on the device", tiled=False, offload=False)
OFFLOADED = Plan(name="offloading and tiled decoding", tiled=True, offload=True)


def after(plan: Plan) -> Plan | None:
    """What to try when memory did not suffice."""
    return OFFLOADED if plan is RESIDENT else None
