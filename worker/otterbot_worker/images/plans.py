# mypy: disallow-untyped-calls=False
"""The plans of ``gpu.planning`` at work on a pipeline, of whatever family: tiles, hooks that move weights, 8 bits."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from ..gpu.facts import Precision
from ..gpu.planning import RESIDENT as RESIDENT
from ..gpu.planning import Plan
from . import casting

_GROUP_HOOKS = ("group_offloading", "layer_execution_tracker", "lazy_prefetch_group_offloading")


def apply(plan: Plan, pipe: Any, device: torch.device, precision: Precision) -> None:
    """Lay a pipeline that is in the computer's memory, as loaded, where the plan says."""
    if plan.quantised:
        casting.quantise(pipe, precision)
    casting.compute_in(pipe, precision)
    tile(pipe, plan)
    if plan.offload == "no" or device.type != "cuda":
        pipe.to(device)
    elif plan.offload == "model":
        pipe.enable_model_cpu_offload(gpu_id=device.index or 0)
    else:
        pipe.enable_group_offload(**_groups(device))


def join(plan: Plan, pipe: Any, module: Any, device: torch.device, precision: Precision) -> None:
    """Lay one more module beside a pipeline whose other parts lie there already: ``pipe`` has it and shares those.
    Where whole components are moved, its owner moves it."""
    if plan.quantised:
        casting.quantise(pipe, precision)
    casting.compute_in(pipe, precision)
    if plan.offload == "no" or device.type != "cuda":
        module.to(device)
    elif plan.offload == "groups":
        module.enable_group_offload(**_groups(device))


def _groups(device: torch.device) -> dict[str, Any]:
    return {
        "onload_device": device,
        "offload_device": torch.device("cpu"),
        "offload_type": "leaf_level",
        "use_stream": True,
        "low_cpu_mem_usage": True,  # else the streams pin a second copy of everything
    }


def tile(pipe: Any, plan: Plan) -> None:
    """The decoder in tiles, or whole again."""
    if not plan.tiled:
        pipe.vae.disable_tiling()
        return
    # Without these two sizes tiling does nothing at 1024x1024.
    pipe.vae.tile_sample_min_size = 512
    pipe.vae.tile_latent_min_size = 64
    pipe.vae.enable_tiling()


def settle(plan: Plan, pipe: Any) -> None:
    """After a picture, however it ended: what was on the card for it leaves."""
    if plan.offload != "no":
        pipe.maybe_free_model_hooks()


def unhook(plan: Plan, pipe: Any) -> None:
    """Before a pipeline is let go: hooks hold on to the weights that they move."""
    if plan.offload == "model":
        pipe.remove_all_hooks()
    elif plan.offload == "groups":
        for module in pipe.components.values():
            registry = getattr(module, "_diffusers_hook", None)
            if registry is None:
                continue
            for hook in _GROUP_HOOKS:
                registry.remove_hook(hook, recurse=True)


def weight_bytes(pipes: Iterable[Any]) -> int:
    """What the weights of pipelines take, wherever they are; what they share counts once."""
    parts = {id(part): part for pipe in pipes for part in pipe.components.values()}
    modules = (part for part in parts.values() if isinstance(part, torch.nn.Module))
    return sum(tensor.nbytes for module in modules for tensor in (*module.parameters(), *module.buffers()))
