"""Tensors that change the meaning of others: scales, lookup tables, deltas. Free of torch; reads names and shapes.

8-bit weights with a scale are supported (``scales``; ``images.load.scaled_weights`` multiplies). Other tensors beside a
weight, except biases, are refused by name: ignoring them would use wrong weights.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .headers import BadFile, Header, read, values

SCALES = (".scale_weight", ".weight_scale")
"""Behind a layer's name: one number for its weight, or one for each of its rows, by which that is multiplied."""
PASSED = (".scale_input", ".input_scale")
"""Scales of 8-bit inputs, which are not used here."""
MARKS = ("scaled_fp8", ".comfy_quant")
"""Marks of scaled files; the scales themselves are found by their names."""

_FORMS = {
    **dict.fromkeys((".weight_scale_2", ".weight_global_scale"), "NVFP4"),
    **dict.fromkeys((".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map"), "bitsandbytes"),
    **dict.fromkeys((".SCB", ".weight_format", ".quant_state"), "bitsandbytes"),
    **dict.fromkeys((".qweight", ".qzeros", ".g_idx"), "GPTQ or AWQ"),
    **dict.fromkeys((".wscales", ".wtscale", ".wcscales", ".smooth_factor"), "SVDQuant (Nunchaku)"),
    **{".weight._data": "quanto", ".W_q": "HQQ", "_weight_qdata": "torchao"},
    ".weight_scale_inv": "FP8 in blocks",
    ".qscale": "a form of its own",
}
_BESIDE = frozenset({"weight", "bias", "alpha", "running_mean", "running_var", "num_batches_tracked"})
"""Tensors beside a weight that do not change its meaning."""
_STEPS_MAX = 32
"""Parts of a name. No model has longer ones, and checking all prefixes is quadratic."""
_INTEGERS = frozenset({"I8", "U8", "I16", "U16", "I32", "U32", "I64", "U64", "BOOL"})
_WHOLE = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
_DIFFERENCE = "holds only the difference to another model, as old ControlNets may, and cannot be drawn with by itself"

Shapes = Mapping[str, tuple[int, ...]]


def problem(header: Header) -> str | None:
    """Why the file's weights cannot be read as they are meant, as the end of a sentence."""
    said = header.metadata.get("_quantization_metadata", "")
    return problem_of_names(header.shapes, header.types) or _layers_said(said, header.shapes)


def problem_of_names(shapes: Shapes, types: Mapping[str, str] | None = None) -> str | None:
    """As ``problem``, by names and shapes. ``types``: as in a safetensors file, where known."""
    types = types or {}
    if "difference" in shapes:
        return _DIFFERENCE
    for name in shapes:
        for end, form in _FORMS.items():
            if name.endswith(end) or f"{end}." in name:
                return _refused(form)
    for name in shapes:
        if (why := _of_one(name, shapes, types)) is not None:
            return why
    whole = next((kind for name, kind in types.items() if name.endswith(".weight") and kind in _INTEGERS), None)
    return None if whole is None else _refused(f"whole numbers without scales ({whole})")


def problem_of_lora(shapes: Shapes) -> str | None:
    """As ``problem``, for a LoRA, whose halves must be plain."""
    if any(name.endswith(SCALES) for name in shapes):
        return "holds a scale for its weights, which is not read in LoRAs"
    return problem_of_names(shapes)


def scales(names: Iterable[str]) -> dict[str, str]:
    """Name of a weight → name of its scale."""
    known = set(names)
    return {
        weight: name
        for name in known
        for end in SCALES
        if name.endswith(end) and (weight := f"{name.removesuffix(end)}.weight") in known
    }


def needless(name: str) -> bool:
    """Whether the tensor can be ignored once scales are multiplied."""
    return name.endswith((*SCALES, *PASSED, *MARKS))


def examined_part(path: Path) -> dict[str, Any]:
    """As ``headers.examined_values``, of a file whose reader passes scales by. :raises BadFile: :raises OSError:"""
    header = read(path)
    if (why := problem(header)) is not None:
        raise BadFile(why)
    if scaled := next(iter(scales(header.shapes).values()), None):
        raise BadFile(f"holds scaled weights (`{_shown(scaled.rpartition('.')[2])}`), which only single files may")
    return values(header)


def _of_one(name: str, shapes: Shapes, types: Mapping[str, str]) -> str | None:
    stem, _, last = name.rpartition(".")
    weight = f"{stem}.weight"
    if name.endswith(SCALES):
        return _scaled(name, weight, shapes, types)
    if name.endswith(".comfy_quant"):
        if types.get(weight, "F8_E4M3") not in _WHOLE:
            return _refused(f"a form of ComfyUI's in {types[weight]}")
        if f"{stem}.weight_scale" not in shapes:
            return _refused("a form of ComfyUI's without scales")
        return None
    if needless(name):
        return None
    if weight in shapes and last not in _BESIDE:
        return f"holds a tensor of unknown meaning beside a weight (`{_shown(last)}`), so the weight may mean another"
    if last not in _BESIDE and _within_another(name, shapes):
        return f"holds a tensor of unknown meaning within another's name (`{_shown(last)}`)"
    return None


def _within_another(name: str, shapes: Shapes) -> bool:
    steps = name.split(".")
    return len(steps) <= _STEPS_MAX and any(".".join(steps[:end]) in shapes for end in range(1, len(steps)))


def _scaled(name: str, weight: str, shapes: Shapes, types: Mapping[str, str]) -> str | None:
    shape = shapes.get(weight)
    if shape is None:
        return f"holds a scale without its weight (`{_shown(name.rpartition('.')[2])}`)"
    if types.get(weight, "F32") not in _WHOLE:
        return _refused("NVFP4" if types[weight] in ("U8", "F4") else f"scaled {types[weight]}")
    rows = shape[0] if shape else 1
    values = math.prod(shapes[name])
    by_row = values == rows and all(side == 1 for side in shapes[name][1:])
    return None if values == 1 or by_row else _refused("weights scaled in blocks (as MXFP8)")


def _layers_said(text: str, shapes: Shapes) -> str | None:
    """Layers quantised according to ComfyUI's metadata, which may be in the header alone."""
    if not text:
        return None
    try:
        layers = json.loads(text).get("layers", {})
        forms = {str(name): str(about.get("format", "")) for name, about in layers.items()}
    except (ValueError, AttributeError, RecursionError):
        return _refused("a form that its header does not say clearly")
    for name, form in forms.items():
        if not form.startswith("float8_") or f"{name}.weight_scale" not in shapes:
            return _refused(_shown(form) or "an unknown form")
    return None


def _refused(form: str) -> str:
    return f"is quantised as {form}, which cannot be drawn with: take it in 16 bits, as scaled FP8 or as GGUF"


def _shown(text: str) -> str:
    return "".join(c for c in text if c.isalnum() or c in "_-")[:40]
