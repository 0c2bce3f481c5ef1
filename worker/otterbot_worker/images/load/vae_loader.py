# mypy: disallow-untyped-calls=False
"""Loads the operator's VAE from its folder or file, in place of the model's own."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import diffusers
import safetensors
import torch
from accelerate import init_empty_weights  # type: ignore[import-untyped]

from ...errors import JobFailed, look_failed
from ...models import controlnets, files, ldm_names, part_settings, vae_files
from ...models.entries import ModelEntry
from ...schemas.records import UsedVae
from .. import diffusers_private
from . import device as devices
from . import scaled_weights, single_file_loader

log = logging.getLogger(__name__)

_OF_OLD = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}
"""Old names of attention layers, from diffusers' first year."""


def load(entry: ModelEntry, path: Path, dtype: torch.dtype) -> tuple[Any, UsedVae]:
    """The VAE, in the computer's memory, with its name and hash.

    :raises JobFailed: ``model_broken``
    Out of memory and fatal device errors come as torch raises them.
    """
    own = entry.vae_settings()
    if (problem := vae_files.problem(path, own)) is not None:
        raise _broken(entry, path, problem)
    weights = controlnets.weights_in(path)
    assert weights is not None, "decoders.problem says it"
    built = vae_files.settings(path, own)
    if not built:
        raise JobFailed("model_broken", f"The model {entry.name} is broken: vae/config.json is missing.")
    if not part_settings.sensible(built):
        raise _broken(entry, path, "cannot be built by its settings")
    try:
        with init_empty_weights():
            vae: Any = diffusers.AutoencoderKL.from_config(built)
        tensors = _read(weights)
        scaled_weights.multiply(tensors, dtype)
        vae = single_file_loader.fill(vae, "vae", _named(tensors, vae.config), dtype)
        return vae, UsedVae(name=path.name, hash=files.files_hash(weights.parent, [weights]))
    except single_file_loader.Missing:
        raise _broken(entry, path, "is not complete: weights are missing") from None
    except Exception as error:
        if devices.is_out_of_memory(error) or devices.is_fatal(error):
            raise
        look_failed(error, f"the decoder (VAE) {path.name}")
        log.warning("loading the decoder of %s failed: %s", entry.name, type(error).__name__)
        raise _broken(entry, path, "does not fit this model") from None


def _read(weights: Path) -> dict[str, torch.Tensor]:
    """The VAE's tensors; of a whole model only those."""
    with safetensors.safe_open(weights, framework="pt") as file:
        names = list(file.keys())
        inside = [name for name in names if name.startswith(vae_files.PREFIX)]
        inner = {name: ldm_names.read(name.removeprefix(vae_files.PREFIX)) for name in inside or names}
        return {inner[name]: file.get_tensor(name) for name in inner}


def _named(tensors: dict[str, torch.Tensor], config: Any) -> dict[str, torch.Tensor]:
    """Rename the tensors to diffusers' names."""
    if any(key.startswith("decoder.up.") for key in tensors):
        return diffusers_private.convert_vae(tensors, config)
    for old, new in _OF_OLD.items():
        tensors = {key.replace(old, new): tensor for key, tensor in tensors.items()}
    return tensors


def _broken(entry: ModelEntry, path: Path, why: str) -> JobFailed:
    return JobFailed("model_broken", f"The model {entry.name} cannot be used: its decoder (VAE) {path.name} {why}.")
