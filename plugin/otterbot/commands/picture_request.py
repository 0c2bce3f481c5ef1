"""What the commands for pictures share: a new seed, and from a request to the outcome; with ``--explain``, how
the worker reads the prompt."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from .. import texts
from ..errors import MatrixError, Unanswered, WorkerError, WorkerRefused, WorkerUnauthorized
from ..language.arguments import Intent
from ..language.chance import may_have
from ..language.message import Message
from ..language.option_values import MAX_SEED
from ..language.style_values import style_names
from ..worker.info import STRUCTURES
from .context import BELIEVED, LOOK, circumstances
from .find_picture import find_record
from .found import Found
from .outcome import NewRequest, Outcome, Unusable, refuse, say
from .services import Services
from .swept import read_swept

CHANCE = "chance"
"""The worker's feature."""


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
        if found.sheet is not None and (whole is None or (found.sheet.swept and read_swept(found.sweep) is None)):
            raise Unusable(texts.which_field(intent.name, services.config.current.prefix))
        if whole is not None and (found.sheet is not None or found.sweep is not None):
            how = partial(whole, fields=1 if found.sheet is None else len(found.sheet.fields), sweep=found.sweep)
        seeds = {"new_seed": new_seed(), "other": new_seed()}
        request = how(intent.options, found.record, around, **seeds, start=found.start, layers=found.layers)
    except Unusable as refusal:
        return refuse("\n\n".join((*map(texts.overlooked, intent.overlooked), str(refusal))))
    except MatrixError as error:
        raise Unanswered(type(error).__name__, sentence=texts.PICTURE_AWAY) from None
    return await outcome(services, request, intent)


async def outcome(services: Services, request: NewRequest, intent: Intent) -> Outcome:
    """What looked like a flag and was not taken is said first, under the picture or with the explanation."""
    overlooked = tuple(texts.overlooked(one) for one in intent.overlooked)
    if not intent.options.explain:
        old = (texts.WORKER_WITHOUT_KEYS,) if await _forgets_keys(services, request) else ()
        return Outcome(request=replace(request, notes=(*overlooked, *request.notes, *old)))
    explained = await _explained(services, request)
    if explained.reply is None or not overlooked:
        return explained
    return say("\n\n".join((*overlooked, explained.reply.text)))


async def _by_chance(services: Services, words: Sequence[str | None], seed: int | None) -> int | None:
    """The seed, where words may be drawn by it and the worker knows how."""
    if not any(may_have(text) for text in words if text is not None):
        return None
    return seed if CHANCE in (await services.worker.info(60.0)).features else None


async def _explained(services: Services, request: NewRequest) -> Outcome:
    """The usual negative prompt, which nobody typed, is not explained."""
    body = request.body or {}
    layers: list[Mapping[str, Any]] = body.get("layers", [])
    style: list[Any] = next((one["style"] for one in (body, *layers) if "style" in one), [])
    words = str(body.get("prompt", "")), request.asked.get("negative_prompt")
    try:
        seed = await _by_chance(services, words, body.get("seed"))
        found = await services.worker.explain(*words, style, seed=seed)
    except WorkerUnauthorized:
        return say(texts.WORKER_REFUSES_TOKEN)
    except WorkerRefused as refusal:
        if style and refusal.fields:
            names = texts.Asked(styles=style_names(style), prefix=services.config.current.prefix)
            return say(texts.refused(refusal, names))
        return say(texts.EXPLAIN_UNKNOWN if refusal.status == 404 else texts.EXPLAIN_REFUSED)
    except WorkerError:
        return say(texts.EXPLAIN_AWAY)
    wishes = [body.get("expand"), *(layer.get("expand") for layer in layers)]
    expands = next((wish for wish in wishes if wish is not None), False)
    said = texts.explained(found, expands=expands, seed=seed)
    if body.get("structure") is not None:
        said = f"{texts.structure_became(str(body.get('prompt', '')))}\n\n{said}"
    return say(said)


async def _forgets_keys(services: Services, request: NewRequest) -> bool:
    """Is it known that the worker knows no structures? It gets the sentence then (``requests/images.py``)."""
    if "structure" not in (request.body or {}):
        return False
    try:
        info = await asyncio.wait_for(services.worker.info(BELIEVED), LOOK)
    except (WorkerError, TimeoutError):
        return False
    return STRUCTURES not in info.features
