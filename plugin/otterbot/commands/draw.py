"""``!draw``, ``!again``, ``!vary`` and ``!upscale``: what was typed becomes a request, or a sentence that says what to
type; with ``--explain``, how the worker reads it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace

from .. import texts
from ..errors import MatrixError, Unanswered, WorkerError, WorkerRefused, WorkerUnauthorized
from ..language.intents import Intent
from ..language.message import Message
from ..language.options import MAX_SEED
from .again_request import again, upscaled, varied
from .context import circumstances
from .find_picture import find_picture, find_record, find_start
from .outcome import NewRequest, Outcome, Unusable, say
from .resolve import resolve
from .services import Services


async def draw(services: Services, message: Message, intent: Intent) -> Outcome:
    """A picture of ``intent.options.prompt``."""
    prefix = services.config.current.prefix
    if intent.problem is not None:
        return say(texts.usage_problem(intent.problem, "draw", prefix))
    options = intent.options
    if options.seed == "same":
        return say(texts.seed_same_needs_a_picture(prefix))
    seed = options.seed if isinstance(options.seed, int) else _new_seed()
    try:
        notes: list[str] = []
        start = await find_start(services, message, notes)
        around = await circumstances(services, message.room_id)
        request = resolve(options, around, seed=seed, other=_new_seed(), notes=notes, start=start)
    except Unusable as refusal:
        return say(str(refusal))
    except MatrixError as error:
        raise Unanswered(type(error).__name__, sentence=texts.START_AWAY) from None
    return await _outcome(services, request, intent)


async def draw_again(services: Services, message: Message, intent: Intent) -> Outcome:
    """The last picture of the room, or the one replied to, with what was typed changed."""
    return await _once_more(services, message, intent, again)


async def vary(services: Services, message: Message, intent: Intent) -> Outcome:
    """A few small variations of that picture."""
    return await _once_more(services, message, intent, varied)


async def upscale(services: Services, message: Message, intent: Intent) -> Outcome:
    """The last picture of the room, the one replied to, or the one that this is the caption of, larger."""
    if intent.problem is not None:
        return say(texts.usage_problem(intent.problem, intent.name, services.config.current.prefix))
    try:
        event_id, record = await find_picture(services, message)
        around = await circumstances(services, message.room_id)
        request = upscaled(intent.options, record, around, new_seed=_new_seed(), other=_new_seed(), start=event_id)
    except Unusable as refusal:
        return say(str(refusal))
    except MatrixError as error:
        raise Unanswered(type(error).__name__, sentence=texts.PICTURE_AWAY) from None
    return await _outcome(services, request, intent)


async def _once_more(services: Services, message: Message, intent: Intent, how: Callable[..., NewRequest]) -> Outcome:
    if intent.problem is not None:
        return say(texts.usage_problem(intent.problem, intent.name, services.config.current.prefix))
    try:
        found = await find_record(services, message)
        around = await circumstances(services, message.room_id)
        seeds = {"new_seed": _new_seed(), "other": _new_seed()}
        request = how(intent.options, found.record, around, **seeds, start=found.start)
    except Unusable as refusal:
        return say(str(refusal))
    except MatrixError as error:
        raise Unanswered(type(error).__name__, sentence=texts.PICTURE_AWAY) from None
    return await _outcome(services, request, intent)


async def _outcome(services: Services, request: NewRequest, intent: Intent) -> Outcome:
    """What looked like a flag and was not taken is said first, under the picture or with the explanation."""
    overlooked = tuple(texts.overlooked(one) for one in intent.overlooked)
    if not intent.options.explain:
        return Outcome(request=replace(request, notes=(*overlooked, *request.notes)))
    explained = await _explained(services, request)
    if explained.reply is None or not overlooked:
        return explained
    return say("\n\n".join((*overlooked, explained.reply.text)))


async def _explained(services: Services, request: NewRequest) -> Outcome:
    """The usual negative prompt, which nobody typed, is not explained."""
    body = request.body or {}
    try:
        found = await services.worker.explain(str(body.get("prompt", "")), request.asked.get("negative_prompt"))
    except WorkerUnauthorized:
        return say(texts.WORKER_REFUSES_TOKEN)
    except WorkerRefused as refusal:
        return say(texts.EXPLAIN_UNKNOWN if refusal.status == 404 else texts.EXPLAIN_REFUSED)
    except WorkerError:
        return say(texts.EXPLAIN_AWAY)
    return say(texts.explained(found))


def _new_seed() -> int:
    return secrets.randbelow(MAX_SEED + 1)
