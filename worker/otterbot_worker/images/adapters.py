# mypy: disallow-untyped-calls=False
"""LoRAs at work: beside the layers of a pipeline, never in them.

A LoRA adds ``weight * up(down(x))`` to what a layer gives. Here that is done by forward hooks which exist while a
picture is drawn. No parameter is written, no module replaced, no tokenizer touched, so there is nothing to take
back: after a picture, a cancel, or a file that turns out to be broken, the base is what it was, byte for byte.
(diffusers' own loader swaps modules for PEFT's, has to lift offloading for it, and passes by keys that it does not
know.) The names in files of kohya's trainer are translated by diffusers; after that every key has to find its layer.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch.nn import functional

from ..errors import JobFailed, look_failed
from ..models.loras import other_kind

COMPONENTS = ("unet", "text_encoder", "text_encoder_2")
FITTING_SHARE = 0.5
"""With fewer of its layers in the model, a LoRA was made for something else. Pruned models (SSD-1B) lack some."""

_KOHYA = ("lora_unet_", "lora_te_", "lora_te1_", "lora_te2_")
_HALVES: tuple[tuple[re.Pattern[str], dict[str, str]], ...] = (
    (re.compile(r"^(.+)\.lora_(A|B)(?:\.default)?\.weight$"), {"A": "down", "B": "up"}),
    (re.compile(r"^(.+?)(?:\.lora|\.lora_linear_layer)\.(down|up)\.weight$"), {}),
    (re.compile(r"^(.+)_lora\.(down|up)\.weight$"), {}),
)
_ATTENTION_OF_CLIP = {"to_q": "q_proj", "to_k": "k_proj", "to_v": "v_proj", "to_out": "out_proj"}
_EXACT = (torch.float32, torch.float16, torch.bfloat16)

Place = tuple[str, str]
"""Component and the module's name in it."""


@dataclass(kw_only=True)
class _Layer:
    """Two halves of one layer's addition: ``down`` (rank, in…), ``up`` (out, rank…)."""

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


class Adapters:
    """The LoRAs of one loaded pipeline. Keeps those of the last picture, so that a new weight costs nothing."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], _Lora] = {}

    def load(self, pipe: Any, wanted: Sequence[Mapping[str, Any]], loading: Callable[[], None]) -> list[str]:
        """Have these (``{name, path, hash, weight}``) in memory and no others; notes for people.

        ``loading`` is called before a file is read. :raises JobFailed: ``lora_broken``, ``lora_missing``
        """
        keys = {(str(lora["path"]), str(lora["hash"])): str(lora["name"]) for lora in wanted}
        self._kept = {key: kept for key, kept in self._kept.items() if key in keys}
        for key, name in keys.items():
            if key not in self._kept:
                loading()
                self._kept[key] = _read(pipe, name, Path(key[0]), key[1])
        return [note for key in keys for note in self._kept[key].notes]

    def in_encoders(self, wanted: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, float], ...]:
        """Hash and weight of those that change what a prompt's embeddings are, in order."""
        return tuple(
            (str(lora["hash"]), float(lora["weight"]))
            for lora in wanted
            if float(lora["weight"]) != 0.0
            and any(
                component.startswith("text_encoder")
                for component, _ in self._kept[str(lora["path"]), str(lora["hash"])].layers
            )
        )

    @contextmanager
    def applied(self, pipe: Any, wanted: Sequence[Mapping[str, Any]]) -> Iterator[None]:
        """They act in here, in the order of ``wanted`` (sums in another order would be other pixels)."""
        additions: dict[Place, list[tuple[float, _Layer]]] = {}
        for lora in wanted:
            weight = float(lora["weight"])
            if weight == 0.0:
                continue
            for place, layer in self._kept[str(lora["path"]), str(lora["hash"])].layers.items():
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
    if (kind := other_kind(state)) is not None:
        raise _broken(name, f"it is {kind}, not a plain LoRA")
    if not all(bool(torch.isfinite(tensor.float()).all()) for tensor in state.values() if tensor.is_floating_point()):
        raise _broken(name, "it holds numbers that are not finite")
    try:
        state = _fold_alphas(state, metadata)
        if state and all(key.startswith(_KOHYA) for key in state):
            # Only SDXL's trainers use the names of the original U-Net; its configuration says where its blocks are.
            blocks = {"unet_config": pipe.unet.config} if hasattr(pipe, "text_encoder_2") else {}
            state, _ = pipe.lora_state_dict(state, **blocks)
        pairs = _pairs(pipe, state)
    except (ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RuntimeError):
        raise _broken(name, "its layers have names that are not known here") from None
    return _fit(pipe, name, pairs)


