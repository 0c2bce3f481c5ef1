"""Cache of the last prompts' embeddings, so that a reroll skips the text encoders."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Any

import torch

ENTRIES_MAX = 8
"""Cached pairs of prompts. A usual pair takes 1.3 MB for SDXL in fp16, the longest possible about 40 MB."""


class Embeddings:
    """An LRU cache: embeddings as keyword arguments of a pipeline, by all that they depend on.

    Kept in the computer's memory: copying to the card changes no bit and takes no noticeable time. Each use gets a
    copy, because pipelines write into their arguments.
    """

    def __init__(self, most: int = ENTRIES_MAX) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, dict[str, Any]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable, device: torch.device) -> dict[str, Any] | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        self._kept.move_to_end(key)
        return {name: _copied(value, device) for name, value in kept.items()}

    def put(self, key: Hashable, embeddings: Mapping[str, Any]) -> None:
        # Clone: the embeddings are views, and a view keeps the whole batch alive.
        self._kept[key] = {name: _copied(value, torch.device("cpu")) for name, value in embeddings.items()}
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        self._kept.clear()


def _copied(value: Any, device: torch.device) -> Any:
    """A copy of a tensor, or of a list of tensors."""
    if isinstance(value, list):
        return [_copied(one, device) for one in value]
    return value.detach().to(device, copy=True)
