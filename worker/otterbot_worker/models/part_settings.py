"""Checks the settings of a model's parts before anything is built by them. Free of torch.

A number in a ``config.json`` says how many layers a part has, or for how many steps noise is made. Building a part
takes memory and time by these numbers before any weight is read: a billion layers take all memory and kill the picture
in work. Other wrong numbers fail only while a picture is drawn, with an error that does not name the model's files.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import plain_files

NUMBER_MAX = 2**31
SIZE_MAX = 2**24
"""Bound of any number. The largest honest one is a vocabulary, some hundred thousand."""
COUNT_MAX = 512
"""Bound of layers, blocks and heads, and of lists of them; the deepest models have a hundred."""
TIMESTEPS_MAX = 10_000
"""Bound of training timesteps, and of lists with a value for each. Nearly all models have a thousand."""
NESTED_MAX = 16
SCHEDULER = "scheduler/scheduler_config.json"

_COUNTS = ("layers", "blocks", "heads", "depth")
_SIZES = ("size", "channels", "dim", "embeddings")
_AT_LEAST_ONE = frozenset({"num_hidden_layers", "num_attention_heads", "layers_per_block", "norm_num_groups"})
_SMALL = re.compile(r"(?:\A|_)eps(?:ilon)?\Z")
"""Names of epsilons of norms, the only tiny numbers."""
_FACTORS = {
    "scaling_factor": (1e-4, 1e4),
    "shift_factor": (-1e4, 1e4),
    "shift": (1e-4, 1e4),
    "base_shift": (-100, 100),
    "max_shift": (-100, 100),
    "shift_terminal": (1e-6, 1),
}
"""Bounds of settings of a VAE, and of a flow-matching scheduler. ``None`` means the default."""
_WORDS = {
    "prediction_type": frozenset({"epsilon", "v_prediction", "sample", "flow_prediction"}),
    "timestep_spacing": frozenset({"leading", "linspace", "trailing"}),
}
"""Allowed values of a scheduler's settings."""


def unbuildable(folder: Path, *names: str) -> str | None:
    """The first of these settings files in the folder that cannot be used. Missing files are ignored here.

    :raises CannotLook:
    """
    for name in names:
        path = folder / name
        try:
            found = plain_files.read_json(path)
        except plain_files.ABSENT:
            continue
        except (plain_files.NotPlain, ValueError):
            return name
        except OSError as error:
            raise plain_files.cannot_look(path, error) from None
        if not isinstance(found, dict) or not sensible(found, TIMESTEPS_MAX if name == SCHEDULER else COUNT_MAX):
            return name
        if not (_schedules(found) if name == SCHEDULER else _ends_texts(found)):
            return name
    return None


def sensible(value: Any, longest: int = COUNT_MAX, *, key: str = "", level: int = 0) -> bool:
    """Whether all numbers are within bounds. ``longest``: maximum length of lists."""
    if isinstance(value, dict | list):
        if level >= NESTED_MAX:
            return False
        if isinstance(value, dict):
            return all(sensible(one, longest, key=name, level=level + 1) for name, one in value.items())
        return len(value) <= longest and all(sensible(one, longest, key=key, level=level + 1) for one in value)
    if _SMALL.search(key) is not None:
        return _between(value, 0, 1)
    if key in _FACTORS and value is not None:
        return _between(value, *_FACTORS[key])
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return True
    if key.endswith("timesteps"):
        return abs(value) <= TIMESTEPS_MAX
    if key in _AT_LEAST_ONE or any(word in key for word in _COUNTS):
        return int(key in _AT_LEAST_ONE) <= value <= COUNT_MAX
    return abs(value) <= (SIZE_MAX if any(word in key for word in _SIZES) else NUMBER_MAX)


def _schedules(settings: Mapping[str, Any]) -> bool:
    """Whether a working scheduler can be made from the settings."""
    for name, known in _WORDS.items():
        if name in settings and not (isinstance(settings[name], str) and settings[name] in known):
            return False
    if isinstance(settings.get("trained_betas"), list):
        return True
    start, end = settings.get("beta_start", 0.0001), settings.get("beta_end", 0.02)
    return _between(start, 0, 1) and _between(end, 0, 1) and 0 < start <= end


def _ends_texts(settings: Mapping[str, Any]) -> bool:
    """Whether CLIP finds the end-of-text token by these settings: it pools the embedding at that place."""
    if not str(settings.get("model_type", "")).startswith("clip") or "eos_token_id" not in settings:
        return True
    return type(settings["eos_token_id"]) is int


def _between(value: Any, low: float, high: float) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and low <= value < high
