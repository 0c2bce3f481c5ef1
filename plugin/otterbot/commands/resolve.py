"""From what was typed to a request with as little left open as the catalogue allows.

Pure. Order: typed, then (for ``!again``) the picture's own settings, then the instance's, then the
model's. Without a catalogue what is open stays ``None`` and the worker fills it in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from .. import texts
from ..config import Values
from ..options import DrawOptions, Variation
from ..outcome import NewRequest
from ..settings import Chosen
from ..worker_about import Model, ModelLimits, Models
from .records import read_settings

STRENGTH = 0.6
"""Keeps the picture; 0.94 mostly replaces it."""
VARIATION = 0.2
"""How far `vary` goes: the layout stays, small things change."""
VARIATIONS = 4
"""How many it draws."""


class Unusable(Exception):
    """It cannot be drawn like this; the message is a sentence for people."""


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What a request meets: the instance, the room's model, the catalogue as far as it is known."""

    values: Values
    chosen: Chosen
    models: Models | None
    safe: bool = False
    """Whether a safety checker has to look at it."""


def resolve(
    asked: DrawOptions,
    around: Circumstances,
    *,
    seed: int,
    base: DrawOptions | None = None,
    notes: Sequence[str] = (),
    start: str | None = None,
    usual: int = 1,
    other: int,
) -> NewRequest:
    """The request for ``asked``; ``base`` are settings to keep where nothing was typed, ``usual`` how many pictures
    then; ``start`` is the event whose picture it starts from; ``other`` the seed of a variation that has none.

    Raises :class:`Unusable`.
    """
    values, said = around.values, list(notes)
    wanted = _over(asked, base or DrawOptions())
    prompt = wanted.prompt or ""
    _check_lengths(prompt, wanted.negative_prompt, values)
    if wanted.strength is not None and start is None:
        raise Unusable(texts.strength_needs_a_picture(values.prefix))
    if wanted.inpaint and start is None:
        raise Unusable(texts.inpaint_needs_a_picture(values.prefix))
    if wanted.control is not None:
        _check_control(wanted, values.prefix, start=start)
    model, name = _model(wanted.model, around, said)
    limits = model.limits if model is not None else None
    steps, guidance, size, negative, sampler = _open_settings(wanted, base is not None, model, values, said)
    if wanted.width is None and (start is not None or wanted.aspect is not None):
        size = None  # of the picture's shape, or of the one that was typed: the worker makes it
    body = {
        "prompt": prompt,
        "negative_prompt": negative,
        "model": name,
        "steps": _steps(steps, limits, name, values, chosen=wanted.steps is not None),
        "guidance_scale": _guidance(guidance, limits, name),
        "aspect": wanted.aspect,
        "sampler": _sampler(sampler, around.models),
        "seed": seed,
        "count": _count(asked.count, values, usual=values.draw.count if base is None else usual),
        "asked": asked.asked(),
    }
    body["width"], body["height"] = _size(size, limits, name, said)
    if wanted.variation is not None:
        to = other if wanted.variation.seed is None else wanted.variation.seed
        body["variation"] = {"seed": to, "strength": wanted.variation.strength}
    if wanted.hires is not None:
        body["hires"] = wanted.hires.typed()
    if start is not None and wanted.control is not None:
        scale = {} if wanted.control.scale is None else {"scale": wanted.control.scale}
        body["control"] = {"event": start, "kind": wanted.control.kind, **scale}
    elif start is not None:
        usually = None if wanted.inpaint or wanted.upscale else STRENGTH
        body |= {"init_image": {"event": start}, "strength": wanted.strength or usually, "upscale": wanted.upscale}
        body["mask"] = {"event": start} if wanted.inpaint else None
    if around.safe:
        body["safety"] = True
    body = {key: value for key, value in body.items() if value is not None}
    return NewRequest(kind="image", body=body, asked=asked.asked(), notes=tuple(said))


def _check_control(wanted: DrawOptions, prefix: str, *, start: str | None) -> None:
    if wanted.strength is not None or wanted.inpaint:
        raise Unusable(texts.control_is_no_start("strength" if wanted.strength is not None else "inpaint"))
    if start is None:
        raise Unusable(texts.control_needs_a_picture(prefix))


