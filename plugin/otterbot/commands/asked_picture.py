"""From what was typed to the request that is submitted: what was asked for, the seed, and as layers what the room and
the instance are used to. What follows from it for a model (sizes, limits, samplers, strength), the worker decides.

Pure. Order: typed, then (for ``!again``) the picture's own settings, then the layers, then the model's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import texts
from ..config import Values
from ..language.options import DrawOptions
from ..language.style_values import worded
from .context import Circumstances
from .outcome import NewRequest, Unusable
from .swept import swept

FROM = 3
"""So many pictures come on a sheet by themselves."""
FEWEST = 2
"""Fewer make none."""
Layers = Sequence[Mapping[str, Any]]


def picture_request(
    asked: DrawOptions,
    around: Circumstances,
    *,
    seed: int,
    base: DrawOptions | None = None,
    layers: Layers | None = None,
    notes: Sequence[str] = (),
    start: str | None = None,
    usual: int = 1,
    other: int,
    expansion: Mapping[str, str] | None = None,
    chance: Mapping[str, str] | None = None,
    thread: str | None = None,
    card: str | None = None,
) -> NewRequest:
    """The request for ``asked``; ``base`` are settings to keep where nothing was typed, ``usual`` how many pictures
    then, and ``layers`` the defaults where those are not to be the instance's of now. ``start`` is the event whose
    picture it starts from; ``other`` the seed of a variation that has none; ``expansion`` what a language model wrote
    the prompt of, when that was drawn before; ``chance`` what words were drawn from that are not drawn anew;
    ``thread`` as in :class:`NewRequest`; ``card`` the one that drew it before, which one picture is to come from again.

    Raises :class:`Unusable`.
    """
    values, typed = around.values, _named(asked.asked(), asked)
    wanted = completed(asked, base or DrawOptions())
    prompt = wanted.prompt or ""
    _check_lengths("" if expansion is not None else prompt, wanted.negative_prompt, values)
    _check_start(wanted, values.prefix, start=start)
    body = {
        **wanted.asked(),
        **_styles(wanted, around),
        "prompt": prompt,
        "seed": seed,
        "count": _allowed_count(asked.count, around, usual=values.draw.count if base is None else usual),
        "layers": list(layers_of(around, numbers=base is None) if layers is None else layers),
        "most": {"steps": values.limits.steps},
        "asked": typed,
        "structure": None if wanted.structure is None else wanted.structure.sent,
        "expansion": None if expansion is None else dict(expansion),
        "chance": None if chance is None else dict(chance),
    }
    if wanted.variation is not None:
        to = other if wanted.variation.seed is None else wanted.variation.seed
        body["variation"] = {"seed": to, "strength": wanted.variation.strength}
    body |= _from_picture(wanted, start)
    body |= swept(wanted, around, seed=seed, other=other, start=start)
    if "sheet" not in body and asked.sheet and (asked.film or body["count"] < FEWEST):
        notes = (*notes, texts.SHEET_AND_FILMS if asked.film else texts.SHEET_OF_ONE)
    if "sheet" not in body and not asked.film and _on_a_sheet(asked.sheet, body["count"], around.batch):
        body["sheet"] = {}
    if asked.sheet is False:
        body.pop("sheet", None)
    if around.safe:
        body["safety"] = True
    if around.described:
        body["describe"] = True
    if asked.watch or (asked.watch is None and around.watched and not around.safe):
        body["preview"] = True  # a room that is used to both need not be told each time that there is none
    if asked.film:
        body["film"] = True
    if body["count"] == 1 and "sweep" not in body:
        body["card"] = card
    body = {key: value for key, value in body.items() if value is not None}
    return NewRequest(kind="image", body=body, asked=typed | _wishes(asked, body), notes=tuple(notes), thread=thread)


def _wishes(asked: DrawOptions, body: Mapping[str, Any]) -> dict[str, Any]:
    """How somebody asked for the pictures to come: said where the worker is too old for it."""
    wishes = {"sheet": asked.sheet and "sheet" in body, "watch": asked.watch and "preview" in body}
    return {name: True for name, wish in wishes.items() if wish}


def _on_a_sheet(asked: bool | None, count: int, batch: str) -> bool:
    if asked is not None:
        return asked and count >= FEWEST
    least = {"auto": FROM, "sheet": FEWEST}.get(batch)
    return least is not None and count >= least


def layers_of(around: Circumstances, *, numbers: bool) -> list[dict[str, Any]]:
    """The room's defaults and the instance's; without ``numbers`` only which model draws: a picture that is drawn again
    has its own."""
    ours, chosen = around.values.draw, around.chosen
    room: dict[str, Any] = {"layer": "room", "model": chosen.name if chosen.source == "room" else None}
    instance: dict[str, Any] = {"layer": "instance", "model": around.values.model}
    if numbers:
        room |= {"expand": around.expand, **around.room.layer()}
        if around.style is not None:
            room["style"] = [style.sent() for style in worded(around.style, around.styles)]
        instance |= {
            "expand": ours.expand or None,
            "style": list(ours.style) or None,
            "steps": ours.steps,
            "guidance_scale": ours.cfg,
            "size": None if ours.size is None else list(ours.size),
            "sampler": ours.sampler,
            "negative_prompt": ours.negative_prompt,
        }
    filled = ({name: value for name, value in layer.items() if value is not None} for layer in (room, instance))
    return [layer for layer in filled if len(layer) > 1]


def _styles(wanted: DrawOptions, around: Circumstances) -> dict[str, Any]:
    """The styles as the worker takes them: the room's own, which it does not know, with their words."""
    if wanted.style is None:
        return {}
    return {"style": [style.sent() for style in worded(wanted.style, around.styles)]}


def _named(typed: dict[str, Any], asked: DrawOptions) -> dict[str, Any]:
    """Of styles that somebody typed only the names."""
    return typed if asked.style is None else {**typed, "style": [style.name for style in asked.style]}


def _check_lengths(prompt: str, negative: str | None, values: Values) -> None:
    most = values.limits.prompt_length
    if len(prompt) > most:
        raise Unusable(texts.prompt_too_long(len(prompt), most))
    if negative is not None and len(negative) > most:
        raise Unusable(texts.negative_too_long(len(negative), most))


def _allowed_count(typed: int | None, around: Circumstances, *, usual: int) -> int:
    most = around.count_max
    if typed is not None and typed > most:
        raise Unusable(texts.too_many_pictures(most))
    return min(usual, most) if typed is None else typed


def _check_start(wanted: DrawOptions, prefix: str, *, start: str | None) -> None:
    """Flags about an init image need one; a ControlNet picture does not count as one."""
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
    """The picture of the event ``start`` as a field of the request: ControlNet input, else init image."""
    if start is None:
        return {}
    if wanted.control is not None:
        scale = {} if wanted.control.scale is None else {"scale": wanted.control.scale}
        return {"control": {"event": start, "kind": wanted.control.kind, **scale}}
    return {
        "init_image": {"event": start},
        "upscale": wanted.upscale,
        "mask": {"event": start} if wanted.inpaint else None,
    }


def completed(asked: DrawOptions, base: DrawOptions) -> DrawOptions:
    """``asked``, completed by ``base``. Width and height count as one setting, which overrides an aspect ratio."""
    merged = {name: old if (new := getattr(asked, name)) is None else new for name, old in vars(base).items()}
    if asked.width is not None:
        merged |= {"width": asked.width, "height": asked.height}
    if merged["width"] is not None:
        merged["aspect"] = None
    return DrawOptions(**merged)
