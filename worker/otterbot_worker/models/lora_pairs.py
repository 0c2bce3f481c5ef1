"""Whether the halves of a LoRA belong together, by names and shapes alone: for the list and for the engine. Free of
torch."""

from __future__ import annotations

from collections.abc import Mapping

from . import lora_names

Shape = tuple[int, ...]


def problem(shapes: Mapping[str, Shape]) -> str | None:
    """Why its layers cannot be used, as the end of a sentence. Layers with unknown names are not checked."""
    layers: dict[str, dict[lora_names.Part, Shape]] = {}
    adapters: set[str] = set()
    for name, shape in shapes.items():
        half = lora_names.read(name)
        if half is None or lora_names.place(half[0]) is None:
            continue
        parts = layers.setdefault(half[0], {})
        if half[1] != "alpha":
            adapters.add(lora_names.adapter(name))
        if len(adapters) > 1:
            return "holds several adapters, and nothing says which of them is meant"
        if half[1] in parts:
            return "holds one of its layers twice"
        parts[half[1]] = shape
    whole = {stem: parts for stem, parts in layers.items() if parts.keys() != {"alpha"}}
    if len({lora_names.place(stem) for stem in whole}) < len(whole):
        return "holds one of its layers twice"
    return next((why for parts in whole.values() if (why := _problem_of_one(parts))), None)


def _problem_of_one(parts: Mapping[lora_names.Part, Shape]) -> str | None:
    down, up = parts.get("down"), parts.get("up")
    if down is None or up is None:
        return f"lacks the half `{'down' if down is None else 'up'}` of one of its layers"
    if len(down) < 2 or len(up) < 2 or down[0] != up[1] or not down[0]:
        return "holds two halves of one layer that do not fit each other"
    return None
