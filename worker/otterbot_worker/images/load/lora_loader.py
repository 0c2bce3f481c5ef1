# mypy: disallow-untyped-calls=False
"""LoRAs as forward hooks beside a pipeline's layers; no weight is changed.

A LoRA adds ``weight * up(down(x))`` to what a layer gives. Here forward hooks do that while a picture is drawn. No
parameter is written and no module replaced, so there is nothing to undo after a picture, a cancel or a broken file: the
base stays the same byte for byte. (diffusers' own loader replaces modules by PEFT's, has to remove offloading for it,
and ignores unknown keys.) Names are read by ``models.lora_names``; ignored tensors are counted and named in a note.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch.nn import functional

from ...errors import JobFailed, look_failed
from ...models import lora_names, lora_pairs, quantisation
from ...schemas.draw_files import LoraFile

COMPONENTS = ("unet", "text_encoder", "text_encoder_2")
FITTING_SHARE = 0.5
"""With a smaller share of its layers in the model, a LoRA was made for another model. Pruned models (SSD-1B) lack some
layers."""

_EXACT = (torch.float32, torch.float16, torch.bfloat16)

Place = tuple[str, str]
"""Component and the module's name in it."""
_Halves = tuple[torch.Tensor, torch.Tensor]
"""``down`` and ``up``."""


