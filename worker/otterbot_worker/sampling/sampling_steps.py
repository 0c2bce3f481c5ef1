"""The number of steps of img2img, and notes on how the input pictures were used. Pure."""

from __future__ import annotations

import math

from ..schemas.resolved import ResolvedRequest
from ..schemas.resolved_parts import ResolvedControl, ResolvedInitImage

STRENGTH = 0.6
"""Default denoising strength of img2img: keeps the picture; 0.94 mostly replaces it."""
UPSCALE_STRENGTH = 0.3
"""Default denoising strength of upscaling: adds detail only. Usual for A1111's "SD upscale" script."""
STEPS_MAX = 200
"""Maximum number of steps in a schedule."""


def true_steps(steps: int, strength: float | None) -> int:
    """How many steps run: steps x strength, at least one. ``None``: txt2img, all of them."""
    if strength is None:
        return steps
    # 50 * 0.58 is 28.999999999999996.
    return min(steps, max(1, int(steps * strength + 1e-6)))


def schedule(steps: int, strength: float | None) -> int:
    """The length of the schedule, of which the last ``true_steps`` run. Longer than asked where a single step would
    exceed the strength: 1 of 1 step would replace the whole picture."""
    if strength is None or steps * strength + 1e-6 >= 1:
        return steps
    return math.ceil(1 / max(strength, 1 / STEPS_MAX) - 1e-6)


def steps(steps: int, strength: float | None) -> tuple[int, int]:
    """Length of the schedule, and how many of its steps run. Idempotent."""
    laid_out = schedule(steps, strength)
    return laid_out, true_steps(laid_out, strength)


def takes(steps: int, strength: float) -> str:
    """``takes 18 of the 30 steps``"""
    laid_out = schedule(steps, strength)
    if laid_out > steps:
        return f"takes one step, the last of {laid_out}"
    return f"takes {true_steps(steps, strength)} of the {steps} steps"


def notes(request: ResolvedRequest, multiple: int) -> list[str]:
    """Notes on how init image and ControlNet picture were used."""
    said = []
    if (picture := request.init_image) is not None and request.strength is not None:
        taken = f"A strength of {request.strength:g} {takes(request.steps, request.strength)}."
        scaled = None if request.upscale is not None else _scaled(picture, request, multiple)
        said.append(taken if scaled is None else f"The picture {scaled}. {taken}")
    if (control := request.control) is not None and (scaled := _scaled(control, request, multiple)) is not None:
        said.append(f"The picture that steers {scaled}.")
    return said


def _scaled(picture: ResolvedInitImage | ResolvedControl, request: ResolvedRequest, multiple: int) -> str | None:
    """A note on how the picture was scaled; ``None`` where it was not."""
    sent, drawn = (picture.width, picture.height), (request.width, request.height)
    if sent == drawn:
        return None
    scale = max(drawn[0] / sent[0], drawn[1] / sent[1])
    cut = max(sent[0] * scale - drawn[0], sent[1] * scale - drawn[1]) >= multiple
    how = "its middle" if cut else f"its shape, in multiples of {multiple}"
    return f"has {sent[0]}x{sent[1]} pixels and was drawn at {drawn[0]}x{drawn[1]} ({how})"
