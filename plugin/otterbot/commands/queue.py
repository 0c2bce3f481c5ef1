"""``!queue``: what is open here. Other rooms are a number."""

from __future__ import annotations

import sys
import time
from dataclasses import replace

from .. import texts
from ..language.arguments import Intent
from ..language.message import Message
from ..store.rows import Request
from .command import Command
from .outcome import Outcome, say
from .services import Services

SHOWN = 10


async def show_queue(services: Services, message: Message, intent: Intent) -> Outcome:
    here = await services.store.open_requests(message.room_id)
    here.sort(key=lambda request: _turn(services, request))  # stable: oldest first where it is not known
    lines = [
        texts.queue_line(number, request.sender, _words(request), _place(services, request))
        for number, request in enumerate(here[:SHOWN], 1)
    ]
    state = services.delivery.worker_state
    pause = texts.paused(state.pause) if state.pause.paused else None
    elsewhere = await services.store.counts_elsewhere(message.room_id)
    return say(texts.queue(lines, max(0, len(here) - SHOWN), elsewhere, pause))


def _words(request: Request) -> str:
    prompt = (request.body or {}).get("prompt") if request.kind == "image" else None
    return prompt if isinstance(prompt, str) else ""


def _turn(services: Services, request: Request) -> int:
    """Sort key: running, then queued by place, then not yet submitted."""
    live = services.delivery.active(request.key)
    if live is None or live.job is None:
        return sys.maxsize
    return -1 if live.job.state != "queued" else live.job.place or 0


def _place(services: Services, request: Request) -> str:
    live, state = services.delivery.active(request.key), services.delivery.worker_state
    if live is None or live.job is None or state.away_since is not None:
        return texts.WAITS_FOR_WORKER
    if live.job.final:
        return texts.UPLOADING
    job = live.job_at(time.monotonic()) or live.job
    # While it is paused, nobody knows when anything will be done.
    return texts.status_line(replace(job, eta_s=None) if state.pause.paused else job)


QUEUE = Command(
    name="queue",
    run=show_queue,
    usage=("queue", "what is waiting"),
    topic="{!queue} shows what is waiting and being drawn here; of other rooms only how much.",
    documented=(("`!queue`", "what is waiting and being drawn"),),
)
