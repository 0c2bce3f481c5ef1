"""``!model``: which model draws in this room, for all to see and for moderators to set."""

from __future__ import annotations

from .. import texts
from ..language.arguments import Intent
from ..language.message import Message
from . import room_checks, room_settings
from .catalogue_names import check_model, drawing_model, find_model
from .command import Command
from .context import known_models
from .outcome import Outcome, Reply, RoomSetting, Unusable, refuse, say
from .room_settings import Chosen
from .services import Services

_BACK = frozenset({"default", "reset", "none", "off"})


async def show_or_set_model(services: Services, message: Message, intent: Intent) -> Outcome:
    prefix, level = services.config.current.prefix, MODEL.level(services.config.current)
    name = intent.text.strip().strip("`\"'")
    if not name:
        chosen, models = await services.settings.model(message.room_id), await known_models(services)
        return say(texts.room_model(drawing_model(chosen, models), source=chosen.source, prefix=prefix))
    if not await services.permissions.has_power(message.room_id, message.sender, level):
        return refuse(texts.may_not_set_model(level))
    await services.settings.surely_settled(message.room_id)  # or what is set back now would come back later
    models = await known_models(services)
    # A model that is really called "default" can be set all the same.
    if name.lower() in _BACK and (models is None or find_model(name, models) is None):
        default = drawing_model(services.settings.default_model(), models)
        left_out = await room_checks.left_out(services, message.room_id, services.settings.default_model())
        return _set(None, texts.model_unset(default, left_out))
    if models is None:
        return _unchecked(name, prefix)
    try:
        model = check_model(name, models, prefix)
    except Unusable as refusal:
        return refuse(str(refusal))
    chosen = Chosen(name=model.name, source="room")
    left_out = await room_checks.left_out(services, message.room_id, chosen)
    said = " ".join(part for part in (texts.model_set(model.name, left_out), texts.is_here(model)) if part)
    return _set(model.name, said)


def _unchecked(name: str, prefix: str) -> Outcome:
    if len(name) > 255 or not name.isprintable() or " " in name:
        return refuse(texts.unknown_model(name, (), prefix))
    return _set(name, texts.model_set_unchecked(name))


def _set(name: str | None, said: str) -> Outcome:
    return Outcome(reply=Reply(text=said), setting=RoomSetting(name=room_settings.MODEL, value=name))


MODEL = Command(
    name="model",
    run=show_or_set_model,
    power="set_model",
    usage=("model", "the model of this room; moderators set it with a name after it"),
    topic=(
        "{!model} says which model draws in this room, {!model NAME} changes it (moderators), {!model default} goes "
        "back. {!models} lists them."
    ),
    documented=(
        ("`!model`, `!model NAME`, `!model default`", "which model draws in this room; moderators choose it"),
    ),
)  # fmt: skip
