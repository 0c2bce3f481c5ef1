"""A card that is not there, shared by an Ollama double and a GPU process that is a double as well.

What is free follows from what both of them, and other programs, have on it at that moment; the driver's readings and
those of the GPU process (`card_file`) come from one account.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from doubles.ollama import OllamaDouble
from otterbot_worker.gpu import driver
from otterbot_worker.gpu.driver import Seen

GB = 10**9


class SharedCard:
    """``image``: what the GPU process has, weights and all. Bytes."""

    def __init__(self, double: OllamaDouble, *, total: int = 8 * GB, image: Callable[[], int] = lambda: 0) -> None:
        self.double, self.total, self.image = double, total, image
        self.others = 0
        self.cards = 1
        self.readable = True
        self.looks = 0

    def free(self) -> int:
        used = sum(row["size_vram"] for row in self.double.memory.rows())
        return self.total - self.others - used - self.image()

    def look(self, device: str) -> Seen | None:
        self.looks += 1
        return Seen(name="double", total=self.total, free=self.free()) if self.readable else None

    def put_in(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(driver, "look", self.look)
        patch.setattr(driver, "cards", lambda: self.cards)
        patch.setattr(driver, "free_memory", self.free)