def _over(asked: DrawOptions, base: DrawOptions) -> DrawOptions:
    """``asked``, completed by ``base``. A size is one thing, and more exact than a shape."""
    merged = {name: old if (new := getattr(asked, name)) is None else new for name, old in vars(base).items()}
    if asked.width is not None:
        merged |= {"width": asked.width, "height": asked.height}
    if merged["width"] is not None:
        merged["aspect"] = None
    return DrawOptions(**merged)


def _shapeless(options: DrawOptions) -> DrawOptions:
    return replace(options, width=None, height=None, aspect=None)


def _check_lengths(prompt: str, negative: str | None, values: Values) -> None:
    most = values.limits.prompt_length
    if len(prompt) > most:
        raise Unusable(texts.prompt_too_long(len(prompt), most))
    if negative is not None and len(negative) > most:
        raise Unusable(texts.negative_too_long(len(negative), most))


# ---------------------------------------------------------------- the model


def find_model(name: str, models: Models) -> Model | None:
    """The model of that name, however it is capitalized."""
    return next((model for model in models.models if model.name.casefold() == name.casefold()), None)


def check_model(name: str, models: Models, prefix: str) -> Model:
    """A model that can draw. Raises :class:`Unusable`."""
    model = find_model(name, models)
    if model is None:
        drawing = [known.name for known in models.models if known.kind == "image"]
        near = get_close_matches(name[:80].lower(), drawing, n=2, cutoff=0.5)
        raise Unusable(texts.unknown_model(name, near, prefix))
    if model.kind != "image":
        raise Unusable(texts.chat_model_cannot_draw(model.name, prefix))
    if model.problem is not None:
        raise Unusable(texts.model_broken(model.name, model.problem))
    if not model.available and not model.default:
        raise Unusable(texts.model_not_there(model.name, prefix))
    return model


def _model(typed: str | None, around: Circumstances, said: list[str]) -> tuple[Model | None, str | None]:
    models, prefix = around.models, around.values.prefix
    if models is None:
        return None, typed or around.chosen.name
    if typed is not None:
        model = check_model(typed, models, prefix)
        return model, model.name
    if around.chosen.name is not None:
        chosen = find_model(around.chosen.name, models)
        if chosen is not None and chosen.kind == "image" and (chosen.available or chosen.default):
            return chosen, chosen.name
        said.append(texts.room_model_gone(around.chosen.name, prefix))
    default = next((model for model in models.models if model.default and model.kind == "image"), None)
    return default, default.name if default is not None else None


# ---------------------------------------------------------------- what nobody typed

_Settings = tuple[int | None, float | None, tuple[int, int] | None, str | None, str | None]


def _open_settings(wanted: DrawOptions, again: bool, model: Model | None, values: Values, said: list[str]) -> _Settings:
    """Steps, CFG, size, negative prompt and sampler: typed, else the instance's, else the model's."""
    ours, limits = values.draw, model.limits if model is not None else None
    default = model.defaults if model is not None else None
    size = (wanted.width, wanted.height) if wanted.width is not None and wanted.height is not None else None
    steps, guidance, sampler, negative = wanted.steps, wanted.guidance_scale, wanted.sampler, wanted.negative_prompt
    if not again:
        # The instance's numbers are for any model, so where one cannot take them, its own count.
        if steps is None and ours.steps is not None and not (limits and ours.steps > limits.steps_max):
            steps = ours.steps
        if guidance is None and ours.cfg is not None and not (limits and ours.cfg > limits.guidance_scale_max):
            guidance = ours.cfg
        if size is None and ours.size is not None and _fits(ours.size, limits):
            size = ours.size
        sampler = ours.sampler if sampler is None else sampler
        negative = ours.negative_prompt if negative is None else negative
    if default is not None:
        steps = default.steps if steps is None else steps
        guidance = default.guidance_scale if guidance is None else guidance
        size = (default.width, default.height) if size is None else size
        sampler = default.sampler if sampler is None else sampler
        negative = default.negative_prompt if negative is None else negative
    return steps, guidance, size, negative, sampler


