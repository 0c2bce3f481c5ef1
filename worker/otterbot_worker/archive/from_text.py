"""From the text in a picture to a request: other programs' settings, and our own A1111 text."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from ..schemas.settings import SETTINGS
from . import containers, infotext, metadata, others
from .containers import NoSettings
from .found import Found, any_variation, number, sampler, valid

_ABOUT = (
    "Model hash", "Lora hashes", "TI hashes", "VAE hash", "Hashes", metadata.START, "Version", "User",
    metadata.TEMPLATE, metadata.NEGATIVE_TEMPLATE,
)  # fmt: skip
"""A1111's fields without effect on the picture, or said again by another field or note."""
_AFTERWARDS = ("postprocessing", "extras")
"""A1111's texts about post-processing, such as upscaling a finished picture."""
_SIZE = re.compile(r"\s*(\d{1,6})\s*[x×]\s*(\d{1,6})\s*", re.IGNORECASE)
_SHAPE = 0.01
"""Tolerance between the scales of the two sides: both are rounded to whole pixels."""


def read_texts(texts: Mapping[str, str | None], notes: list[str]) -> Found:
    """Read the settings, whichever program wrote them. :raises NoSettings:"""
    damaged = metadata.A1111_CHUNK in texts and texts[metadata.A1111_CHUNK] is None
    places = (metadata.A1111_CHUNK, containers.DESCRIPTION, containers.COMMENT)
    text = next((text for place in places if (text := infotext.parse(texts.get(place) or ""))), None)
    if text is not None:
        return _of_infotext(text, notes, [name for name in _AFTERWARDS if texts.get(name)])
    foreign = others.recognise(texts)
    if foreign is not None and foreign.values is not None:
        return _of_foreign(foreign, notes)
    if damaged:
        raise NoSettings("is damaged where its settings stand, or they are too long")
    if foreign is not None:
        raise NoSettings(
            f"was made by {foreign.program}, whose settings in it are in a form that Otterbot does not read"
        )
    raise NoSettings("has no settings in it")


# ---------------------------------------------------------------- A1111's text


def _of_infotext(text: infotext.Infotext, notes: list[str], afterwards: list[str]) -> Found:
    fields = dict(text.fields)
    first, final = _sizes(fields, notes)
    width, height = first
    values = {
        "prompt": text.prompt or None,
        "negative_prompt": text.negative_prompt if text.prompt or text.negative_prompt else None,
        "model": fields.pop("Model", None),
        "steps": number(fields.pop("Steps", None)),
        "guidance_scale": number(fields.pop("CFG scale", None)),
        "width": number(width),
        "height": number(height),
        "sampler": sampler(fields.pop("Sampler", None), fields.pop("Schedule type", None), notes),
        "seed": number(fields.pop("Seed", None)),
        "variation": _variation(fields),
        **{name: number(fields.pop(one.parameter, None)) for name, one in SETTINGS.items()},
    }
    if text.ours:
        templates = fields.pop(metadata.TEMPLATE, None), fields.pop(metadata.NEGATIVE_TEMPLATE, None)
        values["chance"] = dict(zip(("prompt", "negative_prompt"), templates, strict=True)) if any(templates) else None
    values["hires"] = _hires(fields, values["steps"], _scale(first, final, notes), notes)
    if text.borders > 1:
        notes.append("Several of its lines begin with “Negative prompt:”; the first was taken for the border.")
    if text.run_together:
        notes.append("Its lines were run together; what stands before the settings was taken for the words.")
    second_pass = final is not None or any(name.startswith("Hires") for name in fields)
    if metadata.START in fields or ("Denoising strength" in fields and not second_pass):
        notes.append("It was drawn from another picture, which this file does not hold.")
    # Our models with zero terminal SNR set it themselves.
    about = (*_ABOUT, metadata.RESCALE) if text.ours else _ABOUT
    _say_left_out([*(name for name in fields if name not in about), *afterwards], notes)
    return Found(
        source=f"A1111's text{' as Otterbot wrote it' if text.ours else ''}",
        request=_something(valid(values, notes)),
        details=tuple(fields.items()),
        notes=tuple(notes),
    )


