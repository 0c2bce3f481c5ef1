"""Imports of what draws: without garbage collection."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def without_collecting() -> Iterator[None]:
    """For imports of torch and diffusers: they make half a million objects that live as long as the process.

    Garbage collection looks through all of them again and again while they come (a third of the time until the first
    picture), and once more each time that a model leaves the card. Here it waits, and never looks at them afterwards.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
