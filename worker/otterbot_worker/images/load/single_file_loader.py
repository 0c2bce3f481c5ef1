# mypy: disallow-untyped-calls=False
"""Loads a whole model from a single file in the LDM layout, without network access.

Its parts are built by the settings that ship with the worker or that its entry names (``models.configs``). The weights
are read once, and nothing in the file is run: a ``.ckpt`` is looked through first (``models.pickle_header``), and torch
reads it under the same rule.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import diffusers
import safetensors.torch
import torch
import transformers
from accelerate import init_empty_weights  # type: ignore[import-untyped]

from ...errors import Cancelled, CannotLook, JobFailed, look_failed
from ...families import Family
from ...models import (
    checkpoint_probe,
    configs,
    ldm_names,
    noise_schedule,
    part_settings,
    pickle_header,
    tokenizers,
    user_files,
)
from ...models.entries import ModelEntry
from .. import diffusers_private
from ..monitor import Monitor
from . import device as devices
from . import scaled_weights

log = logging.getLogger(__name__)

_HASHES = user_files.HashCache()
"""Hashes of the files that this process has loaded; a changed file is hashed again."""
WORDS = {
    "unet": "U-Net",
    "transformer": "transformer",
    "vae": "decoder (VAE)",
    "text_encoder": "text encoder",
    "text_encoder_2": "second text encoder",
    "text_encoder_3": "third text encoder",
}
"""Names of a model's parts for people."""


class Missing(Exception):
    """Weights of a part are missing."""

    def __init__(self, part: str) -> None:
        super().__init__(part)
        self.part = part


class Unfit(Exception):
    """Tensors have other shapes than the settings say."""


def load(
    entry: ModelEntry, family: Family, path: Path, dtype: torch.dtype, *, vae: Any = None, monitor: Monitor
) -> tuple[Any, str]:
    """The pipeline, in the computer's memory, and the SHA-256 of its file in hex. ``vae`` replaces the file's own.

    :raises JobFailed: ``model_broken`` :raises Cancelled: between the parts
    Out of memory and fatal device errors come as torch raises them.
    """
    found = entry.sniffed(path)
    if found.unread is not None:
        raise CannotLook(f"the file {path.name}", found.unread)
    if found.config is None:
        raise broken(entry, path, found.problem or "holds no image model")
    if (problem := checkpoint_probe.family_problem(found.config, entry.family)) is not None:
        raise broken(entry, path, problem)
    if (name := _unbuildable(found.config)) is not None:
        raise broken(entry, path, f"cannot be built by {name} in the folder of its settings")
    try:
        sha256 = _HASHES.get(path, user_files.stamp(path), monitor.check).file
        weights = {ldm_names.read(name): tensor for name, tensor in _read(path).items()}
        scaled_weights.multiply(weights, dtype)
        monitor.check()
        parts = _parts(found.config, weights, dtype, vae, monitor)
        pipe = _assemble(entry, family, found, parts)
    except (Cancelled, CannotLook):
        raise
    except Missing as lost:
        raise broken(entry, path, f"is not complete: weights of its {WORDS[lost.part]} are missing") from None
    except Exception as error:
        if devices.is_out_of_memory(error) or devices.is_fatal(error):
            raise
        look_failed(error, f"the file {path.name}")
        log.warning("loading %s failed: %s", entry.name, type(error).__name__)
        raise broken(entry, path, "does not fit the kind of model that it seems to be") from None
    return pipe, sha256


def _unbuildable(config: str) -> str | None:
    """As ``part_settings.unbuildable``, for a folder of the operator's."""
    folder = configs.folder(config)
    parts = (f"{name}/config.json" for name in ("unet", "vae", "text_encoder", "text_encoder_2"))
    if (name := part_settings.unbuildable(folder, part_settings.SCHEDULER, *parts)) is not None:
        return name
    for name in (name for name in configs.index(config) if name in tokenizers.NAMES):
        encoder = folder / name.replace("tokenizer", "text_encoder") / "config.json"
        if (found := tokenizers.settings_problem(folder / name, encoder)) is not None:
            return f"{name}/{found.name}"
    return None


def broken(entry: ModelEntry, path: Path, why: str) -> JobFailed:
    return JobFailed("model_broken", f"The model {entry.name} cannot be used: the file {path.name} {why}.")


def _read(path: Path) -> dict[str, torch.Tensor]:
    """The file's tensors by name, memory-mapped."""
    if path.suffix.lower() != ".ckpt":
        return safetensors.torch.load_file(path)
    content: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    for _ in range(pickle_header.NESTED_MAX):
        if isinstance(content.get("state_dict"), dict):
            content = content["state_dict"]
    return {name: tensor for name, tensor in content.items() if isinstance(tensor, torch.Tensor)}


