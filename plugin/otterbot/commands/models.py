"""``!model`` and ``!models``: what draws in this room, and what could."""

from __future__ import annotations

from .. import texts
from ..errors import WorkerError, WorkerUnauthorized
from ..language.message import Message
from ..worker.info import Lora, Models
from .catalogue_names import check_model, find_model
from .context import known_models
from .outcome import Outcome, Reply, RoomSetting, Unusable, say
from .room_settings import MODEL, Chosen
from .services import Services

_BACK = frozenset({"default", "reset", "none", "off"})


async def show_or_set_model(services: Services, message: Message, text: str) -> Outcome:
    prefix, level = services.config.current.prefix, services.config.current.power.set_model
    name = text.strip().strip("`\"'")
    if not name:
        chosen, models = await services.settings.model(message.room_id), await known_models(services)
        return say(texts.room_model(drawing_model(chosen, models), source=chosen.source, prefix=prefix))
    if not await services.permissions.has_power(message.room_id, message.sender, level):
        return say(texts.may_not_set_model(level))
    await services.settings.surely_settled(message.room_id)  # or what is set back now would come back later
    models = await known_models(services)
    # A model that is really called "default" can be set all the same.
    if name.lower() in _BACK and (models is None or find_model(name, models) is None):
        default = drawing_model(services.settings.default_model(), models)
        return Outcome(reply=Reply(text=texts.model_unset(default)), setting=RoomSetting(name=MODEL, value=None))
    if models is None:
        return _unchecked(name, prefix)
    try:
        model = check_model(name, models, prefix)
    except Unusable as refusal:
        return say(str(refusal))
    return Outcome(reply=Reply(text=texts.model_set(model.name)), setting=RoomSetting(name=MODEL, value=model.name))


def _unchecked(name: str, prefix: str) -> Outcome:
    if len(name) > 255 or not name.isprintable() or " " in name:
        return say(texts.unknown_model(name, (), prefix))
    return Outcome(reply=Reply(text=texts.model_set_unchecked(name)), setting=RoomSetting(name=MODEL, value=name))


async def list_models(services: Services, message: Message) -> Outcome:
    try:
        models = await services.worker.models(max_age=30.0)
    except WorkerUnauthorized:
        return say(texts.WORKER_REFUSES_TOKEN)
    except WorkerError:
        return say(texts.MODELS_UNKNOWN)
    chosen = await services.settings.model(message.room_id)
    here = drawing_model(chosen, models)
    listed = texts.models(models.models, here, models.samplers, await _loras(services), services.config.current.prefix)
    return say(listed)


async def _loras(services: Services) -> tuple[Lora, ...]:
    """None while the worker is away: its models are known from before, these are not."""
    try:
        return await services.worker.loras()
    except WorkerError:
        return ()


def drawing_model(chosen: Chosen, models: Models | None) -> str | None:
    """The name of what draws, as far as it is known: a choice that is gone falls back to the worker's default."""
    if models is None:
        return chosen.name
    if chosen.name is not None and (model := find_model(chosen.name, models)) is not None:
        return model.name
    return next((model.name for model in models.models if model.default and model.kind == "image"), None)
