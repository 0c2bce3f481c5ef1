"""A decoder (VAE) of the operator's own in the place of a model's: a folder of diffusers', or one file. Free of torch.

A file may name its tensors as diffusers does or as the program that trained Stable Diffusion did, alone or within a
whole model. It does not say how it is built: that is as the model's own decoder is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from . import configs, folders, headers
from .controlnets import CONFIG, WEIGHTS, weights_in

PREFIX = "first_stage_model."
KIND = "AutoencoderKL"
SEEN_MAX = 100
_FIRST = "decoder.conv_in.weight"


def settings(path: Path, own: Mapping[str, Any]) -> dict[str, Any]:
    """How it is built: as its folder says, else as the model's ``own`` is."""
    return configs.part(str(path.parent), path.name) if path.is_dir() else dict(own)


def problem(path: Path, own: Mapping[str, Any]) -> str | None:
    """Why it cannot take the place of a decoder with those settings, as the end of a sentence that begins with its
    name. ``own`` is empty where they are not known yet. Reads the header alone; never raises."""
    if not path.exists():
        return "is not there"
    weights = weights_in(path)
    if weights is None:
        return f"has no {WEIGHTS[0]} in its folder"
    if path.is_dir() and settings(path, own).get("_class_name") != KIND:
        return f"has no {CONFIG} of a decoder that can be used (an {KIND}) in its folder"
    try:
        first = _first(weights, folders.stamp(weights))
    except headers.BadFile as error:
        return str(error)
    except OSError:
        return "cannot be read"
    if first is None or len(first) != 4:
        return "is no decoder (VAE)"
    wanted = own.get("latent_channels", first[1])
    if first[1] != wanted:
        return f"is for another kind of model (its latents have {first[1]} channels, not {wanted})"
    return None


@lru_cache(maxsize=SEEN_MAX)
def _first(weights: Path, _stamp: folders.Stamp) -> tuple[int, ...] | None:
    """The shape of its first layer; a changed file is read again. :raises headers.BadFile: :raises OSError:"""
    shapes = headers.read(weights).shapes
    return shapes.get(_FIRST) or shapes.get(PREFIX + _FIRST)
