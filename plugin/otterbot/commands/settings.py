"""``!settings``: what holds in this room besides its model, for all to see and for moderators to set."""

from __future__ import annotations

from .. import texts
from ..language.arguments import Intent
from ..language.message import Message
from .command import Command
from .outcome import Outcome, Reply, RoomSetting, say
from .room_settings import SAFE
from .services import Services

_VALUES = {
    "on": True, "yes": True, "true": True, "off": False, "no": False, "false": False, "default": None, "reset": None,
}  # fmt: skip


async def show_or_set(services: Services, message: Message, intent: Intent) -> Outcome:
    prefix, level = services.config.current.prefix, SETTINGS.level(services.config.current)
    name, _, value = " ".join(intent.text.lower().split()).partition(" ")
    if not name:
        chosen = await services.settings.model(message.room_id)
        safe = await services.settings.safe(message.room_id)
        return say(texts.settings(chosen.name, safe, prefix))
    if name != SAFE or (value and value not in _VALUES):
        return say(texts.settings_usage(prefix))
    if not value:
        return say(texts.safe_mode(await services.settings.safe(message.room_id), prefix))
    if not await services.permissions.has_power(message.room_id, message.sender, level):
        return say(texts.may_not_change_settings(level))
    await services.settings.surely_settled(message.room_id)  # or what is set back now would come back later
    wanted = _VALUES[value]
    stored = None if wanted is None else ("on" if wanted else "off")
    safe = services.config.current.draw.safe if wanted is None else wanted
    return Outcome(reply=Reply(text=texts.safe_mode_set(safe)), setting=RoomSetting(name=SAFE, value=stored))


SETTINGS = Command(
    name="settings",
    run=show_or_set,
    power="settings",
    usage=("settings", "what else holds in this room; moderators set it"),
    topic=(
        "{!settings} shows what holds in this room. {!settings safe on} lets a safety checker look at every picture "
        "before it comes, {!settings safe off} ends that (moderators)."
    ),
    documented=(("`!settings`, `!settings safe on`", "what else holds in this room; moderators set it"),),
)