def _fits(size: tuple[int, int], limits: ModelLimits | None) -> bool:
    if limits is None:
        return True
    sides = all(limits.size_min <= side <= limits.size_max and not side % limits.size_multiple for side in size)
    return sides and size[0] * size[1] <= limits.pixels_max


# ---------------------------------------------------------------- limits


def _count(typed: int | None, values: Values, *, usual: int) -> int:
    if typed is not None and typed > values.limits.count:
        raise Unusable(texts.too_many_pictures(values.limits.count))
    return min(usual, values.limits.count) if typed is None else typed


def _steps(
    steps: int | None, limits: ModelLimits | None, name: str | None, values: Values, *, chosen: bool
) -> int | None:
    """``chosen``: somebody chose them; a default is only lowered to the instance's limit."""
    if steps is None:
        return None
    if not chosen:
        return min(steps, values.limits.steps)
    if limits is not None and limits.steps_max <= values.limits.steps and steps > limits.steps_max:
        raise Unusable(texts.too_many_steps(limits.steps_max, name))
    if steps > values.limits.steps:
        raise Unusable(texts.too_many_steps(values.limits.steps, None))
    return steps


def _guidance(guidance: float | None, limits: ModelLimits | None, name: str | None) -> float | None:
    if guidance is not None and limits is not None and guidance > limits.guidance_scale_max:
        raise Unusable(texts.cfg_too_high(limits.guidance_scale_max, name or ""))
    return guidance


