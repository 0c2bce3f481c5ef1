"""From what a client asks to a stored job, or the problem that says why not."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace

from pydantic import ValidationError

from ..models import captioner
from ..queue.daily import DailyLimit
from ..queue.model import StoredJob
from ..queue.submission import InputGone, KeyReused, Limits, QueueFull, Submission
from ..requests import input_images, resolve, resubmitted, turns
from ..requests.refusal import Refused
from ..runner import drawn_before
from ..schemas.new_jobs import NewChatJob, NewDescribeJob, NewImageJob, NewResolvedJob
from . import limit_problems
from .auth import Client
from .parts import Parts
from .problems import ApiProblem, disk_full, refuse

log = logging.getLogger(__name__)

AnyJob = NewImageJob | NewResolvedJob | NewChatJob | NewDescribeJob


async def accept(parts: Parts, client: Client, new: AnyJob) -> tuple[StoredJob, bool]:
    """The stored job, and whether it is new: the same key with the same body is the same job.

    :raises ApiProblem: :raises CannotLook:
    """
    known = await parts.store.by_key(client.name, new.key)
    if known is not None:
        # Look up the key first: an accepted job stays accepted, whatever the queue or the disk look like now.
        if known.body_hash != resolve.body_hash(new):
            raise _key_reused()
        return known, False
    submission = await resolved(parts, client.name, new)
    if isinstance(new, NewImageJob) and new.request.drawn_before is not None:
        submission = await drawn_before.found(new.request.drawn_before, submission, parts.store, parts.archive)
    if client.kind != "bot":
        submission = replace(submission, share=client.name)
    queue = parts.config.queue
    limits = Limits(
        open_rows=queue.max_open,
        open_rows_per_owner=queue.max_open_per_owner,
        per_day=client.per_day,
        answers_per_day=client.answers_per_day,
    )
    try:
        job, is_new = await parts.store.submit(submission, limits, time.time())
    except KeyReused:
        raise _key_reused() from None
    except QueueFull as full:
        raise limit_problems.queue_full(full, client) from None
    except DailyLimit as over:
        raise limit_problems.daily(over) from None
    except InputGone:
        raise _input_gone() from None
    if is_new:
        _tell(parts, job, len(submission.rows))
    return job, is_new


def _tell(parts: Parts, job: StoredJob, rows: int) -> None:
    log.info("accepted", extra={"job": job.id, "kind": job.kind, "rows": rows, "client": job.client})
    parts.measures.submitted.labels(job.kind).inc()
    parts.dispatcher.wake()
    parts.hub.job_changed(job.client, job.id)
    parts.hub.queue_moved()


async def resolved(parts: Parts, client: str, new: AnyJob) -> Submission:
    """With nothing left open; nothing is stored. :raises ApiProblem: :raises CannotLook:"""
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
