"""How much memory a model needs: its weights by component, and what drawing takes on top. Free of torch.

Where a model's files are here, their headers are counted; for the others ``sizes.json`` beside this file says what
their published configurations amount to (made by ``benchmarks/full_size.py``). It also says which of a component's
values are kept in larger numbers than the others; of a model whose files are here, it is the same share.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..errors import CannotLook
from ..families import Computing
from ..schemas.draw_files import ControlFiles, LoraFile
from . import controlnets, files, headers, plain_files, vae_files
from .entries import REFINER_PART, ModelEntry, Transformer
from .header_reader import READER

DECODE_BYTES = 1535
"""Bytes per pixel of a VAE decode in half precision: 0.91 GB at 768x768 and 1.61 GB at 1024x1024, for every decoder of
today (128, 256, 512 and 512 channels)."""
GGUF_BYTES = 4.5 / 8
"""Bytes per value assumed for a quantised transformer (``Q4_K``, ``Q4_0``) whose file is not here."""
ENCODE_BYTES = 60_000_000
"""Activation memory of a text encoder in bytes."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One component's weights."""

    values: int
    largest: int
    """Values of its largest layer."""
    spared: int = 0
    """Values always stored in the computing format: embeddings, norms."""
    sensitive: int = 0
    """Values that are not stored in 8 bits, ``spared`` included."""
    value_bytes: float | None = None
    """Bytes per value of a quantised file; ``None``: by the precision."""

    def bytes(self, stored: float, compute: float = 0, *, eight_bits: bool = False) -> int:
        """Bytes of the weights. ``stored``, ``compute``: bytes per value in storage and in computation. ``eight_bits``:
        castable values take one byte."""
        if self.value_bytes is not None:
            return int(self.values * self.value_bytes)
        small = self.values - self.sensitive if eight_bits else 0
        return int(small + (self.values - small) * stored + self.spared * max(compute - stored, 0))

    def shared_as(self, other: Part | None) -> Part:
        """The same with the other part's shares of spared and sensitive values."""
        if other is None or other.values == 0:
            return self
        of = self.values / other.values
        return replace(self, spared=round(of * other.spared), sensitive=round(of * other.sensitive))


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What one model needs."""

    parts: Mapping[str, Part]
    computing: Computing
    upcasts: bool = False
    """Its VAE computes in fp32 while stored in fp16."""
    steering: Part | None = None
    """The ControlNet, on the card only beside the computing denoiser."""
    loras: int = 0
    """Values of the LoRAs, which stay on the card for the whole picture."""

    @property
    def quantised(self) -> bool:
        """Whether its files are quantised already."""
        return any(part.value_bytes is not None for part in self.parts.values())

    def weights(self, stored: float, compute: float = 0) -> int:
        return sum(part.bytes(stored, compute) for part in self.parts.values())

    def is_denoiser(self, name: str) -> bool:
        """Whether that part is a denoiser: the model's, or the refiner's."""
        return name.removeprefix("refiner.") == self.computing.denoiser


def needs_of(entry: ModelEntry) -> Needs:
    """The model's needs: from its files' headers if they are here, else as published."""
    computing = entry.abilities.computing
    usual = _published(entry, computing)
    counted = _counted(entry.here(), entry.variant, without=entry.absent) or usual
    parts = {name: part.shared_as(usual.get(name)) for name, part in counted.items()}
    parts = {name: part for name, part in parts.items() if name not in entry.without}
    if entry.transformer is not None:  # it replaces the model's own, which is not here
        own = parts.get("transformer") or usual["transformer"]
        parts["transformer"] = _replaced(entry.transformer, own)
    if entry.refiner is not None:
        refining = _counted(entry.refiner.here(), entry.refiner.variant, only=REFINER_PART) or {}
        # The second text encoder and the VAE are the base's.
        refiner = published("sdxl-refiner")[REFINER_PART]
        parts["refiner.unet"] = refining.get(REFINER_PART, refiner).shared_as(refiner)
    return Needs(parts=MappingProxyType(parts), computing=computing, upcasts=_upcasts(entry))


def _upcasts(entry: ModelEntry) -> bool:
    """By the settings of the decoder that will be loaded, as far as they are here. One of a hub in the place of the
    model's own that is not here counts as one that need not, unless the model itself is: then its own will do."""
    settings = entry.vae_settings()
    if entry.vae_path is not None:
        settings = vae_files.settings(Path(entry.vae_path), settings)
    elif entry.vae is not None and (other := files.snapshot(entry.vae)) is not None:
        settings = vae_files.settings(other, settings)
    elif entry.vae is not None and entry.here() is None:
        return False
    return entry.abilities.upcasts(settings)


def steered(needs: Needs, control: ControlFiles | None) -> Needs:
    """Needs with the task's ControlNet, if its file is here."""
    if control is None or control.scale == 0 or control.path is None:
        return needs
    weights = controlnets.weights_in(Path(control.path))
    try:
        stored = READER.ask("values", weights) if weights is not None else {"values": 0, "largest": 0}
    except (headers.BadFile, OSError, CannotLook):
        return needs
    return replace(needs, steering=Part(**stored))


def with_loras(needs: Needs, loras: Iterable[LoraFile]) -> Needs:
    """Needs with the task's active LoRAs. Errors in files are reported when loading."""
    values = 0
    for lora in loras:
        if lora.weight != 0.0:
            with contextlib.suppress(headers.BadFile, OSError, CannotLook):
                values += READER.ask("values", Path(lora.path))["values"]
    return replace(needs, loras=values)


def _counted(
    folder: Path | None, variant: str | None, *, without: Collection[str] = (), only: str | None = None
) -> dict[str, Part] | None:
    """``None``: nothing is here, or it is broken (loading says what is wrong with it), or it is one file."""
    if folder is None or not plain_files.is_dir(folder):
        return None
    parts: dict[str, Part] = {}
    variant = variant if files.has_variant(folder, variant) else None
    try:
        paths = files.component_files(folder, only, variant) if only else files.weight_files(folder, variant, without)
        for path in paths:
            stored, known = READER.ask("values", path), parts.get(path.parent.name, Part(values=0, largest=0))
            parts[path.parent.name] = Part(
                values=known.values + stored["values"], largest=max(known.largest, stored["largest"])
            )
    except (files.BrokenFile, headers.BadFile, OSError):
        return None
    return parts


def _published(entry: ModelEntry, computing: Computing) -> dict[str, Part]:
    return published(entry.kind() or computing.kind)


@cache
def _sizes() -> dict[str, dict[str, dict[str, Any]]]:
    loaded: dict[str, dict[str, dict[str, Any]]] = json.loads(Path(__file__).with_name("sizes.json").read_text())
    return loaded


def published(kind: str) -> dict[str, Part]:
    """By component. :raises KeyError: no such kind"""
    return {name: Part(**numbers) for name, numbers in _sizes()[kind].items()}


def _replaced(transformer: Transformer, own: Part) -> Part:
    """The transformer as a single file of its own."""
    if not transformer.file.endswith(".gguf"):
        return own
    path = transformer.here()
    found = plain_files.status(path) if path is not None else None
    value_bytes = GGUF_BYTES if found is None else found.st_size / own.values
    return replace(own, value_bytes=value_bytes)
