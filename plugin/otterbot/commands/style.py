"""``!style``: a room's own styles, made of a picture's words or of those typed behind the name; moderators do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from .. import texts
from ..errors import MatrixError, Unanswered
from ..language.arguments import Intent
from ..language.flags import read_flags
from ..language.message import Message
from ..language.option_values import MAX_PROMPT
from ..language.options import DrawOptions
from ..language.style_values import fold, is_style_name, styled
from ..language.typed import folded
from ..store.rows import RoomStyle
from .command import Command
from .find_picture import find_drawn
from .outcome import Outcome, Reply, Unusable, refuse
from .recorded_settings import read_settings
from .services import Services

MOST = 100
"""Styles of one room."""
_SAVE = frozenset({"save", "add", "set"})
_DELETE = frozenset({"delete", "remove"})
_WORDS = frozenset({"prompt", "negative_prompt"})


def _read(name: str, text: str) -> Intent:
    """``save NAME``, ``save NAME words --no words``, ``delete NAME``; quotes around a name go."""
    verb, _, rest = text.partition(" ")
    style, _, words = rest.strip().partition(" ")
    if folded(verb) not in _SAVE:
        return Intent(name=name, text=" ".join(text.split()))
    options, problem, overlooked = read_flags(words.strip()) if words.strip() else (DrawOptions(), None, ())
    return Intent(name=name, text=f"{verb} {style}".strip(), options=options, problem=problem, overlooked=overlooked)


async def save_or_delete(services: Services, message: Message, intent: Intent) -> Outcome:
    values = services.config.current
    verb, _, name = intent.text.partition(" ")
    name, verb = name.strip("`\"'“”").strip(), folded(verb)
    if verb not in _SAVE | _DELETE or not name:
        return refuse(texts.style_usage(values.prefix))
    if (refused := STYLE.refuse(services, intent)) is not None:
        return refused
    level = STYLE.level(values)
    if not await services.permissions.has_power(message.room_id, message.sender, level):
        return refuse(texts.may_not_save_styles(level))
    await services.settings.surely_settled(message.room_id)  # or what is deleted now would come back later
    try:
        if verb in _DELETE:
            return await _deleted(services, message, name)
        return await _saved(services, message, name, intent.options)
    except Unusable as refusal:
        return refuse(str(refusal))
    except MatrixError as error:
        raise Unanswered(type(error).__name__, sentence=texts.PICTURE_AWAY) from None


async def _saved(services: Services, message: Message, name: str, typed: DrawOptions) -> Outcome:
    """Raises :class:`Unusable`, :class:`~..errors.MatrixError`."""
    prefix = services.config.current.prefix
    if not is_style_name(name):
        raise Unusable(texts.bad_style_name(prefix))
    if any(getattr(typed, one.name) is not None for one in fields(typed) if one.name not in _WORDS):
        raise Unusable(texts.style_is_words(prefix))
    if typed.prompt is None and typed.negative_prompt is None:
        prompt, negative = await _words_of_picture(services, message)
    else:
        prompt, negative = (typed.prompt or "").strip(), (typed.negative_prompt or "").strip()
    if max(len(prompt), len(negative)) > MAX_PROMPT:
        raise Unusable(texts.style_too_long(MAX_PROMPT))
    if not prompt and not negative:
        raise Unusable(texts.style_without_words(prefix))
    own = await services.settings.own_styles(message.room_id)
    if len(own) >= MOST and fold(name) not in own:
        raise Unusable(texts.too_many_styles(MOST, prefix))
    style = RoomStyle(key=fold(name), name=name, prompt=prompt, negative_prompt=negative)
    said = texts.style_saved(name, prompt, negative, prefix, anew=style.key in own)
    return Outcome(reply=Reply(text=said), style=style)


async def _words_of_picture(services: Services, message: Message) -> tuple[str, str]:
    """As it was drawn, its styles included; what should not be in it, as far as somebody said so: what a model leaves
    out of every picture is none of a style's."""
    prefix = services.config.current.prefix
    found = None
    if message.reply_to is not None or message.thread_root is not None:
        found = await find_drawn(services, message)
    if found is None or not found.ours:
        raise Unusable(texts.style_needs_a_picture(prefix))
    used, asked = read_settings(found.record.get("used")), found.record.get("asked")
    if used is None:
        raise Unusable(texts.record_unusable(prefix))
    typed = (read_settings(asked) if isinstance(asked, Mapping) else None) or DrawOptions()
    negative = None if typed.negative_prompt is None else used.negative_prompt  # as it was drawn
    return styled((used.prompt or "").strip(), (negative or "").strip(), used.style or ())


async def _deleted(services: Services, message: Message, name: str) -> Outcome:
    """Raises :class:`Unusable`."""
    room, prefix = message.room_id, services.config.current.prefix
    own = await services.settings.own_styles(room)
    if (style := own.get(fold(name))) is None:
        raise Unusable(texts.no_own_style(name, [one.name for one in own.values()], prefix))
    usual = await services.settings.style(room) or ()
    named = any(fold(one.name) == fold(name) for one in usual)
    return Outcome(reply=Reply(text=texts.style_deleted(style.name, prefix, usual=named)), unstyle=fold(name))


STYLE = Command(
    name="style",
    run=save_or_delete,
    reads=_read,
    power="settings",
    usage=("style save NAME", "as a reply to a picture: a style of this room's own, made of its words; moderators do"),
    topic=(
        "{!style save NAME} as a reply to a picture makes a style of this room's own of that picture's words, "
        "{!style save cave cave painting, ochre --no photo} of those words. Other words go before a style's, or where "
        "`{prompt}` stands in it. {!style delete NAME} deletes one. Moderators may. {!styles} lists them all."
    ),
    documented=(
        ("`!style save NAME` as a reply to a picture", "a style of the room's own, made of its words; moderators do"),
        ("`!style save NAME WORDS`", "the same of words; `{prompt}` in them is where other words go"),
        ("`!style delete NAME`", "one of the room's own is gone; moderators do"),
    ),
)
