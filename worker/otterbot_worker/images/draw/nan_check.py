"""The cause of a picture of NaN: the model's weights, or the computation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ...errors import JobFailed
from ..load.loaded import Loaded
from ..load.single_file_loader import WORDS


@contextmanager
def blamed(loaded: Loaded) -> Iterator[None]:
    """Context that checks the weights when a picture fails as ``nan``: a model with NaN weights fails with every seed
    and sampler. A check at every load would cost seconds for a rare fault.

    :raises JobFailed: ``model_broken`` instead of ``nan``
    """
    try:
        yield
    except JobFailed as error:
        part = _broken_part(loaded) if error.code == "nan" else None
        if part is None:
            raise
        sentence = f"The model {loaded.entry.name} is broken: weights of its {part} are no finite numbers (NaN)."
        raise JobFailed("model_broken", sentence, {"model": loaded.entry.name}) from None


def _broken_part(loaded: Loaded) -> str | None:
    for pipe in loaded.pipes:
        refiner = "" if pipe is loaded.pipe else "refiner's "
        for name, words in WORDS.items():
            if isinstance(module := getattr(pipe, name, None), torch.nn.Module) and not _finite(module):
                return refiner + words
    return None


def _finite(module: Any) -> bool:
    for tensor in module.parameters():
        if tensor.is_floating_point() and not tensor.is_meta:
            plain = tensor.float() if tensor.element_size() == 1 else tensor  # isnan knows no 8-bit types
            if not bool(torch.isfinite(plain).all()):
                return False
    return True
