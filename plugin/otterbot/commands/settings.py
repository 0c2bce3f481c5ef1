"""``!settings``: what holds in this room, for all to see and for moderators to set. :mod:`.setting_rows` lists it."""

from __future__ import annotations

from .. import texts
from ..language.arguments import Intent
from ..language.message import Message
from .command import Command
from .outcome import Outcome, Reply, RoomSetting, Unusable, say
from .services import Services
from .setting import Setting
from .setting_rows import BY_NAME, ROWS


async def show_or_set(services: Services, message: Message, intent: Intent) -> Outcome:
    prefix = services.config.current.prefix
    name, _, value = " ".join(intent.text.split()).partition(" ")
    if not name:
        return say(texts.settings([await _row(services, message.room_id, row) for row in ROWS], prefix))
    row = BY_NAME.get(name.lower())
    if row is None:
        return say(texts.settings_usage([row.name for row in ROWS], prefix))
    if not value or row.read is None:
        return say(texts.setting_now(*await _row(services, message.room_id, row), prefix))
    level = SETTINGS.level(services.config.current)
    if not await services.permissions.has_power(message.room_id, message.sender, level):
        return say(texts.may_not_change_settings(level))
    await services.settings.surely_settled(message.room_id)  # or what is set back now would come back later
    try:
        wanted = await row.read(services, message.room_id, value)
    except Unusable as refusal:
        return say(str(refusal))
    return Outcome(reply=Reply(text=wanted.said), setting=RoomSetting(name=row.name, value=wanted.stored))


async def _row(services: Services, room: str, row: Setting) -> tuple[str, str, str]:
    return row.title, await row.current(services, room), row.change


SETTINGS = Command(
    name="settings",
    run=show_or_set,
    power="settings",
    usage=("settings", "what holds in this room; moderators set it"),
    topic=(
        "{!settings} shows what holds in this room. {!settings safe on} lets a safety checker look at every picture "
        "before it comes, {!settings safe off} ends that; "
        "{!settings expand on} lets a language model write the prompts; {!settings chat NAME} chooses the chat model; "
        "{!settings alt describe} lets each picture say what it shows. {!settings safe default} goes back to the "
        "operator's default. Moderators may."
    ),
    documented=(
        ("`!settings`", "what holds in this room"),
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
        ("`!settings chat NAME`", "which language model answers `!chat` in this room; moderators set it"),
        ("`!settings alt describe`", "each picture for this room says what it shows; moderators set it"),
    ),
)
