# mypy: disallow-untyped-calls=False
"""The models of the field in full size without their weights, from their published configurations.

``PYTHONPATH=worker python benchmarks/full_size.py`` prints ``worker/otterbot_worker/models/sizes.json``: how many
numbers each component of a model holds, how many of them the largest layer, how many are kept in what is computed with
where the others are not (``spared``), and how many are not kept in 8 bits where most are (``sensitive``). The worker's
own ``images.casting`` decides that. Nothing is allocated for it: on torch's device ``meta`` a tensor is a shape.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"

import diffusers
import torch
import transformers

from otterbot_worker.images.load import dtypes
from otterbot_worker.memory.device_info import Precision

diffusers.utils.logging.set_verbosity_error()  # of numbers that are changed, which here is all that is wanted

CONFIGS = Path(__file__).with_name("model_configs.json")


def kinds() -> dict[str, dict[str, Any]]:
    """Kind of model → component → ``{class, config}``."""
    loaded: dict[str, dict[str, Any]] = json.loads(CONFIGS.read_text())
    return loaded


def build(component: dict[str, Any]) -> torch.nn.Module:
    """One component on torch's default device, with whatever numbers it begins with."""
    name, config = component["class"], component["config"]
    if hasattr(diffusers, name):
        made: torch.nn.Module = getattr(diffusers, name).from_config(dict(config))
    else:
        kind = getattr(transformers, name)
        made = kind(kind.config_class(**config))
    return made.eval()


def count(module: torch.nn.Module) -> dict[str, int]:
    """Of what a file of weights would hold: parameters, and the buffers that are stored. The module is cast."""
    names = module.state_dict().keys()
    module.to(torch.bfloat16)
    dtypes.cast(module, Precision(storage="bfloat16", compute="float32"), eight_bits=True)
    stored = [*module.parameters(), *(buffer for name, buffer in module.named_buffers() if name in names)]
    return {
        "values": sum(map(torch.numel, stored)),
        "largest": max(map(torch.numel, stored)),
        "spared": sum(one.numel() for one in stored if one.dtype == torch.float32),
        "sensitive": sum(one.numel() for one in stored if one.dtype != dtypes.EIGHT_BITS),
    }


def table() -> str:
    with torch.device("meta"):
        counted = {kind: {name: count(build(part)) for name, part in parts.items()} for kind, parts in kinds().items()}
    lines = [
        f' "{kind}": {{\n'
        + ",\n".join(f'  "{name}": {json.dumps(numbers)}' for name, numbers in parts.items())
        + "\n }"
        for kind, parts in counted.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}"


if __name__ == "__main__":
    print(table())
