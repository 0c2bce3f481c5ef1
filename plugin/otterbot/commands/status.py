"""``!status``: is the worker there, what is it doing, and what should the operator know?"""

from __future__ import annotations

import time

from .. import texts
from ..errors import WorkerError, WorkerForeign, WorkerUnauthorized
from ..language.arguments import Intent
from ..language.message import Message
from ..store.room_store import told_as
from ..store.rows import RequestState
from .chat_models import chat_line
from .command import Command
from .outcome import Outcome, Reply
from .services import Services

DAY = 86_400.0
RECENT = 600.0
"""Seconds for which a spoiled picture is spoken of."""


async def show_status(services: Services, message: Message, intent: Intent) -> Outcome:
    """In short; ``!status all`` says all of it, with every warning."""
    whole = intent.text.strip().lower() == "all"
    values = services.config.current
    warnings = [*services.warnings, *services.config.warnings]
    spoiled = services.worker.spoiled_at
    if spoiled is not None and time.monotonic() - spoiled < RECENT:
        warnings.append(texts.PICTURES_SPOILED)
    if services.worker.stream.polled:
        warnings.append(texts.STREAM_SILENT)
    warnings += [sentence for report in services.reports for sentence in report(message.room_id)]
    try:
        info = await services.worker.info(max_age=1.0)
    except WorkerUnauthorized:
        return await _said(services, message, [texts.WORKER_REFUSES_TOKEN], warnings, whole=whole)
    except WorkerForeign:
        return await _said(services, message, [texts.WORKER_FOREIGN], warnings, whole=whole)
    except WorkerError:
        return await _said(services, message, [texts.WORKER_OFF], warnings, whole=whole)
    own = await services.settings.chat_model(message.room_id)
    chat = await chat_line(services.worker, info, own) if values.chat.enabled else None
    if info.notice:
        warnings.insert(0, texts.plain_sentence(info.notice))
    return await _said(services, message, [], warnings, lines=texts.status(info, chat=chat, whole=whole), whole=whole)


async def _said(
    services: Services,
    message: Message,
    first: list[str],
    warnings: list[str],
    *,
    lines: list[str] | None = None,
    whole: bool,
) -> Outcome:
    """A warning is said once a day in a room: who reads it every time reads none of them any more."""
    known = set() if whole else await services.store.told(message.room_id, services.store.clock.now() - DAY)
    fresh = [warning for warning in warnings if told_as(warning) not in known]
    marked = [f"⚠️ {warning}" for warning in fresh]
    if len(fresh) < len(warnings):
        marked.append(texts.told_before(len(warnings) - len(fresh), services.config.current.prefix))
    if lines is not None:
        said = "\n".join(f"- {line}" for line in (*lines, *marked))
    else:
        said = "\n\n".join((*first, *await _kept(services, message), *marked))
    return Outcome(reply=Reply(text=said), told=tuple(fresh))


async def _kept(services: Services, message: Message) -> list[str]:
    here = await services.store.open_requests(message.room_id)
    kept = sum(request.state is RequestState.KEPT for request in here)
    return [texts.kept_here(kept)] if kept else []


STATUS = Command(
    name="status",
    run=show_status,
    usage=("status", "is everything running?"),
    topic=(
        "{!status} says whether the worker is there and what it is doing. {!status all} says more, with the warnings "
        "that this room has read today already."
    ),
    documented=(
        ("`!status`, `!status all`", "whether the worker is there, what it is doing, which card it has; or all of it"),
    ),
)
