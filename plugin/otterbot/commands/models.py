"""``!models``: what could draw."""

from __future__ import annotations

from difflib import get_close_matches

from .. import texts
from ..errors import WorkerError, WorkerUnauthorized
from ..language.arguments import Intent
from ..language.message import Message
from ..worker.info import Lora
from .catalogue_names import drawing_model, find_model
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
    prefix, typed = services.config.current.prefix, intent.text.strip().strip("`\"'")
    model = find_model(typed, models)
    if model is not None:
        return say(texts.model_in_full(model, await _loras(services), prefix))
    if typed.lower() in ("loras", "lora", "embeddings"):
        return say(texts.all_loras(await _loras(services)))
    draws = drawing_model(await services.settings.model(message.room_id), models)
    answers = answering_model(await services.settings.chat_model(message.room_id), models)
    if typed.lower() == "all":
        return say(texts.all_models(models.models, draws, answers, models.samplers, prefix))
    if typed:
        near = get_close_matches(typed[:80].lower(), [known.name for known in models.models], n=2, cutoff=0.5)
        return say(texts.unknown_model(typed, near, prefix))
    return say(texts.models(models.models, draws, answers, await _loras(services), prefix))


async def _loras(services: Services) -> tuple[Lora, ...]:
    """None while the worker is away: its models are known from before, these are not."""
    try:
        return await services.worker.loras()
    except WorkerError:
        return ()


MODELS = Command(
    name="models",
    run=list_models,
    usage=("models", "the models that are here, and what each is good for"),
    topic=(
        "{!models} lists the models that are on the worker, {!models all} those as well that it can download, and the "
        "samplers, {!models loras} the LoRAs and embeddings. {!models NAME} says all of one: what it is good for, its "
        "size, defaults and limits, and the LoRAs that fit."
    ),
    documented=(
        ("`!models`", "the models that are on the worker, what each is good for, and how much more there is"),
        ("`!models all`, `!models loras`", "all models with the samplers; the LoRAs and embeddings"),
        ("`!models NAME`", "all of one model: what it is good for, its download, defaults, limits, what fits to it"),
    ),
)
