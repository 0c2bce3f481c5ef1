"""What a family of models is to the engine. One module per family; the registry is in ``__init__``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from ..embeddings import Prompt


@dataclass(frozen=True, kw_only=True)
class Family:
    pipeline: Any
    """The diffusers class; its name must stand in the model's index, other classes load silently."""
    from_picture: Any
    """The class that starts from a picture; takes the components of the former."""
    encode: Callable[[Any, torch.device, Prompt, Prompt], dict[str, Any]]
    load_arguments: dict[str, Any]
    modules: tuple[str, ...]
    """Components with weights."""
