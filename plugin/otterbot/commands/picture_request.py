"""What the commands for pictures share: a new seed, and from a request to the outcome; with ``--explain``, how
the worker reads the prompt."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from .. import texts
from ..errors import MatrixError, Unanswered, WorkerError, WorkerRefused, WorkerUnauthorized
from ..language.arguments import Intent
from ..language.message import Message
from ..language.option_values import MAX_SEED
from .context import circumstances
from .find_picture import Found, find_record
from .outcome import NewRequest, Outcome, Unusable, say
from .services import Services


def new_seed() -> int:
    return secrets.randbelow(MAX_SEED + 1)


async def once_more(
    services: Services,
    message: Message,
    intent: Intent,
    how: Callable[..., NewRequest],
    *,
    field: Found | None = None,
    whole: Callable[..., NewRequest] | None = None,
) -> Outcome:
    """The last picture of the room, or the one replied to, as a request that ``how`` makes of its record. ``field``:
    the picture, where it was chosen from a sheet; ``whole`` makes one of a whole sheet, where that can be."""
    try:
        found = field or await find_record(services, message)
        around = await circumstances(services, message.room_id)
        if found.sheet is not None and whole is None:
            raise Unusable(texts.which_field(intent.name, services.config.current.prefix))
        if found.sheet is not None and whole is not None:
            how = partial(whole, fields=len(found.sheet.fields))
        seeds = {"new_seed": new_seed(), "other": new_seed()}
        request = how(intent.options, found.record, around, **seeds, start=found.start, layers=found.layers)
    except Unusable as refusal:
        return say("\n\n".join((*map(texts.overlooked, intent.overlooked), str(refusal))))
    except MatrixError as error:
        raise Unanswered(type(error).__name__, sentence=texts.PICTURE_AWAY) from None
    return await outcome(services, request, intent)


async def outcome(services: Services, request: NewRequest, intent: Intent) -> Outcome:
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
    wishes = [body.get("expand"), *(layer.get("expand") for layer in body.get("layers", ()))]
    expands = next((wish for wish in wishes if wish is not None), False)
    return say(texts.explained(found, expands=expands))