@dataclass(kw_only=True)
class _Layer:
    """The two halves for one layer: ``down`` (rank, in…), ``up`` (out, rank…)."""

    down: torch.Tensor
    up: torch.Tensor

    def __call__(self, module: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        if self.down.dtype != x.dtype or self.down.device != x.device:
            self.down, self.up = self.down.to(x), self.up.to(x)
        if isinstance(module, torch.nn.Conv2d):
            inner = functional.conv2d(x, self.down, None, module.stride, module.padding, module.dilation)
            return functional.conv2d(inner, self.up)
        return functional.linear(functional.linear(x, self.down), self.up)


@dataclass(kw_only=True)
class _Lora:
    layers: dict[Place, _Layer]
    notes: list[str]


class LoadedLoras:
    """The LoRAs of one loaded pipeline. Keeps those of the last picture, so that a new weight costs nothing."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], _Lora] = {}

    def load(self, pipe: Any, wanted: Sequence[LoraFile], loading: Callable[[], None]) -> list[str]:
        """Load these LoRAs and drop all others. Returns notes.

        ``loading`` is called before a file is read. :raises JobFailed: ``lora_broken``, ``lora_missing``
        """
        keys = {(lora.path, lora.hash): lora.name for lora in wanted}
        self._kept = {key: kept for key, kept in self._kept.items() if key in keys}
        for key, name in keys.items():
            if key not in self._kept:
                loading()
                self._kept[key] = _read(pipe, name, Path(key[0]), key[1])
        return [note for key in keys for note in self._kept[key].notes]

    def in_encoders(self, wanted: Sequence[LoraFile]) -> tuple[tuple[str, float], ...]:
        """Hash and weight of the LoRAs that change text encoders, in order: a part of the prompt cache's key."""
        return tuple(
            (lora.hash, lora.weight)
            for lora in wanted
            if lora.weight != 0.0
            and any(component.startswith("text_encoder") for component, _ in self._kept[lora.path, lora.hash].layers)
        )

    @contextmanager
    def applied(self, pipe: Any, wanted: Sequence[LoraFile]) -> Iterator[None]:
        """Context in which the LoRAs act, added in the order of ``wanted``: another order of sums gives other
        pixels."""
        additions: dict[Place, list[tuple[float, _Layer]]] = {}
        for lora in wanted:
            weight = lora.weight
            if weight == 0.0:
                continue
            for place, layer in self._kept[lora.path, lora.hash].layers.items():
                additions.setdefault(place, []).append((weight, layer))
        handles = []
        try:
            for (component, name), parts in additions.items():
                module = getattr(pipe, component).get_submodule(name)
                handles.append(module.register_forward_hook(_hook(parts)))
            yield
        finally:
            for handle in handles:
                handle.remove()


def _hook(parts: list[tuple[float, _Layer]]) -> Callable[[torch.nn.Module, tuple[Any, ...], torch.Tensor], Any]:
    def add(module: torch.nn.Module, arguments: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        for weight, layer in parts:
            output = output + layer(module, arguments[0]) * weight
        return output

    return add


# ---------------------------------------------------------------- from the file


def _broken(name: str, why: str) -> JobFailed:
    return JobFailed("lora_broken", f"The LoRA {name} cannot be used: {why}.", {"lora": name})


def read_tensors(path: Path, expected: str) -> tuple[dict[str, torch.Tensor], dict[str, str]] | None:
    """A file's tensors and metadata from the same bytes that were hashed; ``None`` where the hash is another.

    :raises OSError: :raises safetensors.SafetensorError:
    """
    raw = path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != expected:
        return None
    length = int.from_bytes(raw[:8], "little")
    notes = json.loads(raw[8 : 8 + length]).get("__metadata__", {})
    return safetensors.torch.load(raw), notes if isinstance(notes, dict) else {}


def _read(pipe: Any, name: str, path: Path, expected: str) -> _Lora:
    """:raises JobFailed:"""
    try:
        found = read_tensors(path, expected)
    except OSError as error:
        look_failed(error, f"the LoRA {name}")
        raise JobFailed("lora_missing", f"The LoRA {name} is not on the worker any more.", {"lora": name}) from None
    except (safetensors.SafetensorError, ValueError, LookupError, TypeError, RecursionError, AttributeError):
        raise _broken(name, "its file is cut off or no safetensors file") from None
    if found is None:
        raise _broken(name, "its file was changed after this was asked for; please ask again")
    state, metadata = found
    if (kind := lora_names.other_kind(state)) is not None:
        raise _broken(name, f"it is {kind}, not a plain LoRA")
    shapes = {key: tuple(tensor.shape) for key, tensor in state.items()}
    if (why := quantisation.problem_of_lora(shapes) or lora_pairs.problem(shapes)) is not None:
        raise _broken(name, f"it {why}")
    try:
        layers, left_out = _layers(state)
        if not all(bool(torch.isfinite(half).all()) for halves in layers.values() for half in halves.values()):
            raise _broken(name, "it holds numbers that are not finite")
        pairs = _pairs(layers, metadata, left_out)
    except (ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RuntimeError):
        raise _broken(name, "its layers have names that are not known here, or are not whole") from None
    lora = _fit(pipe, name, pairs)
    if (note := lora_names.left_out_note(name, left_out)) is not None:
        lora.notes.append(note)
    return lora


_Layers = dict[str, dict[str, torch.Tensor]]


def _layers(state: Mapping[str, torch.Tensor]) -> tuple[_Layers, list[str]]:
    """The file's layers by name, in fp32, and the names of the tensors that belong to none.

    :raises ValueError: two tensors are the same part of one
    """
    layers: _Layers = {}
    left_out: list[str] = []
    for key, tensor in state.items():
        found = lora_names.read(key)
        if found is None or lora_names.place(found[0]) is None:
            left_out.append(key)
            continue
        stem, part = found
        if part in layers.setdefault(stem, {}):
            raise ValueError("several adapters in one file")
        layers[stem][part] = tensor.float()
    for stem in [stem for stem, parts in layers.items() if set(parts) == {"alpha"}]:
        left_out += [key for key in state if key == f"{stem}.alpha"]
        del layers[stem]
    return layers, left_out


def _configured_scales(metadata: Mapping[str, str]) -> Callable[[str, str, int], float] | None:
    """The scales that diffusers' trainers write into the header: the adapter's configuration by component."""
    text = metadata.get("lora_adapter_metadata")
    if not text:
        return None
    said = json.loads(text)
    if not isinstance(said, dict):
        return None

    def scale(component: str, stem: str, rank: int) -> float:
        patterns = said.get(f"{component}.alpha_pattern") or {}
        fitting = (alpha for name, alpha in patterns.items() if stem == name or stem.endswith(f".{name}"))
        alpha = float(next(fitting, said.get(f"{component}.lora_alpha", rank)))
        return alpha / (rank**0.5 if said.get(f"{component}.use_rslora") else rank)

    return scale


def _pairs(layers: _Layers, metadata: Mapping[str, str], left_out: list[str]) -> dict[Place, _Halves]:
    """Both halves by place, with the layer's scale (alpha / rank) multiplied into ``up``.

    :raises ValueError: one half is missing, or there is no layer at all
    """
    configured = _configured_scales(metadata)
    pairs: dict[Place, _Halves] = {}
    for stem, parts in layers.items():
        place = lora_names.place(stem)
        if place is None or place in pairs or not {"down", "up"} <= parts.keys():
            raise ValueError("a layer that is not whole, or is there twice")
        up, rank = parts["up"], parts["up"].shape[1]
        if "alpha" in parts:
            up = up * (float(parts["alpha"]) / rank)
        elif configured is not None:
            up = up * configured(place[0], stem, rank)
        pairs[place] = parts["down"], up
    if not pairs:
        raise ValueError("no layers")
    return pairs


# ---------------------------------------------------------------- into the model


def _fit(pipe: Any, name: str, pairs: Mapping[Place, _Halves]) -> _Lora:
    """:raises JobFailed: too many layers are not there, or one has another shape"""
    modules = {component: _modules(pipe, component) for component in COMPONENTS}
    layers: dict[Place, _Layer] = {}
    for (component, flat), (down, up) in pairs.items():
        inner, module = modules[component].get(flat, ("", None))
        if module is None:
            continue
        if (component, inner) in layers:
            raise _broken(name, "one of its layers is there twice, under two names")
        layer = _layer(module, down, up)
        if layer is None:
            raise _broken(name, "it was made for another kind of model")
        layers[component, inner] = layer
    if len(layers) < len(pairs) * FITTING_SHARE:
        raise _broken(name, "it was made for another kind of model")
    notes = []
    if len(layers) < len(pairs):
        notes.append(f"Of the LoRA {name}, {len(layers)} of {len(pairs)} layers exist in this model and were used.")
    return _Lora(layers=layers, notes=notes)


def _modules(pipe: Any, component: str) -> dict[str, tuple[str, torch.nn.Module]]:
    """Possible layer names in files → the layer's name and module."""
    part = getattr(pipe, component, None)
    if not isinstance(part, torch.nn.Module):
        return {}
    known = dict(part.named_modules())
    layers = getattr(part, "config", None)
    count = getattr(layers, "layers_per_block", 0)
    ways = lora_names.table(component, known, count if isinstance(count, int) else 0)
    return {way: (name, known[name]) for way, name in ways.items()}


def _layer(module: torch.nn.Module, down: torch.Tensor, up: torch.Tensor) -> _Layer | None:
    """``None`` where the shapes do not fit."""
    if isinstance(module, torch.nn.Linear):
        # A 1x1 convolution equals a linear layer, and models have either.
        down, up = _squeezed(down), _squeezed(up)
        right = (down.ndim, up.ndim) == (2, 2)
        right = right and (down.shape[1], up.shape[0]) == (module.in_features, module.out_features)
    elif isinstance(module, torch.nn.Conv2d) and module.groups == 1:
        down, up = (half[:, :, None, None] if half.ndim == 2 else half for half in (down, up))
        right = (down.ndim, up.ndim) == (4, 4) and tuple(up.shape[2:]) == (1, 1)
        right = right and (down.shape[1], up.shape[0]) == (module.in_channels, module.out_channels)
        right = right and tuple(down.shape[2:]) == tuple(module.kernel_size)
    else:
        return None
    if not right or down.shape[0] != up.shape[1]:
        return None
    # Compute in the input's dtype: the weights may be stored in fewer bits.
    dtype = module.weight.dtype if module.weight.dtype in _EXACT else torch.float32
    return _Layer(down=down.to(dtype).contiguous(), up=up.to(dtype).contiguous())


def _squeezed(half: torch.Tensor) -> torch.Tensor:
    return half[:, :, 0, 0] if half.ndim == 4 and tuple(half.shape[2:]) == (1, 1) else half
