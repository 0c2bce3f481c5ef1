"""How many steps a drawing from a picture takes, and the sentences that say what was made of the pictures. Pure."""

from __future__ import annotations

import math

from ..schemas.resolved import ResolvedControl, ResolvedInitImage, ResolvedRequest

STRENGTH = 0.6
"""How much of the picture is drawn anew where nobody says: it keeps the picture; 0.94 mostly replaces it."""
UPSCALE_STRENGTH = 0.3
"""The same for one that is upscaled: detail, and nothing new. Usual for the "SD upscale" script of the field."""
STEPS_MAX = 200
"""Laid out at most."""


def true_steps(steps: int, strength: float | None) -> int:
    """How many of the steps are really drawn; at least one. ``None``: not from a picture, so all of them."""
    if strength is None:
        return steps
    # 50 * 0.58 is 28.999999999999996.
    return min(steps, max(1, int(steps * strength + 1e-6)))


def schedule(steps: int, strength: float | None) -> int:
    """How many steps are laid out, of which the last ``true_steps`` are drawn. Where even one of those that were asked
    for is more than the strength says, there are more of them: one step of one leaves nothing of the picture."""
    if strength is None or steps * strength + 1e-6 >= 1:
        return steps
    return math.ceil(1 / max(strength, 1 / STEPS_MAX) - 1e-6)


def steps(steps: int, strength: float | None) -> tuple[int, int]:
    """How many of those that were asked for are laid out, and how many of these drawn. The same of what it gives."""
    laid_out = schedule(steps, strength)
    return laid_out, true_steps(laid_out, strength)


def takes(steps: int, strength: float) -> str:
    """``takes 18 of the 30 steps``"""
    laid_out = schedule(steps, strength)
    if laid_out > steps:
        return f"takes one step, the last of {laid_out}"
    return f"takes {true_steps(steps, strength)} of the {steps} steps"


def notes(request: ResolvedRequest, multiple: int) -> list[str]:
    """What was made of the pictures that a request starts from and is steered by, for people."""
    said = []
    if (picture := request.init_image) is not None and request.strength is not None:
        taken = f"A strength of {request.strength:g} {takes(request.steps, request.strength)}."
        scaled = None if request.upscale is not None else _scaled(picture, request, multiple)
        said.append(taken if scaled is None else f"The picture {scaled}. {taken}")
    if (control := request.control) is not None and (scaled := _scaled(control, request, multiple)) is not None:
        said.append(f"The picture that steers {scaled}.")
    return said


def _scaled(picture: ResolvedInitImage | ResolvedControl, request: ResolvedRequest, multiple: int) -> str | None:
    """What became of its size; ``None`` where it was taken as it is."""
    sent, drawn = (picture.width, picture.height), (request.width, request.height)
    if sent == drawn:
        return None
    scale = max(drawn[0] / sent[0], drawn[1] / sent[1])
    cut = max(sent[0] * scale - drawn[0], sent[1] * scale - drawn[1]) >= multiple
    how = "its middle" if cut else f"its shape, in multiples of {multiple}"
    return f"has {sent[0]}x{sent[1]} pixels and was drawn at {drawn[0]}x{drawn[1]} ({how})"
