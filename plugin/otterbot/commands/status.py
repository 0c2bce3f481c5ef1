"""``!status``: is the worker there, what is it doing, and what should the operator know?"""

from __future__ import annotations

import time

from .. import texts
from ..errors import WorkerError, WorkerForeign, WorkerUnauthorized
from ..language.arguments import Intent
from ..language.message import Message
from ..store.rows import RequestState
from .chat_models import chat_line
from .command import Command
from .outcome import Outcome, say
from .services import Services

RECENT = 600.0
"""Seconds for which a spoiled picture is spoken of."""


async def show_status(services: Services, message: Message, intent: Intent) -> Outcome:
    values = services.config.current
    warnings = [*services.warnings, *services.config.warnings]
    spoiled = services.worker.spoiled_at
    if spoiled is not None and time.monotonic() - spoiled < RECENT:
        warnings.append(texts.PICTURES_SPOILED)
    if services.worker.polled:
        warnings.append(texts.STREAM_SILENT)
    warnings += [sentence for report in services.reports for sentence in report(message.room_id)]
    try:
        info = await services.worker.info(max_age=1.0)
    except WorkerUnauthorized:
        return say("\n\n".join((texts.WORKER_REFUSES_TOKEN, *await _kept(services, message), *_marked(warnings))))
    except WorkerForeign:
        return say("\n\n".join((texts.WORKER_FOREIGN, *await _kept(services, message), *_marked(warnings))))
    except WorkerError:
        return say("\n\n".join((texts.WORKER_OFF, *await _kept(services, message), *_marked(warnings))))
    own = await services.settings.chat_model(message.room_id)
    chat = await chat_line(services.worker, info, own) if values.chat.enabled else None
    return say(texts.status(info, warnings=warnings, chat=chat))


async def _kept(services: Services, message: Message) -> list[str]:
    here = await services.store.open_requests(message.room_id)
    kept = sum(request.state is RequestState.KEPT for request in here)
    return [texts.kept_here(kept)] if kept else []


def _marked(warnings: list[str]) -> list[str]:
    return [f"⚠️ {warning}" for warning in warnings]


STATUS = Command(
    name="status",
    run=show_status,
    usage=("status", "is everything running?"),
    topic="{!status} says whether the worker is there and what it is doing.",
    documented=(("`!status`", "whether the worker is there, what it is doing, which card it has"),),
)
