# mypy: disallow-untyped-calls=False
"""The plans of ``memory.placement`` at work on a pipeline of any family: tiles, hooks that move weights, 8 bits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from ...memory.device_info import Precision
from ...memory.placement import RESIDENT as RESIDENT
from ...memory.placement import Plan
from .. import diffusers_private
from ..load import dtypes


def prepare(plan: Plan, pipe: Any, precision: Precision) -> None:
    """Prepare a pipeline once after loading; cannot be undone. Components shared with a prepared pipeline are left
    alone."""
    if plan.quantised:
        dtypes.quantise(pipe, precision)
    dtypes.compute_in(pipe, precision)


def place(plan: Plan, pipe: Any, device: torch.device) -> None:
    """Move a prepared pipeline from the computer's memory to where the plan says."""
    tile(pipe, plan)
    if plan.offload == "no" or device.type != "cuda":
        pipe.to(device)
    elif plan.offload == "model":
        pipe.enable_model_cpu_offload(gpu_id=device.index or 0)
    else:
        pipe.enable_group_offload(**_groups(device))


def place_one(plan: Plan, module: Any, device: torch.device) -> bool:
    """Place one further module beside a pipeline. Returns whether its owner has to move it there and back."""
    if plan.offload == "model" and device.type == "cuda":
        return True
    if plan.offload == "no" or device.type != "cuda":
        module.to(device)
    else:
        module.enable_group_offload(**_groups(device))
    return False


def _groups(device: torch.device) -> dict[str, Any]:
    return {
        "onload_device": device,
        "offload_device": torch.device("cpu"),
        "offload_type": "leaf_level",
        "use_stream": True,
        "low_cpu_mem_usage": True,  # else the streams pin a second copy of all weights
    }


def regroup(module: Any) -> None:
    """Call after changing values in place: with group offloading, the hooks hold copies of them."""
    diffusers_private.reapply_group_offload(module)


def tile(pipe: Any, plan: Plan) -> None:
    """Switch VAE tiling on or off."""
    if not plan.tiled:
        pipe.vae.disable_tiling()
        return
    # Without these two sizes tiling does nothing at 1024x1024.
    pipe.vae.tile_sample_min_size = 512
    pipe.vae.tile_latent_min_size = 64
    pipe.vae.enable_tiling()


def settle(plan: Plan, pipe: Any) -> None:
    """Call after a picture, however it ended: moves offloaded components off the card."""
    if plan.offload != "no":
        pipe.maybe_free_model_hooks()


def unhook(plan: Plan, pipe: Any) -> None:
    """Call before dropping a pipeline: its hooks refer to the weights."""
    if plan.offload == "model":
        pipe.remove_all_hooks()
    elif plan.offload == "groups":
        for module in pipe.components.values():
            diffusers_private.remove_group_offload(module)


def put_away(plan: Plan, pipe: Any) -> None:
    """Move a pipeline to the computer's memory."""
    unhook(plan, pipe)
    for module in _modules([pipe]):
        module.to("cpu")


def weight_bytes(pipes: Iterable[Any], kind: str | None = None) -> int:
    """Bytes of the pipelines' weights; shared ones count once. ``kind``: only weights on such devices."""
    tensors = (tensor for module in _modules(pipes) for tensor in (*module.parameters(), *module.buffers()))
    return sum(tensor.nbytes for tensor in tensors if kind is None or tensor.device.type == kind)


def _modules(pipes: Iterable[Any]) -> list[torch.nn.Module]:
    parts = {id(part): part for pipe in pipes for part in pipe.components.values()}
    return [part for part in parts.values() if isinstance(part, torch.nn.Module)]