def _say_left_out(names: list[str], notes: list[str]) -> None:
    if names:
        notes.append(f"Not in the request, because it has no place for it: {', '.join(others.names_of(names))}.")


def _something(request: dict[str, Any]) -> dict[str, Any]:
    """:raises NoSettings: nothing in the request can be used"""
    if not request.keys() - {"negative_prompt"}:
        raise NoSettings("has settings in it, but none that Otterbot can use")
    return request


Side = tuple[str | None, str | None]


def _sizes(fields: dict[str, str], notes: list[str]) -> tuple[Side, Side | None]:
    """Width and height as they are drawn first, and those of the finished picture where a second pass has them.

    Until 2023 ``Size`` was the finished one, with a ``First pass size`` beside it; then came ``Hires resize``.
    """
    size, drawn, final = (_size(fields, name) for name in ("Size", "First pass size", "Hires resize"))
    if drawn is None:
        return size or (None, None), final
    if "0" in drawn:
        notes.append("The size of its first pass was the program's own choice, and is not in it.")
        return (None, None), size
    return drawn, final or size


def _size(fields: dict[str, str], name: str) -> Side | None:
    found = _SIZE.fullmatch(fields.get(name, ""))
    if found is None:
        return None
    fields.pop(name)
    return found[1], found[2]


def _scale(first: Side, final: Side | None, notes: list[str]) -> float | None:
    """The second pass's scale; ``None`` where no field says it."""
    if final is None or None in first:
        return None
    # In "Hires resize" a side of 0 is computed from the other one.
    scales = [int(last or 0) / max(1, int(side or 0)) for side, last in zip(first, final, strict=True)]
    scales = [scale for scale in scales if scale]
    if not scales:
        return None
    if max(scales) > min(scales) * (1 + _SHAPE):
        notes.append(f"Its second pass had another shape, {final[0]}x{final[1]}, which a request cannot say.")
        return None
    return round(max(scales), 4)


def _variation(fields: dict[str, str]) -> Any:
    seed, strength = fields.pop("Variation seed", None), fields.pop("Variation seed strength", None)
    if seed is None and strength is None:
        return None
    return any_variation({"seed": number(seed), "strength": number(strength)})


def _hires(fields: dict[str, str], steps: Any, resized: float | None, notes: list[str]) -> Any:
    """``steps``: the first pass's. A1111 counts those that are drawn, and draws as many again where it names none.
    ``resized``: the scale where only sizes say it."""
    scale = resized if (named := fields.pop("Hires upscale", None)) is None else number(named)
    if scale is None:
        return None
    strength, drawn = number(fields.pop("Denoising strength", None)), number(fields.pop("Hires steps", None))
    name = fields.pop("Hires upscaler", None)
    upscaler = next((ours for ours, theirs in metadata.UPSCALERS.items() if theirs == name), None)
    if upscaler is None:
        notes.append(f"Its second pass was enlarged by {(name or 'nothing that is named')[:60]}, here by Lanczos.")
    drawn = steps if drawn is None else drawn
    hires = {"scale": scale, "strength": strength, "upscaler": upscaler or "lanczos"}
    if isinstance(drawn, int) and isinstance(strength, (int, float)) and strength > 0:
        hires["steps"] = math.ceil(drawn / strength - 1e-6)
    return hires


# ---------------------------------------------------------------- other programs


def _of_foreign(foreign: others.Foreign, notes: list[str]) -> Found:
    values = dict(foreign.values or {})
    for name in ("steps", "guidance_scale", "width", "height", "seed"):
        value = values.get(name)
        values[name] = number(value) if isinstance(value, str) else _whole(value)
    values["sampler"] = sampler(*others.sampler(values.get("sampler"), values.pop("schedule", None)), notes)
    _say_left_out(list(foreign.rest), notes)
    return Found(
        source=f"the settings of {foreign.program}",
        request=_something(valid(values, notes)),
        details=(),
        notes=tuple(notes),
    )


def _whole(value: Any) -> Any:
    """An integer where the value is a whole float: some programs write ``20.0`` steps."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e12 else value
