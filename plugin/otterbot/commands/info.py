"""``!info``: what made a picture, in words, and the line that makes it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from .. import texts
from ..errors import MatrixError, Unanswered
from ..language.arguments import Intent, nothing_or
from ..language.line import line_of
from ..language.message import Message
from ..language.option_kinds import NeverTyped, Number
from ..language.option_table import OPTIONS
from ..language.options import DrawOptions
from ..language.structures import KEYS
from ..texts.info import info, info_of_nothing
from .choose import behind
from .command import Command
from .drawn_words import as_drawn, read_templates
from .find_picture import find_drawn
from .outcome import Outcome, Unusable, refuse, say
from .recorded_settings import read_expansion, read_settings
from .services import Services

_WEIGHT = Number(-100, 100)
_MOST = 20
"""LoRAs that are listed."""


async def show_info(services: Services, message: Message, intent: Intent) -> Outcome:
    prefix = services.config.current.prefix
    try:
        intent, field = await behind(services, message, intent, INFO)
        if (refused := INFO.refuse(services, intent)) is not None:
            return refused
        found = field or await find_drawn(services, message)
    except Unusable as refusal:
        return refuse(str(refusal))
    except MatrixError as error:
        raise Unanswered(type(error).__name__, sentence=texts.PICTURE_AWAY) from None
    if found is None and message.reply_to is None:
        return refuse(texts.no_picture(prefix))
    if found is None or not found.ours:
        return refuse(info_of_nothing(prefix))
    raw = found.record.get("used")
    used = read_settings(raw)
    if used is None or not isinstance(raw, Mapping):
        return refuse(texts.record_unusable(prefix))
    used_to_one = await services.settings.usual_styles(message.room_id) is not None
    line, reply = line_in(found.record, used_to_a_style=used_to_one)
    return say(info((*_rows(_typed(used, raw)), *_more(raw)), line, prefix, reply=reply))


def line_in(record: Mapping[str, Any], *, used_to_a_style: bool = False) -> tuple[str | None, bool]:
    """The line that draws the picture of that record again, ``None`` if there is none; and whether it has to be a reply
    to the picture that it began with. ``used_to_a_style``: where it is typed, a picture without one has to say so."""
    raw = record.get("used")
    used = read_settings(raw)
    if used is None or not isinstance(raw, Mapping):
        return None, False
    options = _typed(used, raw)
    if options.style is None and used_to_a_style:
        options = replace(options, style=())
    reply = raw.get("init_image") is not None or options.control is not None
    return line_of(as_drawn(options)) if _can_be_typed(used, raw) else None, reply


def _typed(used: DrawOptions, raw: Mapping[str, Any]) -> DrawOptions:
    """The settings as a person would type them."""
    if raw.get("init_image") is None:
        return replace(used, strength=None)
    inpaint = True if raw.get("mask") is not None else None
    return replace(used, inpaint=inpaint)


def _can_be_typed(used: DrawOptions, raw: Mapping[str, Any]) -> bool:
    """The API takes more pictures than a line can be a reply to, and a ControlNet for some of the steps."""
    start, mask, control = (raw.get(name) for name in ("init_image", "mask", "control"))
    if (mask is not None and mask != start) or (start is not None and control is not None):
        return False
    if used.hires is not None and used.hires.steps not in (None, used.steps):
        return False
    return not isinstance(control, Mapping) or (control.get("start", 0), control.get("end", 1)) == (0, 1)


def _rows(options: DrawOptions) -> Iterator[tuple[str, str]]:
    for option in OPTIONS:
        value = option.value(options)
        if option.label and option.recorded and value is not None:
            yield option.label, option.kind.said(value) or "nothing"


def _more(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What no flag says."""
    if isinstance(raw.get("structure"), Mapping):
        yield "Keys", ", ".join(key for key in KEYS if raw["structure"].get(key) is not None)
    drawn_from = read_templates(raw)
    if drawn_from.prompt is not None:
        yield "Drawn from", drawn_from.prompt
    if drawn_from.negative_prompt is not None:
        yield "Not in it, drawn from", drawn_from.negative_prompt
    if (written := read_expansion(raw)) is not None:
        yield "Expanded from", written.prompt
        yield "Expanded by", written.model
    if raw.get("init_image") is not None:
        masked = raw.get("mask") is not None
        yield "Began with", "another picture, of which only a part was drawn anew" if masked else "another picture"
    for field, key, label in (("loras", "name", "LoRAs"), ("embeddings", "token", "Embeddings")):
        listed = raw.get(field)
        names = [_named(one, key) for one in (listed if isinstance(listed, list) else [])[:_MOST]]
        if said := ", ".join(name for name in names if name):
            yield label, said
    for field, label in (("refiner", "Refiner"), ("vae", "VAE")):
        if name := _named(raw.get(field), "name"):
            yield label, name


def _named(one: Any, key: str) -> str:
    """``penguin × 0.8``; ``""`` where it is nothing of ours."""
    if not isinstance(one, Mapping) or not isinstance(one.get(key), str):
        return ""
    try:
        weight = _WEIGHT.written(_WEIGHT.recorded(one["weight"]))
    except (KeyError, NeverTyped):
        return str(one[key])
    return f"{one[key]} × {weight}"


INFO = Command(
    name="info",
    run=show_info,
    reads=nothing_or(),
    usage=("info", "what made the last picture, its seed too; as a reply to a picture, that one"),
    topic=(
        "{!info} says what made the last picture of this room, with the line that draws it again; as a reply to a "
        "picture of mine, that one."
    ),
    documented=(
        (
            "`!info`",
            "what made the last picture of the room, its seed too, and the line that draws it again; as a reply to a "
            "picture, that one",
        ),
    ),
    stray="{!info} takes no words. Reply to a picture of mine with it, or type it alone for the last one.",
)
