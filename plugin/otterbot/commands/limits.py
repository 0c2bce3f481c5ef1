"""What the instance and the model allow. What is too much raises :class:`Unusable`; what is rounded is said."""

from __future__ import annotations

import math

from .. import texts
from ..config import Values
from ..worker.info import ModelLimits
from .outcome import Unusable


def check_lengths(prompt: str, negative: str | None, values: Values) -> None:
    most = values.limits.prompt_length
    if len(prompt) > most:
        raise Unusable(texts.prompt_too_long(len(prompt), most))
    if negative is not None and len(negative) > most:
        raise Unusable(texts.negative_too_long(len(negative), most))


def allowed_count(typed: int | None, values: Values, *, usual: int) -> int:
    if typed is not None and typed > values.limits.count:
        raise Unusable(texts.too_many_pictures(values.limits.count))
    return min(usual, values.limits.count) if typed is None else typed


def allowed_steps(
    steps: int | None, limits: ModelLimits | None, name: str | None, values: Values, said: list[str], *, chosen: bool
) -> int | None:
    """``chosen``: somebody chose them; a default is lowered to the instance's limit, which is said."""
    if steps is None:
        return None
    most = values.limits.steps
    if limits is not None and limits.steps_min > min(most, steps):
        raise Unusable(texts.too_few_steps(limits.steps_min, name or "", most))
    if not chosen:
        if steps > most:
            said.append(texts.steps_lowered(most, steps))
        return min(steps, most)
    if limits is not None and limits.steps_max <= values.limits.steps and steps > limits.steps_max:
        raise Unusable(texts.too_many_steps(limits.steps_max, name))
    if steps > values.limits.steps:
        raise Unusable(texts.too_many_steps(values.limits.steps, None))
    return steps


def allowed_guidance(guidance: float | None, limits: ModelLimits | None, name: str | None) -> float | None:
    if guidance is not None and limits is not None and guidance > limits.guidance_scale_max:
        raise Unusable(texts.cfg_too_high(limits.guidance_scale_max, name or ""))
    return guidance


def drawable_size(
    size: tuple[int, int] | None, limits: ModelLimits | None, name: str | None, said: list[str], *, masked: bool = False
) -> tuple[int | None, int | None]:
    """Rounded to what the model draws; the rounding is said. ``masked``: it may be that of a picture which stays but
    for a part of it. What the model does not draw is refused then, but to round is left to the worker, who knows it."""
    if size is None:
        return None, None
    if limits is None or name is None:
        return size
    multiple = max(1, limits.size_multiple)
    if not all(limits.size_min <= side <= limits.size_max for side in size):
        width, height = (_nearest(side, multiple, limits) for side in size)
        near = _within(width, height, multiple, limits)
        raise Unusable(texts.size_out_of_bounds(name, limits.size_min, limits.size_max, *near))
    if masked and size[0] * size[1] <= limits.pixels_max:
        return size
    width, height = (_nearest(side, multiple, limits) for side in size)
    if width * height > limits.pixels_max:
        # Rounding up may have been what was too much.
        width, height = (side // multiple * multiple for side in size)
    if width * height > limits.pixels_max:
        raise Unusable(texts.too_many_pixels(name, *_within(width, height, multiple, limits)))
    if (width, height) != size:
        said.append(texts.size_rounded(name, width, height, multiple))
    return width, height


def enough(steps: int, limits: ModelLimits | None) -> bool:
    return limits is None or limits.steps_min <= steps <= limits.steps_max


def fits(size: tuple[int, int], limits: ModelLimits | None) -> bool:
    if limits is None:
        return True
    sides = all(limits.size_min <= side <= limits.size_max and not side % limits.size_multiple for side in size)
    return sides and size[0] * size[1] <= limits.pixels_max


def _nearest(side: int, multiple: int, limits: ModelLimits) -> int:
    least = math.ceil(limits.size_min / multiple) * multiple
    most = limits.size_max // multiple * multiple
    return min(max((side + multiple // 2) // multiple * multiple, least), most)


def _within(width: int, height: int, multiple: int, limits: ModelLimits) -> tuple[int, int]:
    """The most pixels that are allowed in about the same shape."""
    shrink = min(1.0, math.sqrt(limits.pixels_max / (width * height)))
    least = math.ceil(limits.size_min / multiple) * multiple
    narrow, wide = (max(int(side * shrink) // multiple * multiple, least) for side in sorted((width, height)))
    if narrow * wide > limits.pixels_max:  # so long and thin that the narrow side could not shrink
        wide = max(limits.pixels_max // narrow // multiple * multiple, least)
    return (narrow, wide) if width <= height else (wide, narrow)
