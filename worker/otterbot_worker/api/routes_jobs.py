"""Jobs: submit, check, look, cancel, and the stream of events."""

from __future__ import annotations

import logging
from contextlib import aclosing

from aiohttp import web
from pydantic import TypeAdapter

from ..queue.model import StoredJob
from ..schemas.jobs import Job, JobList
from ..schemas.new_jobs import NewImageJob, NewJob
from ..schemas.requests import ImageRequest
from ..schemas.resolved import ResolvedRequest
from . import submitting
from .auth import asker, client_of
from .events import stream
from .operations import Operation, reply
from .parts import PARTS
from .problems import ApiProblem, body, not_found

log = logging.getLogger(__name__)

MAX_LISTED = 200
NEW_JOB: TypeAdapter[submitting.AnyJob] = TypeAdapter(NewJob)


async def submit(request: web.Request) -> web.Response:
    parts = request.app[PARTS]
    new = await body(request, lambda raw: NEW_JOB.validate_json(raw, strict=True))
    job, is_new = await submitting.accept(parts, asker(request), new)
    return reply(await parts.views.job(job), 202 if is_new else 200, {"Location": f"/v1/jobs/{job.id}"})


async def check(request: web.Request) -> web.Response:
    """As a job of its own would be, which is thrown away: nothing is stored or drawn."""
    asked = await body(request, lambda raw: ImageRequest.model_validate_json(raw, strict=True))
    job = NewImageJob(kind="image", key="only-checked", owner="nobody", room="nowhere", request=asked)
    return reply((await submitting.resolved(request.app[PARTS], client_of(request), job)).request)


async def listing(request: web.Request) -> web.Response:
    parts, client = request.app[PARTS], client_of(request)
    unknown = set(request.query) - {"key", "room", "state"}
    if unknown or request.query.get("state", "open") != "open":
        raise ApiProblem(422, "invalid_request", "The query may hold key, room and state=open.")
    room, key = request.query.get("room"), request.query.get("key")
    jobs: list[StoredJob]
    if key is not None:
        found = await parts.store.by_key(client, key)
        jobs = [found] if found is not None and room in (None, found.room) else []
    else:
        jobs = await parts.store.jobs(client, room=room, only_open="state" in request.query, limit=MAX_LISTED)
    elsewhere = await parts.store.open_elsewhere(client, room) if room is not None else 0
    return reply(JobList(jobs=await parts.views.jobs(jobs), elsewhere=elsewhere))


async def look(request: web.Request) -> web.Response:
    parts = request.app[PARTS]
    return reply(await parts.views.job(await _job(request)))


async def cancel(request: web.Request) -> web.Response:
    parts = request.app[PARTS]
    job = await _job(request)
    if await parts.dispatcher.cancel(job):
        log.info("cancelled", extra={"job": job.id})
    return reply(await parts.views.job(job))


async def preview(request: web.Request) -> web.Response:
    job, index = await _job(request), request.match_info["index"]
    found = await request.app[PARTS].views.preview(job.id, int(index)) if len(index) < 4 else None
    if found is None:
        raise ApiProblem(404, "no_preview", "There is no preview of this picture now.")
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=found, content_type="image/jpeg", headers=headers)


async def _job(request: web.Request) -> StoredJob:
    job = await request.app[PARTS].store.job(request.match_info["id"], client_of(request))
    if job is None:
        raise not_found("job")
    return job


async def events(request: web.Request) -> web.StreamResponse:
    parts, client = request.app[PARTS], client_of(request)
    if parts.hub.streams_of(client) >= parts.config.api.max_streams:
        detail = "This client has as many event streams open as it may have."
        raise ApiProblem(429, "too_many_streams", detail, headers={"Retry-After": "15"})
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    with parts.hub.subscribe(client, token=asker(request).id) as subscriber:
        await response.prepare(request)
        pieces = stream(subscriber, parts.store, parts.views, lambda: parts.dispatcher.pause_state)
        async with aclosing(pieces):
            try:
                async for piece in pieces:
                    await response.write(piece)
            except ConnectionResetError:
                log.debug("a reader left its event stream")
    return response


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/jobs",
        handler=submit,
        summary="Submit a job. 200 with the job where the key and body are known already. What a worker has forgotten "
        "is submitted again as `resolved`, with what stood in `Job.resolved`.",
        body=NewJob,
        answers={202: Job, 200: Job},
        problems=(409, 413, 415, 422, 429, 503, 507),
    ),
    Operation(
        method="POST",
        path="/v1/requests/check",
        handler=check,
        summary="What a request for pictures would become, or all that is wrong with it: as for `POST /v1/jobs`, but "
        "nothing is kept or drawn.",
        body=ImageRequest,
        answers={200: ResolvedRequest},
        problems=(413, 415, 422, 503, 507),
    ),
    Operation(
        method="GET",
        path="/v1/jobs",
        handler=listing,
        summary=f"The client's jobs, newest first, {MAX_LISTED} at most; open ones oldest first.",
        query={"key": "the job with this key", "room": "of this room", "state": "`open`: neither done nor cancelled"},
        answers={200: JobList},
        problems=(422,),
    ),
    Operation(
        method="GET",
        path="/v1/jobs/{id}",
        handler=look,
        summary="A job with its pictures or its turn.",
        answers={200: Job},
        problems=(404,),
    ),
    Operation(
        method="DELETE",
        path="/v1/jobs/{id}",
        handler=cancel,
        summary="Cancel what is not done of a job, queued or running.",
        answers={200: Job},
        problems=(404,),
    ),
    Operation(
        method="GET",
        path="/v1/jobs/{id}/pictures/{index:[0-9]+}/preview",
        handler=preview,
        summary="What a picture that is being drawn looks like by now, where `request.preview` asked for it.",
        answers={200: "image/jpeg"},
        problems=(404,),
    ),
    Operation(
        method="GET",
        path="/v1/events",
        handler=events,
        summary="Server-sent events `snapshot`, `job`, `progress`, `chat`, `pause`; data as Snapshot, JobEvent, "
        "ProgressEvent, ChatEvent, PauseEvent.",
        answers={200: "text/event-stream"},
        problems=(429,),
    ),
)
