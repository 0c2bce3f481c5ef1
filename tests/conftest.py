"""What holds for every part: the interpreter's garbage collection does not look at what stays until the end."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collected tests, and the libraries that they import, are half a million objects that live as long as the process.
    Each full collection would look through all of them, and the engine asks for one whenever a model leaves memory:
    half the time of its tests went into that."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
