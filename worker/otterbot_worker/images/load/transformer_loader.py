# mypy: disallow-untyped-calls=False
"""Loads a transformer from a single file in place of the model's own, quantised or not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import diffusers
import safetensors.torch
import torch
from accelerate import init_empty_weights  # type: ignore[import-untyped]

from ...errors import JobFailed
from ...families import Family
from ...models import checkpoint_probe, quantisation
from ...models.entries import ModelEntry
from .. import diffusers_private
from . import scaled_weights

_Shapes = Mapping[str, tuple[int, ...]]


def load(entry: ModelEntry, family: Family, folder: Path, dtype: torch.dtype, compute: torch.dtype) -> Any:
    """``folder``: the model's, with the settings of its transformer. ``compute``: the format that quantised layers
    unpack to; ``dtypes`` does not cast those.

    :raises JobFailed: ``model_missing``, ``model_broken``
    Whatever else does not fit comes as the library raises it.
    """
    assert entry.transformer is not None
    path = entry.transformer.here()
    if path is None:
        raise JobFailed("model_missing", f"The model {entry.name} is not complete: its transformer is missing.")
    if (problem := checkpoint_probe.transformer_problem(path)) is not None:
        raise _broken(entry, f"the file {path.name} {problem}")
    if (misfit := _misfit(path, family, folder)) is not None:
        raise _broken(entry, misfit)
    arguments: dict[str, Any] = {}
    if path.suffix.lower() == ".gguf":
        arguments["quantization_config"] = diffusers.GGUFQuantizationConfig(compute_dtype=compute)
    source: str | dict[str, torch.Tensor] = str(path)
    if quantisation.scales(checkpoint_probe.read(path).shapes):
        source = safetensors.torch.load_file(path)
        scaled_weights.multiply(source, dtype)
    assert family.transformer is not None
    transformer = getattr(diffusers, family.transformer).from_single_file(
        source, config=str(folder), subfolder="transformer", dtype=dtype, local_files_only=True, **arguments
    )
    if arguments:
        diffusers_private.unpack_gguf(transformer, dtype)
    return transformer


def _misfit(path: Path, family: Family, folder: Path) -> str | None:
    """Why the file does not fit the model's transformer, from names and shapes in its header, as the end of a sentence;
    ``None``: it fits. diffusers would read the whole file first, and give one message for all reasons."""
    assert family.transformer is not None, "models.entry_file refuses it"
    cls = getattr(diffusers, family.transformer)
    settings = cls.load_config(str(folder), subfolder="transformer", local_files_only=True)
    with init_empty_weights():
        empty = cls.from_config(settings)
    wanted = {name: tuple(tensor.shape) for name, tensor in empty.state_dict().items()}
    there = {
        name: shape for name, shape in checkpoint_probe.read(path).shapes.items() if not quantisation.needless(name)
    }
    converted, choked = _converted(there, family.transformer, settings)
    best = max(there, converted, key=lambda shapes: _fitting(shapes, wanted))
    lost = any(name not in best for name, _ in empty.named_parameters())
    known = wanted.keys() & best.keys()
    other_shape = any(wanted[name] != best[name] for name in known)
    if not lost and not other_shape:
        return None
    if 2 * len(known) < len(best) and not choked:
        return f"the file {path.name} is made for another architecture than {family.title}'s"
    if other_shape:
        return f"the file {path.name} is made for another model than this one: its weights have other shapes"
    return f"weights of its transformer are missing in {path.name}"


def _converted(there: _Shapes, cls: str, settings: dict[str, Any]) -> tuple[_Shapes, bool]:
    """The published names as diffusers', by its own rules, on tensors without values. Also whether those asked for one
    that is not there: then there is nothing to compare."""
    tensors = {name: torch.empty(shape, device="meta") for name, shape in there.items()}
    try:
        named = diffusers_private.convert_transformer(cls, tensors, settings)
    except Exception as error:
        # The rules fail at an unknown name (another architecture), or at a missing one.
        asked = str(error.args[0]) if isinstance(error, KeyError) and error.args else ""
        return {}, bool(asked) and not _mentioned(asked, there)
    return {name: tuple(tensor.shape) for name, tensor in named.items()}, False


def _mentioned(part: str, names: Collection[str]) -> bool:
    return any(part in name for name in names)


def _fitting(shapes: _Shapes, wanted: _Shapes) -> tuple[int, int]:
    """How many tensors fit by name and shape, and how many by name."""
    return sum(wanted.get(name) == shape for name, shape in shapes.items()), len(wanted.keys() & shapes.keys())


def _broken(entry: ModelEntry, why: str) -> JobFailed:
    return JobFailed("model_broken", f"The model {entry.name} is broken: {why}.")
