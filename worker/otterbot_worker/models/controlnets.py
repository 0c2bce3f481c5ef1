"""ControlNets: models beside a model, which steer what it draws by a picture. Free of torch.

``controlnets/NAME.safetensors`` (as diffusers or as the original repositories name their tensors) and
``controlnets/NAME/`` (``config.json`` with ``diffusion_pytorch_model.safetensors``) in the data directory, called by
NAME; and for edges (``canny``) one known repository for each kind of model, which is taken from the hub's cache where
the folder has none. Only these names exist: what a request says is compared with them and never becomes a path.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from . import files, headers
from .folders import PICKLES, good_name, named, shown, unusable

FOLDER = "controlnets"
CANNY = "canny"
"""The kind for which edges are made of the picture; a ControlNet with this word in its name takes them."""
AT_HUB: Mapping[int, str] = {
    768: "lllyasviel/control_v11p_sd15_canny",
    2048: "diffusers/controlnet-canny-sdxl-1.0-small",
}
"""By the width of the prompts' embeddings in the models that they are made for."""
CONFIG = "config.json"
WEIGHTS = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors")
ENDING = ".safetensors"
SIZE_MAX = 8 * 1024**3
COUNT_MAX = 500
_CONFIG_MAX = 64 * 1024

Layout = Literal["diffusers", "ldm", "?"]
"""How a file names its tensors."""
NO_CONTROLNET = "is no ControlNet that this worker can read"


@dataclass(frozen=True, kw_only=True)
class ControlNet:
    """``family`` is a key of ``families.FAMILIES``; ``width`` how wide the prompts' embeddings are in the models that
    it is made for, ``None`` where its file does not say."""

    name: str
    path: Path
    """Its file, or its folder."""
    weights: Path
    size: int
    stamp: tuple[int, ...]
    """Other stamp, other files."""
    family: str | None = None
    width: int | None = None
    layout: Layout = "?"
    problem: str | None = None
    """Why it cannot be used, as the end of a sentence that begins with its name."""

    @property
    def canny(self) -> bool:
        return CANNY in self.name.lower()

    def hash(self) -> str:
        """As ``hash_of``. :raises OSError:"""
        return hash_of(self.weights)


class ControlNets:
    """Owns what was read of the files, as long as the process lives; a changed file is read again. Thread-safe."""

    def __init__(self, *roots: Path) -> None:
        """``roots``: directories with the folder in them, the first one wins."""
        self._roots = roots
        self._seen: dict[Path, ControlNet] = {}
        self._lock = threading.Lock()

    def all(self) -> dict[str, ControlNet]:
        """By name, in the order of the alphabet. A file that cannot be used at all gives way to one that can."""
        found: dict[str, ControlNet] = {}
        with self._lock:
            for root in self._roots:
                for path in _candidates(root / FOLDER):
                    name = path.name if path.is_dir() else path.stem
                    if name not in found and (one := self._look(name, path)) is not None:
                        found[name] = one
        for root in self._roots:
            for path, stamp, why in unusable(root / FOLDER, (ENDING,), PICKLES):
                name = shown(path.stem)
                passed = ControlNet(name=name, path=path, weights=path, size=stamp[0], stamp=stamp, problem=why)
                found.setdefault(name, passed)
        return dict(sorted(found.items(), key=lambda item: item[0].casefold()))

    def everywhere(self) -> list[ControlNet]:
        """Those of the folder, and of the known ones what the hub's cache has."""
        known = self.all()
        return [*known.values(), *(net for net in self._of_hub() if net.name not in known)]

    def _of_hub(self) -> list[ControlNet]:
        return [net for hub in AT_HUB.values() if (net := self.at_hub(hub)) is not None]

    def find(self, name: str) -> ControlNet | None:
        """As `folders.named`, one of the hub by its last part; what cannot be called is not there."""
        if not good_name(name):
            return None
        return named(self.all(), name) or named({net.name: net for net in self._of_hub()}, name)

    def at_hub(self, hub: str) -> ControlNet | None:
        """What the hub's cache has of a repository."""
        folder = files.snapshot(hub)
        if folder is None:
            return None
        with self._lock:
            found = self._look(short(hub), folder)
        return found if found is not None and found.problem is None else None

    def _look(self, name: str, path: Path) -> ControlNet | None:
        found = _found(name, path)
        if found is None:
            return None
        known = self._seen.get(path)
        if known is None or known.stamp != found.stamp:
            known = self._seen[path] = _read(found)
        return known