def _fold_alphas(state: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> dict[str, torch.Tensor]:
    """Every layer's scale (alpha / rank) becomes part of its ``up`` half, in fp32; what is left are halves alone."""
    configured = _configured_scales(metadata)
    alphas = {key.removesuffix(".alpha"): tensor for key, tensor in state.items() if key.endswith(".alpha")}
    folded = {key: tensor.float() for key, tensor in state.items() if not key.endswith(".alpha")}
    for key, tensor in folded.items():
        base = re.sub(r"\.(lora_up|lora_B(\.default)?|lora\.up|lora_linear_layer\.up)\.weight$", "", key)
        if base == key or tensor.ndim < 2:
            continue
        rank = tensor.shape[1]
        if base in alphas:
            folded[key] = tensor * (float(alphas.pop(base)) / rank)
        elif configured is not None:
            folded[key] = tensor * configured(base, rank)
    if alphas:
        raise ValueError("alphas without a layer")
    return folded


def _configured_scales(metadata: Mapping[str, str]) -> Callable[[str, int], float] | None:
    """What diffusers' own trainers write into the header: the adapter's configuration by component."""
    text = metadata.get("lora_adapter_metadata")
    if not text:
        return None
    said = json.loads(text)
    if not isinstance(said, dict):
        return None

    def scale(base: str, rank: int) -> float:
        component, _, module = base.partition(".")
        patterns = said.get(f"{component}.alpha_pattern") or {}
        fitting = (alpha for name, alpha in patterns.items() if module == name or module.endswith(f".{name}"))
        alpha = float(next(fitting, said.get(f"{component}.lora_alpha", rank)))
        return alpha / (rank**0.5 if said.get(f"{component}.use_rslora") else rank)

    return scale


def _pairs(pipe: Any, state: Mapping[str, torch.Tensor]) -> dict[Place, dict[str, torch.Tensor]]:
    """Both halves by place. :raises ValueError: a key is no half of anything"""
    pairs: dict[Place, dict[str, torch.Tensor]] = {}
    for key, tensor in state.items():
        plain = key.replace(".processor.", ".").removeprefix("base_model.model.")
        component = next((name for name in COMPONENTS if plain.startswith(f"{name}.")), None)
        rest = plain.removeprefix(f"{component}.") if component else plain
        for pattern, halves in _HALVES:
            if match := pattern.match(rest):
                place = (component or "unet", _module(pipe, component or "unet", match[1]))
                half = str(match[2])
                pairs.setdefault(place, {})[halves.get(half, half)] = tensor
                break
        else:
            raise ValueError("a key that is no half of a layer")
    if not pairs or any(set(halves) != {"down", "up"} for halves in pairs.values()):
        raise ValueError("halves are missing")
    return pairs


def _module(pipe: Any, component: str, name: str) -> str:
    """The name as this version of the libraries has it."""
    head, _, last = name.rpartition(".")
    if component == "unet":
        return f"{name}.0" if last == "to_out" else name
    if last in _ATTENTION_OF_CLIP:
        name = f"{head}.{_ATTENTION_OF_CLIP[last]}"
    inner = hasattr(getattr(pipe, component, None), "text_model")
    if inner and not name.startswith(("text_model.", "text_projection")):
        return f"text_model.{name}"
    return name if inner else name.removeprefix("text_model.")


# ---------------------------------------------------------------- into the model


def _fit(pipe: Any, name: str, pairs: Mapping[Place, Mapping[str, torch.Tensor]]) -> _Lora:
    """:raises JobFailed: too many layers are not there, or one has another shape"""
    modules = {
        (component, inner): module
        for component in COMPONENTS
        if isinstance(getattr(pipe, component, None), torch.nn.Module)
        for inner, module in getattr(pipe, component).named_modules()
    }
    layers: dict[Place, _Layer] = {}
    for place, halves in pairs.items():
        module = modules.get(place)
        if module is None:
            continue
        layer = _layer(module, halves["down"], halves["up"])
        if layer is None:
            raise _broken(name, "it was made for another kind of model")
        layers[place] = layer
    if len(layers) < len(pairs) * FITTING_SHARE:
        raise _broken(name, "it was made for another kind of model")
    notes = []
    if len(layers) < len(pairs):
        notes.append(f"Of the LoRA {name}, {len(layers)} of {len(pairs)} layers exist in this model and were used.")
    return _Lora(layers=layers, notes=notes)


def _layer(module: torch.nn.Module, down: torch.Tensor, up: torch.Tensor) -> _Layer | None:
    """``None`` where the shapes do not fit."""
    if isinstance(module, torch.nn.Linear):
        # A 1x1 convolution and a linear layer are the same thing, and models have it either way.
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
    # The layer's weights may be kept in fewer bits than it computes with; its input says which those are.
    dtype = module.weight.dtype if module.weight.dtype in _EXACT else torch.float32
    return _Layer(down=down.to(dtype).contiguous(), up=up.to(dtype).contiguous())


def _squeezed(half: torch.Tensor) -> torch.Tensor:
    return half[:, :, 0, 0] if half.ndim == 4 and tuple(half.shape[2:]) == (1, 1) else half
