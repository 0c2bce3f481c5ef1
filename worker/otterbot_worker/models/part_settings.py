"""Whether the settings of a model's parts can be built by. Free of torch.

A number in a ``config.json`` says how many layers a part has, or for how many steps noise is made. Whoever builds it
takes memory and time as that number says, long before any weight is read: a billion of them take all that the machine
has, and what is drawn meanwhile goes with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import plain_files

NUMBER_MAX = 2**31
SIZE_MAX = 2**24
"""The largest honest one is a tokenizer's number of words, some hundred thousand."""
COUNT_MAX = 512
"""Of layers, blocks and heads, and of what a list says of them; the deepest models have a hundred."""
TIMESTEPS_MAX = 10_000
"""Of the noise, also where a schedule lists what it does at each. Nearly all models have a thousand."""
NESTED_MAX = 16
SCHEDULER = "scheduler/scheduler_config.json"

_COUNTS = ("layers", "blocks", "heads", "depth")
_SIZES = ("size", "channels", "dim", "embeddings")


def unbuildable(folder: Path, *names: str) -> str | None:
    """The first of these files of settings in the folder by which nothing can be built. What is not there is not looked
    at here.

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
        if not sensible(found, TIMESTEPS_MAX if name == SCHEDULER else COUNT_MAX):
            return name
    return None


def sensible(value: Any, longest: int = COUNT_MAX, *, key: str = "", level: int = 0) -> bool:
    """Whether all numbers are such that something can be built by them. ``longest``: how long a list may be."""
    if isinstance(value, dict | list):
        if level >= NESTED_MAX:
            return False
        if isinstance(value, dict):
            return all(sensible(one, longest, key=name, level=level + 1) for name, one in value.items())
        return len(value) <= longest and all(sensible(one, longest, key=key, level=level + 1) for one in value)
    if isinstance(value, bool) or not isinstance(value, int):
        return True
    if key.endswith("timesteps"):
        return abs(value) <= TIMESTEPS_MAX
    if any(word in key for word in _COUNTS):
        return abs(value) <= COUNT_MAX
    return abs(value) <= (SIZE_MAX if any(word in key for word in _SIZES) else NUMBER_MAX)
