"""Whose numbers are to blame where no picture came out: the model's own weights, or what was computed with them."""

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
    """Looks at the weights where the failure in here is that nothing but not-a-number came out: another seed or sampler
    would help no model that holds such. Looking at every load would cost seconds for what nearly no file has.

    :raises JobFailed: ``model_broken`` in the place of ``nan``
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
            plain = tensor.float() if tensor.element_size() == 1 else tensor  # 8 bits cannot be asked
            if not bool(torch.isfinite(plain).all()):
                return False
    return True
