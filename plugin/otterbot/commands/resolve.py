"""From what was typed to a request with as little left open as the catalogue allows.

Pure. Order: typed, then (for ``!again``) the picture's own settings, then the instance's, then the
model's. Without a catalogue what is open stays ``None`` and the worker fills it in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import texts
from ..language.options import DrawOptions
from ..worker.info import Model
from .catalogue_names import choose_model, sampler_name, takes
from .context import Circumstances
from .limits import allowed_count, allowed_guidance, allowed_steps, check_lengths, drawable_size, enough, fits
from .outcome import NewRequest, Unusable

STRENGTH = 0.6
"""Keeps the picture; 0.94 mostly replaces it."""


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
    wanted = completed(asked, base or DrawOptions())
    prompt = wanted.prompt or ""
    check_lengths(prompt, wanted.negative_prompt, values)
    _check_start(wanted, values.prefix, start=start)
    model, name = choose_model(wanted.model, around, said)
    limits = model.limits if model is not None else None
    steps, guidance, size, negative, sampler = _open_settings(wanted, base is not None, model, around)
    if wanted.width is None and (start is not None or wanted.aspect is not None):
        size = None  # of the picture's shape, or of the one that was typed: the worker makes it
    body = {
        "prompt": prompt,
        "negative_prompt": negative,
        "model": name,
        "steps": allowed_steps(steps, limits, name, values, said, chosen=wanted.steps is not None),
        "guidance_scale": allowed_guidance(guidance, limits, name),
        "sampler": sampler_name(sampler, around.models),
        "seed": seed,
        "count": allowed_count(asked.count, values, usual=values.draw.count if base is None else usual),
        "asked": asked.asked(),
    }
    body["width"], body["height"] = drawable_size(size, limits, name, said, masked=wanted.inpaint is True)
    if wanted.variation is not None:
        to = other if wanted.variation.seed is None else wanted.variation.seed
        body["variation"] = {"seed": to, "strength": wanted.variation.strength}
    body |= _from_picture(wanted, start)
    body = {**wanted.asked(), **body}  # an option of which nothing is to be resolved goes as it was typed
    if around.safe:
        body["safety"] = True
    body = {key: value for key, value in body.items() if value is not None}
    return NewRequest(kind="image", body=body, asked=asked.asked(), notes=tuple(said))


def _check_start(wanted: DrawOptions, prefix: str, *, start: str | None) -> None:
    """What is about a picture needs one, and one that steers is none to start from."""
    if wanted.strength is not None and start is None:
        raise Unusable(texts.strength_needs_a_picture(prefix))
    if wanted.inpaint and start is None:
        raise Unusable(texts.inpaint_needs_a_picture(prefix))
    if wanted.control is None:
        return
    if wanted.strength is not None or wanted.inpaint:
        raise Unusable(texts.control_is_no_start("strength" if wanted.strength is not None else "inpaint"))
    if start is None:
        raise Unusable(texts.control_needs_a_picture(prefix))


def _from_picture(wanted: DrawOptions, start: str | None) -> dict[str, Any]:
    """What the picture of the event ``start`` is for: to steer, else to start from."""
    if start is None:
        return {}
    if wanted.control is not None:
        scale = {} if wanted.control.scale is None else {"scale": wanted.control.scale}
        return {"control": {"event": start, "kind": wanted.control.kind, **scale}}
    usually = None if wanted.inpaint or wanted.upscale else STRENGTH
    return {
        "init_image": {"event": start},
        "strength": wanted.strength or usually,
        "upscale": wanted.upscale,
        "mask": {"event": start} if wanted.inpaint else None,
    }


def completed(asked: DrawOptions, base: DrawOptions) -> DrawOptions:
    """``asked``, completed by ``base``. A size is one thing, and more exact than a shape."""
    merged = {name: old if (new := getattr(asked, name)) is None else new for name, old in vars(base).items()}
    if asked.width is not None:
        merged |= {"width": asked.width, "height": asked.height}
    if merged["width"] is not None:
        merged["aspect"] = None
    return DrawOptions(**merged)


_Settings = tuple[int | None, float | None, tuple[int, int] | None, str | None, str | None]


def _open_settings(wanted: DrawOptions, again: bool, model: Model | None, around: Circumstances) -> _Settings:
    """Steps, CFG, size, negative prompt and sampler: typed, else the instance's, else the model's."""
    values, models = around.values, around.models
    ours, limits = values.draw, model.limits if model is not None else None
    default = model.defaults if model is not None else None
    size = (wanted.width, wanted.height) if wanted.width is not None and wanted.height is not None else None
    steps, guidance, sampler, negative = wanted.steps, wanted.guidance_scale, wanted.sampler, wanted.negative_prompt
    if not again:
        # The instance's numbers are for any model, so where one cannot take them, its own count.
        if steps is None and ours.steps is not None and enough(ours.steps, limits):
            steps = ours.steps
        if guidance is None and ours.cfg is not None and not (limits and ours.cfg > limits.guidance_scale_max):
            guidance = ours.cfg
        if size is None and ours.size is not None and fits(ours.size, limits):
            size = ours.size
        if sampler is None and takes(model, ours.sampler, models):
            sampler = ours.sampler
        negative = ours.negative_prompt if negative is None else negative
    if default is not None:
        steps = default.steps if steps is None else steps
        if guidance is None and default.guidance_scale_weighted is None:  # else the worker looks for weights
            guidance = default.guidance_scale
        size = (default.width, default.height) if size is None else size
        sampler = default.sampler if sampler is None else sampler
        negative = default.negative_prompt if negative is None else negative
    return steps, guidance, size, negative, sampler
