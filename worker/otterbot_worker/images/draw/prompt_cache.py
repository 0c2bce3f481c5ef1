"""What the text encoders made of the last prompts, so that a reroll skips them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Any

import torch

ENTRIES_MAX = 8
"""Pairs of prompts. One of ordinary length takes 1.3 MB for SDXL in fp16, the longest possible some 40."""


class Embeddings:
    """Keyword arguments of a pipeline by what they were made from; the least recently used ones go first.

    Kept in the memory of the computer, not of the card: copying there and back changes no bit and takes no time that
    anybody would notice. What is handed out is a copy, for pipelines that write into their arguments.
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
        # A slice of a batch would keep all of it alive, and is what the pipeline is given.
        self._kept[key] = {name: _copied(value, torch.device("cpu")) for name, value in embeddings.items()}
        self._kept.move_to_end(key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        self._kept.clear()


def _copied(value: Any, device: torch.device) -> Any:
    """A tensor, or the list of them that some pipelines take."""
    if isinstance(value, list):
        return [_copied(one, device) for one in value]
    return value.detach().to(device, copy=True)
