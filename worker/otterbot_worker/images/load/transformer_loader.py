# mypy: disallow-untyped-calls=False
"""A transformer from a single file in the place of a model's own, quantised or not, built as that one is."""

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
    """``folder``: the model's, with the settings of its transformer. ``compute``: what a quantised one's layers unpack
    their values to; ``casting`` leaves those alone.

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
    """Why the file is none for the model's transformer, by the names and shapes in its header, as the end of a
    sentence; ``None``: it is one. diffusers says the same of every file that does not fit, after reading all of it."""
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
        # They fail at a name that they do not know, which is another architecture's, or at one that is missing.
        asked = str(error.args[0]) if isinstance(error, KeyError) and error.args else ""
        return {}, bool(asked) and not _mentioned(asked, there)
    return {name: tuple(tensor.shape) for name, tensor in named.items()}, False


def _mentioned(part: str, names: Collection[str]) -> bool:
    return any(part in name for name in names)


def _fitting(shapes: _Shapes, wanted: _Shapes) -> tuple[int, int]:
    """How many tensors fit, and how many at least by their names."""
    return sum(wanted.get(name) == shape for name, shape in shapes.items()), len(wanted.keys() & shapes.keys())


def _broken(entry: ModelEntry, why: str) -> JobFailed:
    return JobFailed("model_broken", f"The model {entry.name} is broken: {why}.")
