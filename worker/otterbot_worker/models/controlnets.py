"""ControlNets: which there are, and what they are made for. Free of torch.

``controlnets/NAME.safetensors`` (as diffusers or as the original repositories name their tensors) and
``controlnets/NAME/`` (``config.json`` with ``diffusion_pytorch_model.safetensors``) in the data directory, called by
NAME. For ``canny`` there is also one known repository per kind of model, used from the hub's cache where the folder has
none. A request's name is only compared with these and never becomes a path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ..errors import CannotLook
from . import files, headers, plain_files, quantisation
from .header_reader import READER, Patience
from .user_files import PICKLES, good_name, named, shown, unusable

FOLDER = "controlnets"
CANNY = "canny"
"""The kind for which the worker computes edges. A ControlNet with this word in its name takes edges."""
AT_HUB: Mapping[int, str] = {
    768: "lllyasviel/control_v11p_sd15_canny",
    2048: "diffusers/controlnet-canny-sdxl-1.0-small",
}
"""Width of the model's prompt embeddings → repository."""
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
    """Changes with the files."""
    family: str | None = None
    width: int | None = None
    layout: Layout = "?"
    problem: str | None = None
    """Why it cannot be used, as the end of a sentence that begins with its name."""
    unread: str | None = None
    """Why it could not be read now; it may be intact."""

    @property
    def canny(self) -> bool:
        return CANNY in self.name.lower()

    def hash(self) -> str:
        """As ``hash_of``. :raises OSError:"""
        return hash_of(self.weights)


class ControlNets:
    """The ControlNets in the operator's folder and in the hub's cache, listed anew each time. Thread-safe."""

    def __init__(self, *roots: Path) -> None:
        """``roots``: directories with the folder in them, the first one wins."""
        self._roots = roots
        self._closed = False

    def close(self) -> None:
        """The worker ends: a look that is going on reads no further file."""
        self._closed = True

    def all(self) -> dict[str, ControlNet]:
        """All of them by name, sorted. Of two with one name a usable file counts.

        :raises CannotLook: at a folder
        """
        found: dict[str, ControlNet] = {}
        patience = Patience(stopped=lambda: self._closed)
        for root in self._roots:
            for name, path in _candidates(root / FOLDER):
                if name not in found and (one := _look(name, path, patience)) is not None:
                    found[name] = one
        for root in self._roots:
            for bad in unusable(root / FOLDER, (ENDING,), PICKLES):
                name = shown(bad.path.stem)
                passed = ControlNet(name=name, path=bad.path, weights=bad.path, size=bad.stamp[0], stamp=bad.stamp)
                found.setdefault(name, replace(passed, problem=bad.problem, unread=bad.unread))
        return dict(sorted(found.items(), key=lambda item: item[0].casefold()))

    def listed(self) -> list[ControlNet]:
        """For people: the folder's ControlNets, and the known ones in the hub's cache. An unreadable place is listed as
        one line. Never raises."""
        found: dict[str, ControlNet] = {}
        for place, look in ((FOLDER, self.all), ("hub", lambda: {net.name: net for net in self._of_hub()})):
            try:
                found = {**look(), **found}
            except CannotLook as error:
                said = f"is a folder that could not be looked at: {error.why}"
                path = Path(place)
                found[place] = ControlNet(name=place, path=path, weights=path, size=0, stamp=(), problem=said)
        return list(found.values())

    def _of_hub(self) -> list[ControlNet]:
        return [net for hub in AT_HUB.values() if (net := self.at_hub(hub)) is not None]

    def find(self, name: str) -> ControlNet | None:
        """The ControlNet of that name (``user_files.named``), a hub's by the last part of its repository; ``None`` for
        unusable ones."""
        if not good_name(name):
            return None
        return named(self.all(), name) or named({net.name: net for net in self._of_hub()}, name)

    def at_hub(self, hub: str) -> ControlNet | None:
        """The ControlNet of a repository, from the hub's cache. :raises CannotLook:"""
        folder = files.snapshot(hub)
        found = _look(short(hub), folder, None) if folder is not None else None
        if found is not None and found.unread is not None:
            raise CannotLook(f"the ControlNet {found.name}", found.unread)
        return found if found is not None and found.problem is None else None


def weights_in(path: Path) -> Path | None:
    """The file with the weights: ``path`` itself, or the one in that folder; ``None``: missing. :raises CannotLook:"""
    if not plain_files.is_dir(path):
        return path if plain_files.is_file(path) else None
    return next((path / name for name in WEIGHTS if plain_files.is_file(path / name)), None)


def cached(hub: str) -> Path | None:
    """The snapshot of a repository, if it has all files of a ControlNet. :raises CannotLook:"""
    folder = files.snapshot(hub)
    whole = folder is not None and plain_files.is_file(folder / CONFIG) and weights_in(folder) is not None
    return folder if whole else None


def hash_of(weights: Path) -> str:
    """16 hex digits that tell files apart (``files.files_hash``), read in milliseconds. :raises OSError:"""
    return files.files_hash(weights.parent, [weights])


