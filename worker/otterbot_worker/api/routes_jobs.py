"""Jobs: submit, check, look, cancel, and the stream of events."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Iterator
from contextlib import aclosing, contextmanager

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from ..models import captioner
from ..queue.model import StoredJob
from ..queue.submission import InputGone, KeyReused, Limits, QueueFull, Submission
from ..requests import input_images, resolve, resubmitted, turns
from ..requests.refusal import Refused, problem
from ..runner import drawn_before
from ..schemas.jobs import Job, JobList
from ..schemas.new_jobs import NewChatJob, NewDescribeJob, NewImageJob, NewJob, NewResolvedJob
from ..schemas.requests import ImageRequest
from ..schemas.resolved import ResolvedRequest
from .auth import client_of
from .events import stream
from .operations import Operation, reply
from .parts import PARTS, Parts
from .problems import ApiProblem, body, disk_full, not_found, refuse

log = logging.getLogger(__name__)

MAX_LISTED = 200
AnyJob = NewImageJob | NewResolvedJob | NewChatJob | NewDescribeJob
NEW_JOB: TypeAdapter[AnyJob] = TypeAdapter(NewJob)


async def submit(request: web.Request) -> web.Response:
    parts, client = request.app[PARTS], client_of(request)
    new = await body(request, lambda raw: NEW_JOB.validate_json(raw, strict=True))
    known = await parts.store.by_key(client, new.key)
    if known is not None:
        # Look up the key first: an accepted job stays accepted, whatever the queue or the disk look like now.
        if known.body_hash != resolve.body_hash(new):
            raise _key_reused()
        return reply(await parts.views.job(known))
    submission = await _resolve(parts, client, new)
    if isinstance(new, NewImageJob) and new.request.drawn_before is not None:
        submission = await drawn_before.found(new.request.drawn_before, submission, parts.store, parts.archive)
    queue = parts.config.queue
    limits = Limits(open_rows=queue.max_open, open_rows_per_owner=queue.max_open_per_owner)
    try:
        job, is_new = await parts.store.submit(submission, limits, time.time())
    except KeyReused:
        raise _key_reused() from None
    except QueueFull as full:
        raise _full(full) from None
    except InputGone:
        raise _input_gone() from None
    if is_new:
        log.info("accepted", extra={"job": job.id, "kind": job.kind, "rows": len(submission.rows), "client": client})
        parts.measures.submitted.labels(job.kind).inc()
        parts.dispatcher.wake()
        parts.hub.job_changed(client, job.id)
        parts.hub.queue_moved()
    return reply(await parts.views.job(job), 202 if is_new else 200, {"Location": f"/v1/jobs/{job.id}"})


async def check(request: web.Request) -> web.Response:
    """As a job of its own would be, which is thrown away: nothing is stored or drawn."""
    asked = await body(request, lambda raw: ImageRequest.model_validate_json(raw, strict=True))
    job = NewImageJob(kind="image", key="only-checked", owner="nobody", room="nowhere", request=asked)
    return reply((await _resolve(request.app[PARTS], client_of(request), job)).request)


async def _resolve(parts: Parts, client: str, new: AnyJob) -> Submission:
    with _told():
        if isinstance(new, NewChatJob):
            await _all_here(parts, client, {one for message in new.request.messages for one in message.pictures})
            return turns.chat_submission(new, client, await parts.chat.default_model())
        if isinstance(new, NewDescribeJob):
            await _all_here(parts, client, {new.request.picture.id})
            return turns.describe_submission(new, client, await _describer(parts))
        if not parts.archive.has_room():
            raise disk_full(parts.archive)
        found = await input_images.find(resubmitted.asked(new)[0], client, parts.inputs)
        return await asyncio.to_thread(
            resolve.image_submission,
            new,
            client,
            parts.catalogue,
            parts.default_model,
            found,
            parts.library,
            parts.styles,
        )


@contextmanager
def _told() -> Iterator[None]:
    """What is wrong with a request becomes a problem document with each field."""
    try:
        yield
    except ValidationError as error:  # a resolved request with invalid fields
        refuse(error)
    except Refused as refused:
        codes = {problem.code for problem in refused.problems}
        if codes == {"input_gone"}:  # only this: with other problems, sending the picture again would not help
            raise _input_gone() from None
        telling = ("unknown_model", "unknown_lora", "unknown_style")
        code = next((code for code in telling if code in codes), "invalid_request")
        sentences = " ".join(problem.message for problem in refused.problems)
        raise ApiProblem(422, code, sentences, fields=refused.problems) from None


async def _all_here(parts: Parts, client: str, input_ids: Collection[str]) -> None:
    """Of the client's own pictures. :raises ApiProblem:"""
    for input_id in input_ids:
        if await parts.inputs.get(client, input_id) is None:
            raise _input_gone()


async def _describer(parts: Parts) -> str:
    """The name of who would describe a picture now. :raises ApiProblem: nobody would"""
    name = (await parts.descriptions.find()).name
    if name is None:
        raise ApiProblem(422, "cannot_describe", captioner.MISSING)
    return name


def _input_gone() -> ApiProblem:
    detail = "A picture that the request names is not on the worker any more; please send it again."
    return ApiProblem(422, "input_gone", detail)


def _key_reused() -> ApiProblem:
    return ApiProblem(409, "key_reused", "This key belongs to a job with another body.")


def _full(full: QueueFull) -> ApiProblem:
    if full.never:
        detail = f"One person may have {full.limit} pictures waiting, and this asks for more at once."
        return ApiProblem(
            422, "invalid_request", detail, fields=[problem("count", "too_many", detail, most=full.limit)]
        )
    if full.of_owner:
        detail = f"One person may have {full.limit} pictures and chats waiting; please wait for some of them."
        return ApiProblem(429, "owner_queue_full", detail, headers={"Retry-After": "30"})
    detail = f"The queue is full with {full.limit} pictures and chats; please try again later."
    return ApiProblem(429, "queue_full", detail, headers={"Retry-After": "60"})


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
    with parts.hub.subscribe(client) as subscriber:
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
