"""``!models``: what could draw."""

from __future__ import annotations

from .. import texts
from ..errors import WorkerError, WorkerUnauthorized
from ..language.arguments import Intent
from ..language.message import Message
from ..worker.info import Lora
from .catalogue_names import drawing_model
from .chat_models import answering_model
from .command import Command
from .outcome import Outcome, say
from .services import Services


async def list_models(services: Services, message: Message, intent: Intent) -> Outcome:
    try:
        models = await services.worker.models(max_age=30.0)
    except WorkerUnauthorized:
        return say(texts.WORKER_REFUSES_TOKEN)
    except WorkerError:
        return say(texts.MODELS_UNKNOWN)
    chosen = await services.settings.model(message.room_id)
    listed = texts.models(
        models.models,
        drawing_model(chosen, models),
        answering_model(await services.settings.chat_model(message.room_id), models),
        models.samplers,
        await _loras(services),
        services.config.current.prefix,
    )
    return say(listed)


async def _loras(services: Services) -> tuple[Lora, ...]:
    """None while the worker is away: its models are known from before, these are not."""
    try:
        return await services.worker.loras()
    except WorkerError:
        return ()


MODELS = Command(
    name="models",
    run=list_models,
    usage=("models", "the models, and what each is good for"),
    topic="{!models} lists the models and what each is good for, the samplers, and the LoRAs.",
    documented=(
        (
            "`!models`",
            "the models, what each is good for and which are not on the worker yet, the samplers, the LoRAs and "
            "embeddings",
        ),
    ),
)
