"""``!persona``: who the bot is in this room's chats, for all to see and for moderators to set."""

from __future__ import annotations

from .. import texts
from ..chat.persona import MOST, PLACEHOLDERS
from ..language.arguments import Intent, whole
from ..language.message import Message
from .command import Command
from .outcome import Outcome, Reply, RoomSetting, refuse, say
from .room_settings import PERSONA
from .services import Services
from .setting import is_back


async def show_or_set_persona(services: Services, message: Message, intent: Intent) -> Outcome:
    values = services.config.current
    if not values.chat.enabled:
        return refuse(texts.CHAT_OFF)
    text, level = intent.text.strip(), PERSONA_COMMAND.level(values)
    if not text:
        own = await services.settings.persona(message.room_id)
        return say(texts.persona_now(own or values.chat.system_prompt, own=own is not None, prefix=values.prefix))
    if not await services.permissions.has_power(message.room_id, message.sender, level):
        return refuse(texts.may_not_change_settings(level))
    await services.settings.surely_settled(message.room_id)  # or what is set back now would come back later
    if is_back(text):
        return Outcome(reply=Reply(text=texts.PERSONA_UNSET), setting=RoomSetting(name=PERSONA, value=None))
    if len(text) > MOST:
        return refuse(texts.persona_too_long(len(text), MOST))
    return Outcome(reply=Reply(text=texts.persona_set(text)), setting=RoomSetting(name=PERSONA, value=text))


PERSONA_COMMAND = Command(
    name="persona",
    run=show_or_set_persona,
    reads=whole,
    power="settings",
    usage=("persona You are a pirate. Answer in rhymes.", "who I am in this room's chats; moderators set it"),
    topic=(
        "{!persona} shows who I am in this room's chats, {!persona TEXT} says it anew (moderators), {!persona default} "
        f"goes back. {', '.join(f'`{one}`' for one in PLACEHOLDERS)} in it become my name, the room's, and the day on "
        "which a conversation began."
    ),
    documented=(
        ("`!persona`", "who the bot is in this room's chats"),
        (
            "`!persona TEXT`, `!persona default`",
            f"moderators say it anew, in at most {MOST:,} characters; `{{bot}}`, `{{room}}` and `{{date}}` become the "
            "bot's name, the room's, and the day on which a conversation began",
        ),
    ),
    chats=True,
)
