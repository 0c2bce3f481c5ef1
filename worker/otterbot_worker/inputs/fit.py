"""Which size is drawn from a picture, how many steps that takes, and the sentence that says so. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

STRENGTH = 0.6
"""How much of the picture is drawn anew where nobody says: it keeps the picture; 0.94 mostly replaces it."""


class Limits(Protocol):
    """``models.catalogue.Limits``; pixels."""

    @property
    def size_min(self) -> int: ...
    @property
    def size_max(self) -> int: ...
    @property
    def size_multiple(self) -> int: ...
    @property
    def pixels_max(self) -> int: ...


def true_steps(steps: int, strength: float | None) -> int:
    """How many of the steps are really drawn; at least one. ``None``: not from a picture, so all of them."""
    if strength is None:
        return steps
    # 50 * 0.58 is 28.999999999999996.
    return min(steps, max(1, int(steps * strength + 1e-6)))


def size(
    picture: tuple[int, int], limits: Limits, usual_pixels: int, width: int | None, height: int | None
) -> tuple[int, int]:
    """Width and height to draw: what was asked for, else the picture's shape at the model's usual number of pixels,
    in multiples of what the model draws. An asked side is taken as it is, whatever the model's limits say of it."""
    if width is not None and height is not None:
        return width, height
    shape = picture[0] / picture[1]
    if width is not None:
        return width, _side(width / shape, limits)
    if height is not None:
        return _side(height * shape, limits), height
    wide = math.sqrt(usual_pixels * shape)
    found = [_side(wide, limits), _side(wide / shape, limits)]
    step = limits.size_multiple
    while found[0] * found[1] > limits.pixels_max:
        # Rounding up may have been too much; the longer side has more to give.
        found[found.index(max(found))] -= step
    return found[0], found[1]


def _side(side: float, limits: Limits) -> int:
    step = limits.size_multiple
    least, most = math.ceil(limits.size_min / step) * step, limits.size_max // step * step
    return min(max(round(side / step) * step, least), most)


def note(request: Mapping[str, Any], multiple: int) -> str | None:
    """What was made of the picture that a resolved request starts from, for people; ``None`` without one."""
    picture = request.get("init_image")
    if picture is None:
        return None
    sent, drawn = (picture["width"], picture["height"]), (request["width"], request["height"])
    steps, true = request["steps"], true_steps(request["steps"], request["strength"])
    taken = f"A strength of {request['strength']:g} takes {true} of the {steps} steps."
    if sent == drawn:
        return taken
    scale = max(drawn[0] / sent[0], drawn[1] / sent[1])
    cut = max(sent[0] * scale - drawn[0], sent[1] * scale - drawn[1]) >= multiple
    how = "its middle" if cut else f"its shape, in multiples of {multiple}"
    return f"The picture has {sent[0]}x{sent[1]} pixels and was drawn at {drawn[0]}x{drawn[1]} ({how}). {taken}"
