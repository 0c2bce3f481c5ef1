"""Settings found in a file, as fields of a request: valid ones, and notes about those left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ..prompts import chance
from ..sampling import samplers
from ..schemas.requests import ImageRequest
from ..schemas.settings import SETTINGS

LABELS = {
    "prompt": "prompt",
    "negative_prompt": "negative prompt",
    "chance": "template",
    "style": "style",
    "model": "model",
    "steps": "number of steps",
    "guidance_scale": "CFG",
    "width": "size",
    "height": "size",
    "sampler": "sampler",
    "seed": "seed",
    "variation": "variation",
    "init_image": "picture to start from",
    "strength": "strength",
    "mask": "mask",
    "control": "picture that steers",
    "hires": "second pass",
    "upscale": "upscaling",
    **{name: one.label for name, one in SETTINGS.items()},
}
"""Fields of a request, in words."""

_PLAIN_SCHEDULES = ("", "Automatic", "Uniform")


@dataclass(frozen=True, kw_only=True)
class Found:
    source: str
    """A name for people of what was read."""
    request: Mapping[str, Any]
    """Fields of `schemas.ImageRequest`, each one valid; prompt or seed may be missing, a note says so then."""
    details: tuple[tuple[str, str], ...]
    """What the file says besides: names and values, unchecked."""
    notes: tuple[str, ...]
    """Sentences: what is not in the request, and why."""


def number(text: str | None) -> Any:
    """The number in a text; other texts unchanged, since fields for numbers refuse them."""
    if text is None or not re.fullmatch(r"\d{1,12}(\.\d{1,12})?", text, re.ASCII):
        return text
    return float(text) if "." in text else int(text)


def any_variation(variation: Any) -> Any:
    """The variation, or ``None`` at strength 0."""
    none = isinstance(variation, dict) and variation.get("strength") == 0
    return None if none else variation


def sampler(name: Any, schedule: str | None, notes: list[str]) -> str | None:
    """Our name for it, or ``None`` and a note."""
    if name is None:
        return None
    if not isinstance(name, str):
        notes.append("The sampler in it is no name: left out.")
        return None
    if schedule == "Automatic" and name.startswith("DPM"):
        # Programs disagree about which sampler this name means with these schedules.
        known = None
    elif schedule is None or schedule in _PLAIN_SCHEDULES:
        known = samplers.resolve(name)
    else:
        known = samplers.resolve(f"{name} {schedule}")
    if known is None:
        called = f"{name[:60]} with the schedule {schedule[:60]}" if schedule else name[:60]
        notes.append(f"The sampler, {called}, is not one of Otterbot's: left out, so the model's own is used.")
    return known


def valid(values: Mapping[str, Any], notes: list[str]) -> dict[str, Any]:
    """The fields that are valid in a request. Each other one gets a note."""
    kept = {name: _text(value) for name, value in values.items() if value is not None}
    missing = [name for name in ("prompt", "seed", "model", "steps") if not kept.get(name) and kept.get(name) != 0]
    if kept.get("upscale") and "prompt" in missing:
        missing.remove("prompt")
    bad: set[str] = set()
    try:
        ImageRequest.model_validate(kept)
    except ValidationError as error:
        bad = {str(problem["loc"][0]) for problem in error.errors(include_input=False, include_context=False)}
    if bad & {"width", "height"} or ("width" in kept) != ("height" in kept):
        bad |= {"width", "height"}
    labels = sorted({LABELS[name] for name in bad & kept.keys() if name not in missing})
    notes += [f"The {label} in it is nothing that Otterbot takes: left out." for label in labels]
    notes += [f"It names no {LABELS[name]}." for name in missing]
    found = {name: value for name, value in kept.items() if name not in bad}
    if as_they_are := _as_they_are(found) | {k: v for k, v in found.get("chance", {}).items() if v is not None}:
        found["chance"] = as_they_are
    return found


def _as_they_are(found: Mapping[str, Any]) -> dict[str, Any]:
    """The words of a picture were drawn already, also those that look like chance."""
    words = ((name, found.get(name)) for name in ("prompt", "negative_prompt"))
    return {name: text for name, text in words if isinstance(text, str) and chance.literal(text) != text}


def _text(value: Any) -> Any:
    """Replace lone surrogates: JSON can hold them, but they can be neither printed nor sent."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
