"""``!settings``: what holds in this room, for all to see and for moderators to set. :mod:`.setting_rows` lists it."""

from __future__ import annotations

import re
from dataclasses import replace
from difflib import get_close_matches

from .. import texts
from ..language.arguments import Intent, plain, whole
from ..language.message import Message
from .command import Command
from .outcome import Outcome, Reply, RoomSetting, Unusable, refuse, say
from .room_settings import PERSONA
from .services import Services
from .setting import Setting
from .setting_rows import BY_NAME, ROWS

ALL = "all"
_NAMED = re.compile(r"([^\s=]+)(?:\s*=\s*|\s+|$)(.*)", re.DOTALL)


def _read(name: str, text: str) -> Intent:
    """What a persona is told keeps its lines and its last full stop."""
    return whole(name, text) if _named(text)[0] == PERSONA else plain(name, text)


async def show_or_set(services: Services, message: Message, intent: Intent) -> Outcome:
    prefix = services.config.current.prefix
    name, value = _named(intent.text)
    if not name or (name == ALL and not value):
        rows = [await _line(services, message.room_id, row) for row in ROWS]
        return say(texts.all_settings(rows, prefix) if name else texts.settings(rows, prefix))
    row = BY_NAME.get(name)
    if row is None:
        near = get_close_matches(name[:40], list(BY_NAME), n=2, cutoff=0.6)
        return refuse(texts.settings_usage([row.name for row in ROWS], near, prefix))
    if not value:
        more = "" if row.more is None else await row.more(services, message.room_id, message.sender)
        line = await _line(services, message.room_id, row)
        return say(texts.setting_now(line, row.title, row.change, more, prefix))
    if row.command is not None:
        return await row.command(services, message, replace(intent, text=value))
    if row.read is None:
        return say(texts.setting_now(await _line(services, message.room_id, row), row.title, row.change, "", prefix))
    value = " ".join(value.split())
    level = SETTINGS.level(services.config.current)
    if not await services.permissions.has_power(message.room_id, message.sender, level):
        return refuse(texts.may_not_change_settings(level))
    await services.settings.surely_settled(message.room_id)  # or what is set back now would come back later
    try:
        wanted = await row.read(services, message.room_id, value)
    except Unusable as refusal:
        return refuse(str(refusal))
    return Outcome(reply=Reply(text=wanted.said), setting=RoomSetting(name=row.name, value=wanted.stored))


def _named(text: str) -> tuple[str, str]:
    """Name and value, as ``size 768x768`` or ``size=768x768``."""
    found = _NAMED.fullmatch(text.strip())
    return ("", "") if found is None else (found[1].lower(), found[2].strip())


async def _line(services: Services, room: str, row: Setting) -> tuple[str, str, str]:
    """Its name, its value, and whose that is."""
    value = await row.current(services, room)
    own = await services.settings.own(room, row.name) is not None
    return row.name, value, "room" if own else row.otherwise(services.config.current)


SETTINGS = Command(
    name="settings",
    meant=("config", "options"),
    run=show_or_set,
    reads=_read,
    power="settings",
    usage=("settings", "what holds in this room; moderators set it"),
    topic=(
        "{!settings} shows what holds in this room, and whose choice it is; {!settings NAME} says more of one. "
        "{!settings size 768x768}, {!settings steps 30}, {!settings cfg 7} and {!settings negative WORDS} are this "
        "room's defaults for pictures; {!settings count_max 4} is how many one request may ask for, "
        "{!settings per_day 20} how many one person may ask for within 24 hours. "
        "{!settings safe on} lets a safety checker look at every picture before it comes; "
        "{!settings expand on} lets a language model write the prompts; {!settings chat NAME} chooses the chat model; "
        "{!settings watch on} shows pictures while they are drawn; "
        "{!settings alt describe} lets each picture say what it shows. {!settings safe default} goes back to the "
        "operator's default. Moderators may."
    ),
    documented=(
        (
            "`!settings`, `!settings all`, `!settings NAME`",
            "what holds in this room, and whose choice it is; the same with a line each; more of one",
        ),
        (
            "`!settings size 768x768`, `steps 30`, `cfg 7`, `negative WORDS`",
            "what pictures of this room take where nobody types it; moderators set it, `default` goes back",
        ),
        (
            "`!settings count_max 4`, `!settings per_day 20`",
            "how many pictures one request, or one person within 24 hours, may ask for here; moderators set it",
        ),
        (
            "`!settings batch sheet`, `separate`, `auto`",
            "how several pictures of one request come: on one numbered sheet, each by itself, or (`auto`) on a sheet "
            "from three on; moderators set it",
        ),
        ("`!settings safe on`", "a safety checker looks at every picture for this room; moderators set it"),
        (
            "`!settings expand on`",
            "a language model writes the prompts of this room's pictures around people's words; moderators set it",
        ),
        (
            "`!settings chat_draws on`",
            "the language model may ask for a picture in this room's chats; moderators set it",
        ),
        (
            "`!settings style watercolor,backlit`",
            "what pictures in this room look like where nobody says it; moderators set it",
        ),
        (
            "`!settings offer 🔁 🎲`, `!settings offer off`",
            "the reactions that the bot puts under its pictures here; moderators set it",
        ),
        ("`!settings chat NAME`", "which language model answers `!chat` in this room; moderators set it"),
        ("`!settings watch on`", "this room's pictures are shown while they are drawn; moderators set it"),
        ("`!settings alt describe`", "each picture for this room says what it shows; moderators set it"),
    ),
)
