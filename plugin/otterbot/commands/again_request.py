"""From a picture that is there to a request: once more, varied, upscaled.

Pure. The picture's record comes from a room: it is read as carefully as typed flags.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .. import texts
from ..language.option_table import FIELDS
from ..language.option_values import Variation
from ..language.options import DrawOptions, untaken
from .asked_picture import Layers, completed, picture_request
from .context import Circumstances
from .drawn_words import Templates, as_drawn, drawn_anew, read_templates
from .other_words import other_words
from .outcome import NewRequest, Unusable
from .recorded_settings import Written, read_expansion, read_settings
from .swept import read_swept, sweeps_over, swept_anew

VARIATION = 0.2
"""The variation strength of `vary`: the layout stays, small things change."""
VARIATIONS = 4
"""How many pictures `vary` draws."""
MAX_CARD_NAME = 200
"""Characters, as the worker takes it."""
_UPSCALED = tuple(
    name
    for name, option in FIELDS.items()
    if option.recorded
    and ("upscale" in option.commands or name in ("prompt", "style"))
    and name not in ("seed", "count", "strength", "upscale")
)
"""Settings that an upscaled picture keeps from its source."""


def again(
    typed: DrawOptions,
    record: Mapping[str, Any],
    around: Circumstances,
    *,
    new_seed: int,
    other: int,
    start: str | None = None,
    layers: Layers | None = None,
    usual: int = 1,
) -> NewRequest:
    """The request of a picture, with what was typed now changed. ``start``: the event that it was drawn from, if it
    is known for sure; ``layers``: those of a picture that is not drawn yet; ``usual`` and ``other`` as in
    :func:`~.asked_picture.picture_request`. Raises :class:`Unusable`."""
    if typed.seed is None and (typed.variation is not None or typed.sweep is not None):
        typed = replace(typed, seed="same")  # of that picture, and only what is varied or swept differs
    prefix = around.values.prefix
    typed, used, before, written = _recorded(typed, record, prefix)
    chance = read_templates(record["used"]).without(typed)
    used, before, chance = _drawn(typed, used, before, chance, written=written, waits=layers is not None)
    notes: list[str] = []
    typed, used, before, written = other_words(typed, used, before, written, prefix, notes)
    used, before, start = _begun(typed, used, before, record["used"], start, prefix)
    if typed.width is not None or typed.aspect is not None or used.upscale is not None or sweeps_over(typed, "size"):
        used, before = _shapeless(used), _shapeless(before)
    if used.upscale is not None:
        _check_upscale(typed, prefix)
    if typed.seed != "same":
        used = replace(used, variation=None)
    asked = completed(replace(typed, seed=None), replace(before, seed=None, count=None, variation=None))
    asked = replace(asked, prompt=asked.prompt or used.prompt, seed=_number(typed.seed))
    if typed.variation is not None and used.variation is not None:
        notes.append(texts.VARIED_BEFORE)
    base = _kept(typed, used, notes)
    return picture_request(
        asked,
        around,
        seed=_seed(typed, used, new_seed),
        base=base,
        layers=layers if _same_model(typed, used) and not sweeps_over(typed, "model") else None,
        notes=notes,
        start=start,
        usual=usual,
        other=other,
        expansion=written.source if written is not None and not typed.expand else None,
        chance=chance.source,
        card=_card(record["used"]) if typed.seed == "same" and typed.variation is None else None,
    )


def _card(used: Mapping[str, Any]) -> str | None:
    """The card that drew it: another one draws almost the same."""
    versions = used.get("versions")
    name = versions.get("device") if isinstance(versions, Mapping) else None
    return name if isinstance(name, str) and 0 < len(name) <= MAX_CARD_NAME else None


def _recorded(
    typed: DrawOptions, record: Mapping[str, Any], prefix: str
) -> tuple[DrawOptions, DrawOptions, DrawOptions, Written | None]:
    """``typed``, what the picture was drawn with, what was typed for it, and the prompt that was written for it. Raises
    :class:`Unusable`."""
    used = read_settings(record.get("used"))
    if used is None or not ((used.prompt or "").strip() or used.upscale):
        raise Unusable(texts.record_unusable(prefix))
    before = read_settings(record.get("asked")) or DrawOptions()
    written = read_expansion(record["used"])
    if written is not None:
        # What was drawn is repeated, and the words that somebody typed only where they are to be expanded anew.
        used = replace(used, prompt=written.prompt if typed.expand else written.drawn or used.prompt)
        before = replace(before, prompt=None)
    elif record["used"].get("expand") is True and typed.expand is None:
        typed = replace(typed, expand=True)  # it waits, and its prompt is not written yet
    if before.style and used.style is not None:
        before = replace(before, style=used.style)  # with the words that they were then
    return typed, used, before, written


def _begun(
    typed: DrawOptions, used: DrawOptions, before: DrawOptions, raw: Mapping[str, Any], start: str | None, prefix: str
) -> tuple[DrawOptions, DrawOptions, str | None]:
    """``used`` and ``before`` with what belongs to the picture that it began with, and that one's event. Raises
    :class:`Unusable` where nobody knows it any more."""
    began = raw.get("init_image") is not None
    if began:
        used = replace(used, control=None)  # rooms never have both; keep the init image
    if not began or typed.control is not None:
        used, before = replace(used, strength=None), replace(before, strength=None)
    if not began and used.control is None:
        return used, before, None
    if start is None:
        raise Unusable(texts.start_lost(prefix))
    if typed.control is None and raw.get("mask") is not None:
        used = replace(used, inpaint=True)
    return used, before, start


def _drawn(
    typed: DrawOptions,
    used: DrawOptions,
    before: DrawOptions,
    chance: Templates,
    *,
    written: Written | None,
    waits: bool,
) -> tuple[DrawOptions, DrawOptions, Templates]:
    """``used`` with its words as they are to be asked for, ``before`` with the same, and what those were drawn from
    that are not drawn anew: with a new seed all are, but for a prompt that a language model wrote. ``waits``: the
    worker has not seen it, and its words are as they were typed."""
    same = typed.seed == "same" or (typed.seed is None and (typed.prompt is not None or bool(typed.changes)))
    keeps = written is not None and not typed.expand
    if waits and chance == Templates():
        return used, before, chance
    if same:
        used = as_drawn(used)
    else:
        used = drawn_anew(used, chance, but_prompt=keeps)
        chance = Templates(prompt=chance.prompt if keeps else None)
    negative = None if before.negative_prompt is None else used.negative_prompt
    if negative is None and not _same_model(typed, used):
        chance = replace(chance, negative_prompt=None)
    return used, replace(before, prompt=None, negative_prompt=negative), chance


def whole(
    typed: DrawOptions,
    record: Mapping[str, Any],
    around: Circumstances,
    *,
    fields: int,
    sweep: Any = None,
    new_seed: int,
    **how: Any,
) -> NewRequest:
    """All pictures of a sheet once more: as many, and variations of the same picture where they were that, or the same
    sweep.

    ``record``: of the first one; ``sweep``: what its message says of that. Raises :class:`Unusable`.
    """
    if (swept := read_swept(sweep)) is not None and typed.sweep is None:
        typed = swept_anew(typed, swept, new_seed=new_seed, prefix=around.values.prefix)
        return again(typed, record, around, new_seed=new_seed, **how)
    used = read_settings(record.get("used"))
    if used is not None and used.variation is not None and typed.variation is None and typed.seed is None:
        typed = replace(typed, variation=Variation(strength=used.variation.strength))
        record = {**record, "used": {**record["used"], "variation": None}}
    return again(typed, record, around, usual=fields, new_seed=new_seed, **how)


def varied(typed: DrawOptions, record: Mapping[str, Any], around: Circumstances, **how: Any) -> NewRequest:
    """A few small variations of a picture: :func:`again` with its seed, near its noise. Raises :class:`Unusable`."""
    used = record.get("used")
    if typed.strength is not None and isinstance(used, Mapping) and used.get("init_image") is None:
        raise Unusable(texts.how_much_varied(around.values.prefix))
    if isinstance(used, Mapping) and used.get("upscale") is not None:
        raise Unusable(texts.upscaled_not_varied(around.values.prefix))
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
    _check_upscale(typed, around.values.prefix)
    used = as_drawn((read_settings(record.get("used")) if record is not None else None) or DrawOptions())
    chance = read_templates(record.get("used") if record is not None else None).without(typed)
    notes: list[str] = []
    base = DrawOptions(prompt=used.prompt, structure=used.structure, style=used.style)
    if _same_model(typed, used):
        base = DrawOptions(**{name: getattr(used, name) for name in _UPSCALED})
    elif used.model is not None:
        chance = replace(chance, negative_prompt=None)
        notes.append(texts.model_returned(typed.model or ""))
    asked = replace(typed, seed=_number(typed.seed))
    seed = _seed(typed, used, new_seed)
    written = read_expansion(record.get("used")) if record is not None and typed.prompt is None else None
    return picture_request(
        asked,
        around,
        seed=seed,
        base=base,
        notes=notes,
        start=start,
        other=other,
        expansion=None if written is None else written.source,
        chance=chance.source,
    )


def _check_upscale(typed: DrawOptions, prefix: str) -> None:
    """Refuse flags that would change the picture."""
    for option in untaken("upscale", typed):
        raise Unusable(texts.upscale_is_that_picture(option.name, prefix))


def _shapeless(options: DrawOptions) -> DrawOptions:
    return replace(options, width=None, height=None, aspect=None)


def _kept(typed: DrawOptions, used: DrawOptions, notes: list[str]) -> DrawOptions:
    """The settings to keep where nothing was typed. After a change of model its defaults are used, with a note."""
    if _same_model(typed, used) and not sweeps_over(typed, "model"):
        return replace(used, seed=None, count=None)
    if sweeps_over(typed, "model"):
        notes.append(texts.SWEEP_MODELS_OWN)
    else:
        notes.append(texts.model_returned(typed.model or ""))
    return DrawOptions(
        prompt=used.prompt,
        style=used.style,
        structure=used.structure,
        strength=used.strength,
        variation=used.variation,
        inpaint=used.inpaint,
        control=used.control,
        upscale=used.upscale,
    )


def _same_model(typed: DrawOptions, used: DrawOptions) -> bool:
    return typed.model is None or (used.model or "").casefold() == typed.model.casefold()


def _seed(typed: DrawOptions, used: DrawOptions, new: int) -> int:
    if typed.seed == "same" and isinstance(used.seed, int):
        return used.seed
    return typed.seed if isinstance(typed.seed, int) else new


def _number(seed: int | str | None) -> int | None:
    """A numeric seed; ``None`` for words such as "random"."""
    return seed if isinstance(seed, int) else None
