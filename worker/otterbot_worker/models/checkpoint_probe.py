"""Finds out which kind of model a single file holds, from names and shapes of its tensors. Free of torch.

Single files are in the layout of the program that trained Stable Diffusion ("LDM"): ``model.diffusion_model.`` is the
U-Net, ``first_stage_model.`` the decoder, ``cond_stage_model.`` or ``conditioner.embedders.`` what reads the prompt.
The width of the prompt embeddings that the U-Net takes tells the kinds apart.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import CannotLook
from ..families import FAMILIES
from . import configs, gguf, headers, loras, noise_schedule, pickle_header, plain_files, quantisation
from .header_reader import READER, Patience

UNET, VAE = "model.diffusion_model.", "first_stage_model."
TEXT_ENCODERS = {
    "StableDiffusionPipeline": {"text_encoder": "cond_stage_model."},
    "StableDiffusionXLPipeline": {
        "text_encoder": "conditioner.embedders.0.",
        "text_encoder_2": "conditioner.embedders.1.",
    },
}
"""Pipeline class → prefixes of its tensors."""
ENDINGS = (".safetensors", ".ckpt", ".gguf")

_WIDTHS = {768: "sd1", 1024: "sd2", 2048: "sdxl", 1280: "sdxl-refiner"}
_DEEPEST = UNET + "middle_block.1.transformer_blocks.9.attn2.to_k.weight"
"""A tensor that every SDXL has, except pruned ones."""
_MORE = ("position_net", "cond_proj", "fuser", "to_k_ip", "motion_modules", "temporal_transformer")
"""Name parts of U-Net tensors for inputs besides the prompt (GLIGEN, LCM, IP-Adapter, AnimateDiff)."""
_REFINER = "is SDXL's refiner, which draws only the last steps of another model's pictures"


@dataclass(frozen=True, kw_only=True)
class Found:
    config: str | None = None
    """Settings of its parts, as ``ModelEntry.config``; ``None``: not a usable model."""
    scheduler: Mapping[str, Any] = field(default_factory=dict)
    """Scheduler settings in the file that differ from the kind's."""
    problem: str | None = None
    """Why it cannot be used, as the end of a sentence that begins with the file's name."""
    unread: str | None = None
    """Why the file could not be read now."""


def look(path: Path, *, config: str | None = None, decoder: bool = True, patience: Patience | None = None) -> Found:
    """Read the header, if it is new or changed. ``config``: how its parts are built, where that is known. ``decoder``:
    whether it has to hold one. Never raises."""
    try:
        return Found(**READER.ask("model", path, patience, config=config, decoder=decoder))
    except headers.BadFile as error:
        return Found(problem=str(error))
    except plain_files.ABSENT:
        return Found(problem="cannot be read")
    except OSError as error:
        why = error.strerror or type(error).__name__
    except CannotLook as error:
        why = error.why
    return Found(problem=headers.unread(why), unread=why)


def examined(path: Path, *, config: str | None, decoder: bool) -> dict[str, Any]:
    """The fields of ``Found``, read from the file. :raises headers.BadFile: :raises OSError:"""
    header = read(path)
    if not any(key.startswith(UNET + "input_blocks.") for key in header.shapes):
        raise headers.BadFile(_no_model(header, path))
    found = config or _config(header, path)
    problem = _unsuited(header, config) if config is not None or found is None else _unsuited_shipped(header, found)
    problem = problem or quantisation.problem(header) or _missing(header, found or "", decoder=decoder)
    if problem is not None:
        raise headers.BadFile(problem)
    return {"config": found, "scheduler": noise_schedule.said(header)}


def transformer_problem(path: Path) -> str | None:
    """Why a file cannot take a transformer's place, as the end of a sentence. Whether it fits, only loading tells.

    :raises CannotLook:
    """
    try:
        READER.ask("transformer", path)
    except headers.BadFile as error:
        return str(error)
    except plain_files.ABSENT:
        return "cannot be read"
    except OSError as error:
        raise plain_files.cannot_look(path, error) from None
    if path.suffix.lower() == ".gguf" and importlib.util.find_spec("gguf") is None:
        return "is quantised, and the package gguf, which reads such files, is not installed beside the worker"
    return None


def examined_transformer(path: Path) -> dict[str, Any]:
    """An empty dict for an intact file. :raises headers.BadFile: :raises OSError:"""
    if (why := quantisation.problem(read(path))) is not None:
        raise headers.BadFile(why)
    return {}


def read(path: Path) -> headers.Header:
    """Of a file with one of ``ENDINGS``. :raises headers.BadFile: :raises OSError:"""
    readers = {".ckpt": pickle_header.read, ".gguf": gguf.read}
    return readers.get(path.suffix.lower(), headers.read)(path)


def family_problem(config: str, family: str) -> str | None:
    """Why a file of that kind does not fit an entry of that family, as the end of a sentence; ``None``: it fits."""
    found = configs.family(config)
    if found == family:
        return None
    made_for = FAMILIES[found].title if found is not None else "no family that Otterbot knows"
    return f"is made for {made_for}, not for {FAMILIES[family].title}"