def weights_in(path: Path) -> Path | None:
    """The file with the weights: itself, or the folder's; ``None`` where there is none."""
    if not path.is_dir():
        return path if path.is_file() else None
    return next((path / name for name in WEIGHTS if (path / name).is_file()), None)


def cached(hub: str) -> Path | None:
    """The snapshot of a repository, if all is here that a ControlNet takes."""
    folder = files.snapshot(hub)
    whole = folder is not None and (folder / CONFIG).is_file() and weights_in(folder) is not None
    return folder if whole else None


def hash_of(weights: Path) -> str:
    """16 hex digits that tell files apart (``files.files_hash``), read in milliseconds. :raises OSError:"""
    return files.files_hash(weights.parent, [weights])


def short(hub: str) -> str:
    """A repository's name without its owner's."""
    return hub.rpartition("/")[2]


def _candidates(folder: Path) -> list[Path]:
    """Files and folders with usable names, none where there is no folder."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)[: COUNT_MAX * 2]
    except OSError:
        return []
    stems = {name: name.removesuffix(ENDING) for name in names}
    usable = [
        folder / name for name, stem in stems.items() if good_name(stem) and (stem != name or (folder / name).is_dir())
    ]
    return usable[:COUNT_MAX]


def _found(name: str, path: Path) -> ControlNet | None:
    """With its stamp, not read; ``None``: it is gone, or a folder without a model's configuration."""
    try:
        if not path.is_dir():
            status = path.stat()
            stamp: tuple[int, ...] = (status.st_size, status.st_mtime_ns)
            return ControlNet(name=name, path=path, weights=path, size=status.st_size, stamp=stamp)
        about = (path / CONFIG).stat()
        weights = weights_in(path)
        if weights is None:
            absent = path / WEIGHTS[0]
            stamp = (about.st_size, about.st_mtime_ns)
            return ControlNet(name=name, path=path, weights=absent, size=0, stamp=stamp)
        status = weights.stat()
        stamp = (about.st_size, about.st_mtime_ns, status.st_size, status.st_mtime_ns)
        return ControlNet(name=name, path=path, weights=weights, size=status.st_size, stamp=stamp)
    except OSError:
        return None


def _read(found: ControlNet) -> ControlNet:
    """What its files say. Never raises: what is wrong stands in ``problem``."""
    if found.path != found.weights:
        if not found.size:
            return replace(found, problem=f"has no {WEIGHTS[0]} in its folder")
        if read_config(found.path) is None:
            return replace(found, problem=NO_CONTROLNET)
    if found.size > SIZE_MAX:
        return replace(found, problem=f"is larger than {SIZE_MAX // 1024**3} GB")
    try:
        shapes = headers.read(found.weights).shapes
    except headers.BadFile as error:
        return replace(found, problem=str(error))
    except OSError:
        return replace(found, problem="cannot be read")
    layout = layout_of(shapes)
    if layout == "?":
        return replace(found, problem=NO_CONTROLNET)
    width = _width(shapes)
    # SDXL's are told about the picture's size besides.
    sdxl = any(key.rpartition("control_model.")[2].startswith(("add_embedding.", "label_emb.")) for key in shapes)
    return replace(found, layout=layout, width=width, family="sdxl" if sdxl else "sd")


def read_config(folder: Path) -> dict[str, object] | None:
    """A ControlNet's configuration; ``None`` for another's, and for what is none."""
    path = folder / CONFIG
    try:
        if path.stat().st_size > _CONFIG_MAX:
            return None
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return config if isinstance(config, dict) and config.get("_class_name") == "ControlNetModel" else None


def layout_of(shapes: Mapping[str, tuple[int, ...]]) -> Layout:
    """Other nets that steer (ControlNet-XS and -Union, LLLite, T2I adapters, Control-LoRAs) lack one of these, or have
    more."""
    keys = {key.removeprefix("control_model.") for key in shapes}
    if keys & {"task_embedding", "lora_controlnet"} or any(key.startswith("control_type") for key in keys):
        return "?"
    if {"controlnet_cond_embedding.conv_in.weight", "controlnet_mid_block.weight", "conv_in.weight"} <= keys:
        return "diffusers"
    return "ldm" if {"input_hint_block.0.weight", "middle_block_out.0.weight"} <= keys else "?"


def _width(shapes: Mapping[str, tuple[int, ...]]) -> int | None:
    """Of the layers that read the prompt; a small one may have none."""
    widths = {shape[1] for key, shape in shapes.items() if key.endswith("attn2.to_k.weight") and len(shape) == 2}
    return widths.pop() if len(widths) == 1 else None
