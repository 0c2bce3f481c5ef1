"""For operators and their tools: pause and resume, health, metrics."""

from __future__ import annotations

import json
import time

from aiohttp import web

from ..schemas.jobs import Pause
from ..schemas.requests import PauseRequest, ResumeRequest
from .auth import refuse_programs
from .operations import Operation, reply
from .parts import PARTS
from .problems import ApiProblem, body


async def pause(request: web.Request) -> web.Response:
    refuse_programs(request)
    asked = PauseRequest()
    if request.can_read_body:
        asked = await body(request, PauseRequest.model_validate_json)
    if asked.lane is not None:
        return await _one_card(request, asked.lane, paused=True)
    until = None if asked.minutes is None else time.time() + asked.minutes * 60
    return reply(await request.app[PARTS].dispatcher.pause(until))


async def resume(request: web.Request) -> web.Response:
    refuse_programs(request)
    asked = ResumeRequest()
    if request.can_read_body:
        asked = await body(request, ResumeRequest.model_validate_json)
    if asked.lane is not None:
        return await _one_card(request, asked.lane, paused=False)
    return reply(await request.app[PARTS].dispatcher.resume())


async def _one_card(request: web.Request, lane: str, *, paused: bool) -> web.Response:
    dispatcher = request.app[PARTS].dispatcher
    if not await dispatcher.pause_lane(lane, paused=paused):
        names = ", ".join(one.name for one in dispatcher.lanes if one.parts is not None)
        raise ApiProblem(404, "lane_not_found", f"There is no such card; there are: {names}.")
    return reply(dispatcher.pause_state)


async def healthz(_: web.Request) -> web.Response:
    return web.Response(text="alive\n")


async def readyz(request: web.Request) -> web.Response:
    """Whether a job can run now; 503 with the reasons where none can."""
    parts = request.app[PARTS]
    reasons = dict(parts.dispatcher.obstacles)
    state, _ = await parts.chat.get()
    if state != "off" and (problem := await parts.chat.problem()) is not None:
        reasons["chat"] = problem
    paused = parts.dispatcher.pause_state.paused
    ready = not paused and "image" not in reasons
    report = {"ready": ready, "paused": paused, "reasons": reasons}
    return web.Response(status=200 if ready else 503, text=json.dumps(report), content_type="application/json")


async def metrics(request: web.Request) -> web.Response:
    parts = request.app[PARTS]
    queued, running = await parts.store.open_counts()
    parts.measures.queued.set(queued)
    parts.measures.running.set(running)
    parts.measures.paused.set(parts.dispatcher.pause_state.paused)
    parts.measures.streams.set(parts.hub.streams)
    parts.measures.disk_free.set(parts.archive.free_bytes())
    parts.measures.card_free.set(parts.gpu.info.free_bytes or 0)
    parts.measures.show_resident(parts.gpu.info.resident)
    return web.Response(body=parts.measures.text(), headers={"Content-Type": "text/plain; version=0.0.4"})


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/pause",
        handler=pause,
        summary="Free the cards, or one of them; queued work waits. Not for programs.",
        body=PauseRequest,
        body_needed=False,
        answers={200: Pause},
        problems=(403, 404, 413, 415, 422),
    ),
    Operation(
        method="POST",
        path="/v1/resume",
        handler=resume,
        summary="Go on, or let one card go on. Not for programs.",
        body=ResumeRequest,
        body_needed=False,
        answers={200: Pause},
        problems=(403, 404, 413, 415, 422),
    ),
    Operation(
        method="GET",
        path="/healthz",
        handler=healthz,
        summary="The process is alive.",
        answers={200: "text/plain"},
        open=True,
    ),
    Operation(
        method="GET",
        path="/readyz",
        handler=readyz,
        summary="Whether a picture can be drawn now; 503 with the reasons where not.",
        answers={200: "application/json", 503: "application/json"},
    ),
    Operation(
        method="GET", path="/metrics", handler=metrics, summary="Prometheus metrics.", answers={200: "text/plain"}
    ),
)
