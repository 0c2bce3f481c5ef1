"""A request as a worker understands it that does not resolve layers: one from before they came.

The defaults of room and instance become the request's own settings, as far as it has none. Such a worker takes them as
they are; what its model cannot do, it refuses with a sentence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .. import texts
from .active import CannotAsk

FEATURE = "layers"
NEW = ("layers", "most")
"""Fields that a worker without the feature refuses."""
_SETTINGS = ("model", "steps", "guidance_scale", "sampler", "negative_prompt")
_WISHES = ("style", "expand")
"""Of a layer, what such a worker cannot do at all."""
_SIZED = ("width", "height", "aspect", "init_image", "control")
"""Any of them says of a request how large its pictures are."""


def without_layers(body: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The body, and sentences on what is left out of it.

    :raises CannotAsk: more steps were asked for than the instance allows
    """
    layers = body.get("layers", ())
    found = {name: value for name, value in body.items() if name not in NEW}
    for layer in layers:
        for name in _SETTINGS:
            if layer.get(name) is not None:
                found.setdefault(name, layer[name])
        if layer.get("size") is not None and not any(found.get(name) is not None for name in _SIZED):
            found["width"], found["height"] = layer["size"]
    notes = list(_limit_steps(body, found))
    lost = [name for name in _WISHES if name not in body and any(layer.get(name) for layer in layers)]
    return found, notes + [texts.too_old_for_default(f"--{name}") for name in lost]


def _limit_steps(body: Mapping[str, Any], found: dict[str, Any]) -> Iterator[str]:
    """What was asked for is refused, and a default is lowered."""
    most, steps = (body.get("most") or {}).get("steps"), found.get("steps")
    if most is None or steps is None or steps <= most:
        return
    if "steps" in body:
        raise CannotAsk(f"❌ {texts.too_many_steps(most, None)}")
    found["steps"] = most
    yield texts.steps_lowered(most, steps)
