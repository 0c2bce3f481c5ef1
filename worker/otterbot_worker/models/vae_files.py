"""An operator's VAE in place of a model's own: a diffusers folder, or a single file. Free of torch.

A file may use diffusers' or LDM names, and hold the VAE alone or a whole model. It has no settings: it is built like
the model's own VAE.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import configs, headers, plain_files, quantisation
from .controlnets import CONFIG, WEIGHTS, weights_in
from .header_reader import READER

PREFIX = "first_stage_model."
KIND = "AutoencoderKL"
_FIRST = "decoder.conv_in.weight"


def settings(path: Path, own: Mapping[str, Any]) -> dict[str, Any]:
    """The VAE's settings: its folder's, else the model's ``own``."""
    return configs.part(str(path.parent), path.name) if plain_files.is_dir(path) else dict(own)


def problem(path: Path, own: Mapping[str, Any]) -> str | None:
    """Why it cannot take the place of a decoder with those settings, as the end of a sentence that begins with its
    name. ``own`` is empty where they are not known yet. Has the header read.

    :raises CannotLook:
    """
    if plain_files.status(path) is None:
        return "is not there"
    weights = weights_in(path)
    if weights is None:
        return f"has no {WEIGHTS[0]} in its folder"
    if plain_files.is_dir(path) and settings(path, own).get("_class_name") != KIND:
        return f"has no {CONFIG} of a decoder that can be used (an {KIND}) in its folder"
    try:
        channels = READER.ask("decoder", weights)["channels"]
    except headers.BadFile as error:
        return str(error)
    except plain_files.ABSENT:
        return "is not there"
    except OSError as error:
        raise plain_files.cannot_look(weights, error) from None
    wanted = own.get("latent_channels", channels)
    if channels != wanted:
        return f"is for another kind of model (its latents have {channels} channels, not {wanted})"
    return None


def examined(path: Path) -> dict[str, Any]:
    """The number of latent channels that it decodes. :raises headers.BadFile: :raises OSError:"""
    header = headers.read(path)
    shapes = header.shapes
    if (why := quantisation.problem(header)) is not None:
        raise headers.BadFile(why)
    first = shapes.get(_FIRST) or shapes.get(PREFIX + _FIRST)
    if first is None or len(first) != 4:
        raise headers.BadFile("is no decoder (VAE)")
    return {"channels": first[1]}
