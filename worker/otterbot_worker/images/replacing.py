# mypy: disallow-untyped-calls=False
"""A transformer from a single file in the place of a model's own, quantised or not, built as that one is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import torch

from ..errors import JobFailed
from ..families import Family
from ..models import sniffing
from ..models.entries import ModelEntry


def load(entry: ModelEntry, family: Family, folder: Path, dtype: torch.dtype) -> Any:
    """``folder``: the model's, with the settings of its transformer.

    :raises JobFailed: ``model_missing``, ``model_broken``
    Whatever else does not fit comes as the library raises it.
    """
    assert entry.transformer is not None
    path = entry.transformer.here()
    if path is None:
        raise JobFailed("model_missing", f"The model {entry.name} is not complete: its transformer is missing.")
    if (problem := sniffing.transformer_problem(path)) is not None:
        raise _broken(entry, f"the file {path.name} {problem}")
    arguments: dict[str, Any] = {}
    if path.suffix.lower() == ".gguf":
        arguments["quantization_config"] = diffusers.GGUFQuantizationConfig(compute_dtype=dtype)
    assert family.transformer is not None, "models.entry_file refuses it"
    transformer = getattr(diffusers, family.transformer).from_single_file(
        str(path), config=str(folder), subfolder="transformer", dtype=dtype, local_files_only=True, **arguments
    )
    if any(parameter.is_meta for parameter in transformer.parameters()):
        raise _broken(entry, f"weights of its transformer are missing in {path.name}")
    if arguments:
        unpack(transformer, dtype)
    return transformer


def unpack(transformer: Any, dtype: torch.dtype) -> None:
    """What is quantised outside of linear layers, as norms in BF16, becomes plain numbers: only those layers unpack
    theirs when they are computed, everything else would take the packed bytes for values."""
    from diffusers.quantizers.gguf.utils import GGUFLinear, GGUFParameter, dequantize_gguf_tensor

    for module in transformer.modules():
        if isinstance(module, GGUFLinear):
            continue
        for name, parameter in list(module.named_parameters(recurse=False)):
            if isinstance(parameter, GGUFParameter):
                values = dequantize_gguf_tensor(parameter).to(dtype)
                setattr(module, name, torch.nn.Parameter(values, requires_grad=False))


def _broken(entry: ModelEntry, why: str) -> JobFailed:
    return JobFailed("model_broken", f"The model {entry.name} is broken: {why}.")