def short(hub: str) -> str:
    """A repository's name without its owner's."""
    return hub.rpartition("/")[2]


def _candidates(folder: Path) -> list[tuple[str, Path]]:
    """Files and folders with usable names, and what they are called; none where there is no folder.

    :raises CannotLook: at the folder
    """
    usable: list[tuple[str, Path]] = []
    for name in plain_files.names(folder)[: COUNT_MAX * 2]:
        path, stem = folder / name, name.removesuffix(ENDING)
        try:
            is_folder = plain_files.is_dir(path)
        except CannotLook:
            continue  # `unusable` names files that may be ControlNets
        if good_name(stem) and (is_folder or (stem != name and plain_files.is_file(path))):
            usable.append((name if is_folder else stem, path))
    return usable[:COUNT_MAX]


def _look(name: str, path: Path, patience: Patience | None) -> ControlNet | None:
    """``None``: it is gone, or a folder without a model's configuration. Never raises."""
    try:
        found = _found(name, path)
        return None if found is None else _read(found, patience)
    except plain_files.ABSENT:
        return None
    except OSError as error:
        why = error.strerror or type(error).__name__
    except CannotLook as error:
        why = error.why
    return ControlNet(name=name, path=path, weights=path, size=0, stamp=(), problem=headers.unread(why), unread=why)


def _found(name: str, path: Path) -> ControlNet | None:
    """A ControlNet with its stamp, unread. :raises OSError: :raises CannotLook:"""
    if not plain_files.is_dir(path):
        status = path.stat()
        stamp: tuple[int, ...] = (status.st_size, status.st_mtime_ns)
        return ControlNet(name=name, path=path, weights=path, size=status.st_size, stamp=stamp)
    about = (path / CONFIG).stat()
    weights = weights_in(path)
    stamp = (about.st_size, about.st_mtime_ns)
    if weights is None:
        return ControlNet(name=name, path=path, weights=path / WEIGHTS[0], size=0, stamp=stamp)
    status = weights.stat()
    stamp = (*stamp, status.st_size, status.st_mtime_ns)
    return ControlNet(name=name, path=path, weights=weights, size=status.st_size, stamp=stamp)


def _read(found: ControlNet, patience: Patience | None) -> ControlNet:
    """Fill in what its files say. :raises OSError: :raises CannotLook:"""
    if found.path != found.weights:
        if not found.size:
            return replace(found, problem=f"has no {WEIGHTS[0]} in its folder")
        if read_config(found.path) is None:
            return replace(found, problem=NO_CONTROLNET)
    if found.size > SIZE_MAX:
        return replace(found, problem=f"is larger than {SIZE_MAX // 1024**3} GB")
    try:
        return replace(found, **READER.ask("controlnet", found.weights, patience))
    except headers.BadFile as error:
        return replace(found, problem=str(error))


def examined(path: Path) -> dict[str, Any]:
    """The fields of ``ControlNet``, read from the file. :raises headers.BadFile: :raises OSError:"""
    header = headers.read(path)
    shapes = header.shapes
    if (why := quantisation.problem(header)) is not None:
        raise headers.BadFile(why)
    layout = layout_of(shapes)
    if layout == "?":
        raise headers.BadFile(NO_CONTROLNET)
    # SDXL's ControlNets have a size embedding.
    sdxl = any(key.rpartition("control_model.")[2].startswith(("add_embedding.", "label_emb.")) for key in shapes)
    return {"layout": layout, "width": _width(shapes), "family": "sdxl" if sdxl else "sd"}


def read_config(folder: Path) -> dict[str, object] | None:
    """A ControlNet's configuration; ``None`` for another model's, or an invalid one. :raises OSError: it cannot be
    read"""
    try:
        config = plain_files.read_json(folder / CONFIG, _CONFIG_MAX)
    except (*plain_files.ABSENT, plain_files.NotPlain, ValueError):
        return None
    return config if isinstance(config, dict) and config.get("_class_name") == "ControlNetModel" else None


def layout_of(shapes: Mapping[str, tuple[int, ...]]) -> Layout:
    """The naming scheme of a plain ControlNet. Others (ControlNet-XS and -Union, LLLite, T2I adapters, Control-LoRAs)
    lack one of these tensors, or have more."""
    keys = {key.removeprefix("control_model.") for key in shapes}
    if keys & {"task_embedding", "lora_controlnet"} or any(key.startswith("control_type") for key in keys):
        return "?"
    if {"controlnet_cond_embedding.conv_in.weight", "controlnet_mid_block.weight", "conv_in.weight"} <= keys:
        return "diffusers"
    return "ldm" if {"input_hint_block.0.weight", "middle_block_out.0.weight"} <= keys else "?"


def _width(shapes: Mapping[str, tuple[int, ...]]) -> int | None:
    """Width of its cross-attention; ``None`` for small nets without any."""
    widths = {shape[1] for key, shape in shapes.items() if key.endswith("attn2.to_k.weight") and len(shape) == 2}
    return widths.pop() if len(widths) == 1 else None
