"""``!queue`` and ``!cancel``: what is open here, and taking it back. Other rooms are a number."""

from __future__ import annotations

import sys
import time
from dataclasses import replace

from .. import texts
from ..language.message import Message
from ..store.rows import Request
from .outcome import Outcome, Reply, say
from .services import Services

SHOWN = 10


async def show_queue(services: Services, message: Message) -> Outcome:
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
    """What runs, then what is next, then what the worker does not know yet."""
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


async def cancel(services: Services, message: Message, text: str) -> Outcome:
    if message.reply_to is not None:
        return await _cancel_one(services, message, message.reply_to)
    if text == "all":
        return await _cancel_all(services, message)
    own = await services.store.open_requests(message.room_id, message.sender)
    own = [request for request in own if _was_there(request, message)]
    return _cancelled(own) if own else say(texts.NOTHING_TO_CANCEL)


def _was_there(request: Request, message: Message) -> bool:
    """Not typed after the message, which may come late (its room key, say). One person's times are of one clock; of
    two people's nobody knows. What was accepted before the message came was typed before it, whatever clocks say."""
    if request.sender != message.sender or request.sent_at is None or request.created_at <= message.said_at:
        return True
    return request.sent_at <= message.timestamp / 1000


async def _cancel_one(services: Services, message: Message, target: str) -> Outcome:
    store, level = services.store, services.config.current.power.cancel_others
    request = await store.request_by_event(target)
    if request is None and (part := await store.part_by_event(target)) is not None:
        request = await store.request(part.key)
    if request is None or request.room_id != message.room_id:
        return say(texts.NOT_A_REQUEST)
    if not request.open or not _was_there(request, message):  # what was answered has been edited since
        return say(texts.OVER_ALREADY)
    own = request.sender == message.sender
    if not own and not await services.permissions.has_power(message.room_id, message.sender, level):
        return say(texts.may_not_cancel(level))
    return _cancelled([request])


async def _cancel_all(services: Services, message: Message) -> Outcome:
    level = services.config.current.power.cancel_others
    if not await services.permissions.has_power(message.room_id, message.sender, level):
        return say(texts.may_not_cancel_all(level, services.config.current.prefix))
    everything = await services.store.open_requests(message.room_id)
    everything = [request for request in everything if _was_there(request, message)]
    return _cancelled(everything) if everything else say(texts.NOTHING_AT_ALL_TO_CANCEL)


def _cancelled(requests: list[Request]) -> Outcome:
    keys = tuple(request.key for request in requests)
    return Outcome(cancel=keys, reply=Reply(text=texts.cancelled(len(keys))))