# ---------------------------------------------------------------- which model


def _config(header: headers.Header, path: Path) -> str | None:
    width = _width(header)
    config = _WIDTHS.get(width) if width is not None else None
    return _second(header, path) if config == "sd2" else config


def _width(header: headers.Header) -> int | None:
    """Width of the prompt embeddings that the U-Net takes."""
    for key, shape in header.shapes.items():
        if key.startswith(UNET) and key.endswith(".attn2.to_k.weight") and len(shape) == 2:
            return shape[1]
    return None


def _second(header: headers.Header, path: Path) -> str:
    """``sd2`` or ``sd2-base``, whose tensors have equal names and shapes. Decided by the file's metadata, else by the
    file names of the published models, else ``sd2`` (768x768), which most others are based on."""
    architecture, prediction = (
        header.metadata.get(f"modelspec.{key}", "") for key in ("architecture", "prediction_type")
    )
    if "512" in architecture or prediction == "epsilon":
        return "sd2-base"
    if "768" in architecture or prediction:
        return "sd2"
    name = path.stem.lower()
    return "sd2-base" if "768" not in name and ("512" in name or "base" in name) else "sd2"


# ---------------------------------------------------------------- what is wrong


def _unsuited_shipped(header: headers.Header, config: str) -> str | None:
    if config == "sdxl-refiner":
        return _REFINER
    if "edm_mean" in header.shapes or "edm_vpred.sigma_max" in header.shapes:
        return "was trained with another kind of noise (EDM), which cannot be drawn with"
    if config == "sdxl" and _DEEPEST not in header.shapes:
        return "is an SDXL that was made smaller, as SSD-1B, whose layers a single file does not tell: use its folder"
    return _unsuited(header, config)


def _unsuited(header: headers.Header, config: str | None) -> str | None:
    width = _width(header)
    if config is None:
        return "is of a kind that cannot be told: only Stable Diffusion 1, 2 and SDXL can come as single files"
    settings = configs.part(config, "unet")
    if width != settings.get("cross_attention_dim"):
        return "was not made with the settings that its entry names (config)"
    channels = header.shapes.get(UNET + "input_blocks.0.0.weight", (0, 0))[1:2]
    usual = settings.get("in_channels", 4)
    if channels == (9,) and usual == 4:
        return "is for inpainting alone (its U-Net takes 9 channels); any other model can inpaint too"
    if channels != (usual,):
        return f"is for another task (its U-Net takes {channels[0] if channels else 0} channels, not {usual})"
    if (more := _more_than_a_prompt(header, settings)) is not None:
        return f"is for another task (its U-Net takes more than a prompt: {more})"
    return None


def _more_than_a_prompt(header: headers.Header, settings: Mapping[str, Any]) -> str | None:
    """Inputs of the U-Net besides the prompt, which this worker does not build; without them the model would draw
    wrongly."""
    told = settings.get("addition_embed_type") or settings.get("class_embed_type")
    more = _MORE if told else (*_MORE, "label_emb")
    steps = {step for key in header.shapes if key.startswith(UNET) for step in key.split(".")}
    return next((name for name in more if name in steps), None)


def _missing(header: headers.Header, config: str, *, decoder: bool) -> str | None:
    """The name of a whole part that is missing in the file."""
    encoders = TEXT_ENCODERS.get(str(configs.index(config).get("_class_name")), {})
    if decoder and not _has(header.shapes, VAE):
        return "is not complete: it holds no decoder (VAE)"
    if any(not _has(header.shapes, prefix) for prefix in encoders.values()):
        return f"is not complete: it holds no {'second ' * _has(header.shapes, encoders['text_encoder'])}text encoder"
    return None


def _has(keys: Iterable[str], prefix: str) -> bool:
    return any(key.startswith(prefix) for key in keys)


def _no_model(header: headers.Header, path: Path) -> str:
    """What the file is instead of a model, if that is certain."""
    keys = header.shapes
    if not keys:
        return "holds no weights"
    if loras.is_lora(keys):
        return "is a LoRA: it belongs into the folder `loras`"
    if any(_has(keys, prefix) for prefix in ("control_model.", "controlnet_", "input_hint_block.")):
        return "is a ControlNet, which cannot draw by itself"
    if any(part in key for key in keys for part in ("double_blocks.", "joint_blocks.", "adaLN_modulation")):
        return "is a transformer, which needs the other parts of its model: name it as `transformer` in an entry"
    if path.suffix.lower() == ".gguf":
        return "is quantised, and no model of a kind that can come so"
    if any(_has(keys, prefix) for prefix in ("input_blocks.", "down_blocks.", UNET)):
        return "is not complete: it is a U-Net alone, without text encoder and decoder"
    if _has(keys, VAE) or any(key.endswith("decoder.conv_in.weight") for key in keys):
        return "is a decoder (VAE) alone"
    if _has(keys, "text_model.") or _has(keys, "cond_stage_model.") or _has(keys, "conditioner."):
        return "is a text encoder alone"
    if loras.is_embedding(header):
        return "is an embedding: it belongs into the folder `embeddings`"
    return "holds no image model"