def _size(
    size: tuple[int, int] | None, limits: ModelLimits | None, name: str | None, said: list[str]
) -> tuple[int | None, int | None]:
    """Rounded to what the model draws; the rounding is said."""
    if size is None:
        return None, None
    if limits is None or name is None:
        return size
    multiple = max(1, limits.size_multiple)
    if not all(limits.size_min <= side <= limits.size_max for side in size):
        width, height = (_nearest(side, multiple, limits) for side in size)
        near = _within(width, height, multiple, limits)
        raise Unusable(texts.size_out_of_bounds(name, limits.size_min, limits.size_max, *near))
    width, height = (_nearest(side, multiple, limits) for side in size)
    if width * height > limits.pixels_max:
        # Rounding up may have been what was too much.
        width, height = (side // multiple * multiple for side in size)
    if width * height > limits.pixels_max:
        raise Unusable(texts.too_many_pixels(name, *_within(width, height, multiple, limits)))
    if (width, height) != size:
        said.append(texts.size_rounded(name, width, height, multiple))
    return width, height


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


_FILLER = re.compile(r"[\s_.-]+")
_SAMPLER_NAMES = {"plms": "pndm", "eulerdiscrete": "euler", "unipcmultistep": "unipc"}


def _sampler_key(name: str) -> str:
    return _FILLER.sub("", name.casefold()).replace("pp", "++").removesuffix("scheduler")


def _sampler(name: str | None, models: Models | None) -> str | None:
    """The worker's own spelling of it."""
    if name is None or models is None or not models.samplers:
        return name
    known = {_sampler_key(sampler): sampler for sampler in models.samplers}
    key = _sampler_key(name).replace("ancestral", "a")
    key = _SAMPLER_NAMES.get(key, key)
    if key in known:
        return known[key]
    near = get_close_matches(key[:40], known, n=2, cutoff=0.6)
    raise Unusable(texts.unknown_sampler(name, [known[one] for one in near], models.samplers))


# ---------------------------------------------------------------- once more


def again(
    typed: DrawOptions,
    record: Mapping[str, Any],
    around: Circumstances,
    *,
    new_seed: int,
    other: int,
    start: str | None = None,
    usual: int = 1,
) -> NewRequest:
    """The request of a picture, with what was typed now changed. ``start``: the event that it was drawn from, if it
    is known for sure; ``usual`` and ``other`` as in :func:`resolve`. Raises :class:`Unusable`.

    The record comes from a room: it is read as carefully as typed flags.
    """
    if typed.variation is not None and typed.seed is None:
        typed = replace(typed, seed="same")  # a variation of that picture is meant
    used = read_settings(record.get("used"))
    if used is None or not ((used.prompt or "").strip() or used.upscale):
        raise Unusable(texts.record_unusable(around.values.prefix))
    before = read_settings(record.get("asked")) or DrawOptions()
    began = record["used"].get("init_image") is not None
    if began:
        used = replace(used, control=None)  # both at once are not of this room
    if not began or typed.control is not None:
        used, before = replace(used, strength=None), replace(before, strength=None)
    if not began and used.control is None:
        start = None
    elif start is None:
        raise Unusable(texts.start_lost(around.values.prefix))
    elif typed.control is None and record["used"].get("mask") is not None:
        used = replace(used, inpaint=True)
    if typed.width is not None or typed.aspect is not None or used.upscale is not None:
        used, before = _shapeless(used), _shapeless(before)
    if typed.seed != "same":
        used = replace(used, variation=None)
    asked = _over(replace(typed, seed=None), replace(before, seed=None, count=None, variation=None))
    asked = replace(asked, prompt=asked.prompt or used.prompt)
    notes: list[str] = []
    if typed.variation is not None and used.variation is not None:
        notes.append(texts.VARIED_BEFORE)
    base = replace(used, seed=None, count=None)
    if typed.model is not None and (used.model is None or typed.model.casefold() != used.model.casefold()):
        base = DrawOptions(prompt=used.prompt, strength=used.strength, variation=used.variation, inpaint=used.inpaint)
        base = replace(base, control=used.control, upscale=used.upscale)
        notes.append(texts.model_returned(typed.model))
    seed = new_seed
    if typed.seed == "same" and isinstance(used.seed, int):
        seed = used.seed
    elif isinstance(typed.seed, int):
        seed = typed.seed
        asked = replace(asked, seed=seed)
    return resolve(asked, around, seed=seed, base=base, notes=notes, start=start, usual=usual, other=other)


def varied(typed: DrawOptions, record: Mapping[str, Any], around: Circumstances, **how: Any) -> NewRequest:
    """A few small variations of a picture: :func:`again` with its seed, near its noise. Raises :class:`Unusable`."""
    used = record.get("used")
    if typed.strength is not None and isinstance(used, Mapping) and used.get("init_image") is None:
        raise Unusable(texts.how_much_varied(around.values.prefix))
    typed = replace(typed, variation=typed.variation or Variation(strength=VARIATION))
    return again(typed, record, around, usual=VARIATIONS, **how)


def upscaled(
    typed: DrawOptions,
    record: Mapping[str, Any] | None,
    around: Circumstances,
    *,
    new_seed: int,
    other: int,
    start: str,
) -> NewRequest:
    """The picture of the event ``start``, ``typed.upscale`` times as large, with its own words and settings where its
    ``record`` says them; else without words. Raises :class:`Unusable`."""
    prefix = around.values.prefix
    for flag in ("width", "aspect", "variation", "hires", "inpaint", "control"):
        if getattr(typed, flag) is not None:
            raise Unusable(texts.upscale_is_that_picture({"width": "size", "aspect": "ar"}.get(flag, flag), prefix))
    used = (read_settings(record.get("used")) if record is not None else None) or DrawOptions()
    notes: list[str] = []
    base = DrawOptions(prompt=used.prompt)
    if typed.model is None or (used.model or "").casefold() == typed.model.casefold():
        names = ("prompt", "negative_prompt", "steps", "guidance_scale", "model", "sampler")
        base = DrawOptions(**{name: getattr(used, name) for name in names})
    elif used.model is not None:
        notes.append(texts.model_returned(typed.model))
    seed = typed.seed if isinstance(typed.seed, int) else new_seed
    if typed.seed == "same" and isinstance(used.seed, int):
        seed = used.seed
    asked = replace(typed, seed=typed.seed if isinstance(typed.seed, int) else None)
    return resolve(asked, around, seed=seed, base=base, notes=notes, start=start, other=other)