def _parts(
    config: str, weights: dict[str, torch.Tensor], dtype: torch.dtype, vae: Any, monitor: Monitor
) -> dict[str, Any]:
    """:raises Missing: :raises Unfit:"""

    def of(prefix: str) -> dict[str, torch.Tensor]:
        monitor.check()
        return {name: tensor for name, tensor in weights.items() if name.startswith(prefix)}

    parts = {"unet": _unet(config, of(checkpoint_probe.UNET), dtype)}
    parts["vae"] = vae if vae is not None else _vae(config, of(checkpoint_probe.VAE), dtype)
    for name, prefix in checkpoint_probe.TEXT_ENCODERS[configs.index(config)["_class_name"]].items():
        parts[name] = _text_encoder(config, name, of(prefix), prefix, dtype)
    return parts


def _unet(config: str, weights: dict[str, torch.Tensor], dtype: torch.dtype) -> Any:
    with init_empty_weights():
        unet: Any = diffusers.UNet2DConditionModel.from_config(configs.part(config, "unet"))
    try:
        named = diffusers_private.convert_unet(weights, unet.config)
    except KeyError:
        raise Missing("unet") from None
    return fill(unet, "unet", named, dtype)


def _vae(config: str, weights: dict[str, torch.Tensor], dtype: torch.dtype) -> Any:
    with init_empty_weights():
        vae: Any = diffusers.AutoencoderKL.from_config(configs.part(config, "vae"))
    return fill(vae, "vae", diffusers_private.convert_vae(weights, vae.config), dtype)


def _text_encoder(config: str, name: str, weights: dict[str, torch.Tensor], prefix: str, dtype: torch.dtype) -> Any:
    settings = transformers.CLIPTextConfig.from_dict(configs.part(config, name))
    with init_empty_weights():
        encoder = getattr(transformers, configs.index(config)[name][1])(settings)
    plain, published = prefix + "transformer.", prefix + "model."
    if any(key.startswith(plain + "text_model.") for key in weights):
        named = {key.removeprefix(plain): tensor for key, tensor in weights.items() if key.startswith(plain)}
    else:
        named = diffusers_private.convert_open_clip(encoder, weights, published)
        turned = weights.get(published + "text_projection.weight")
        if turned is not None:  # transformers' layout, the transpose of OpenCLIP's
            named["text_projection.weight"] = turned
    if not hasattr(encoder, "text_model"):  # in newer transformers the encoder without projection has no text_model
        named = {key.removeprefix("text_model."): tensor for key, tensor in named.items()}
    return fill(encoder, name, named, dtype)


def fill(part: Any, name: str, weights: dict[str, torch.Tensor], dtype: torch.dtype) -> Any:
    """Fill a part built on ``meta`` with the file's weights; unused tensors are ignored."""
    wanted = part.state_dict()
    if any(key not in weights for key in wanted):
        raise Missing(name)
    if any(weights[key].shape != tensor.shape for key, tensor in wanted.items()):
        raise Unfit
    part.load_state_dict({key: weights[key].to(dtype).contiguous() for key in wanted}, assign=True)
    return part.eval()


def _assemble(entry: ModelEntry, family: Family, found: checkpoint_probe.Found, parts: dict[str, Any]) -> Any:
    assert found.config is not None
    index = configs.index(found.config)
    switches = {name: value for name, value in index.items() if isinstance(value, bool)}
    tokenizers = {name: _tokenizer(found.config, name) for name in index if name.startswith("tokenizer")}
    settings = configs.scheduler(found.config)
    if not settings:
        raise LookupError("no settings of a scheduler")
    settings = noise_schedule.settled(settings, found.scheduler, entry.prediction)
    scheduler = getattr(diffusers, index["scheduler"][1]).from_config(settings)
    pipeline = getattr(diffusers, family.pipeline)
    return pipeline(**parts, **tokenizers, scheduler=scheduler, **{**switches, **family.load_arguments})


def _tokenizer(config: str, name: str) -> Any:
    """The folder's tokenizer where it has one, else CLIP's: all of them share it, except for the padding token."""
    folder = configs.folder(config) / name
    if (folder / "vocab.json").is_file() or (folder / "tokenizer.json").is_file():
        return transformers.CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    words = configs.clip()
    given: dict[str, Any] = {"vocab": dict(words.tokens), "merges": list(words.merges)}
    return transformers.CLIPTokenizer(**given, **configs.tokenizer(config, name))
