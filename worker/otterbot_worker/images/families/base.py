"""What a family of models is to the engine. One module per family; the registry is in ``__init__``.

What it can and cannot do stands in ``models.families``, where the API reads it without torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch

from ...models.families import Abilities
from ..embeddings import TOKENS_MAX, Prompt


class Encode(Protocol):
    def __call__(
        self, parts: Any, device: torch.device, prompt: Prompt, negative: Prompt, /, *, guided: bool
    ) -> dict[str, Any]:
        """Keyword arguments of the family's pipelines. ``parts``: what has the tokenizers and text encoders.
        ``guided``: whether the negative prompt acts."""


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A linear map from latents to colours, for small previews: ``latents @ factors + bias``, each -1 to 1."""

    factors: tuple[tuple[float, float, float], ...]
    """For each of the latents' channels, what it adds to red, green and blue."""
    bias: tuple[float, float, float] = (0.0, 0.0, 0.0)


def clip_reads(parts: Any) -> tuple[Any, int]:
    """The tokenizer that counts a prompt's tokens, and how many are read: in chunks, as many as we allow."""
    return parts.tokenizer, TOKENS_MAX


@dataclass(frozen=True, kw_only=True)
class Family:
    abilities: Abilities
    pipeline: Any
    """The diffusers class; its name must stand in the model's index, other classes load silently."""
    from_picture: Any = None
    """The class that starts from a picture; takes the components of the former. ``None``: the family cannot."""
    transformer: Any = None
    """The class that reads single files of weights (``ModelEntry.transformer``)."""
    encode: Encode
    reads: Callable[[Any], tuple[Any, int]] = clip_reads
    load_arguments: Mapping[str, Any] = field(default_factory=dict)
    preview: Preview | None = None
    """``None``: no map is known."""

    @property
    def modules(self) -> tuple[str, ...]:
        """Components with weights."""
        return self.abilities.modules
