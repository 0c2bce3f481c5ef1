"""``images/generations`` and ``images/edits``: a job, and its pictures in OpenAI's form."""

from __future__ import annotations

import base64
import contextlib
import re
import time
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from ....schemas.jobs import Progress
from ....schemas.new_jobs import NewImageJob
from ....schemas.requests import ImageRequest
from ...auth import client_of
from ...parts import PARTS
from ...problems import ApiProblem, body, refuse
from .. import bodies, results
from ..errand import Errand, Update, errand, new_key, sent
from ..links import Links
from ..results import Drawn, Format
from .events import events
from .images_body import ImagesBody

ROOM = "/openai/v1"
"""What these jobs have for a room: nobody's room is called so."""
LINKS = web.AppKey("links", Links)
_HOST = re.compile(r"([A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,64}\])(:[0-9]{1,5})?")
NO_USAGE = {
    "total_tokens": 0,
    "input_tokens": 0,
    "output_tokens": 0,
    "input_tokens_details": {"text_tokens": 0, "image_tokens": 0},
}
"""Clients that add up what they spend read it; pictures here cost no tokens."""


async def generations(request: web.Request) -> web.StreamResponse:
    asked = await body(request, ImagesBody.model_validate_json)
    return await _draw(request, asked, asked.request(), "image_generation")


async def edits(request: web.Request) -> web.StreamResponse:
    form = await bodies.form(request)
    try:
        asked = ImagesBody.model_validate(form.fields)
    except ValidationError as error:
        refuse(error)
    asked.request()  # what is wrong with it is told before its pictures are looked at
    images, masks = form.named("image", "image[]"), form.named("mask")
    if len(images) != 1:
        raise bodies.one_picture("image")
    private = not asked.keep
    start = await bodies.keep(request, images[0], "image", private=private)
    pictures: dict[str, Any] = {"init_image": {"id": start.id}}
    if masks:
        mask = await bodies.keep(request, masks[0], "mask", private=private)
        pictures["mask"] = {"id": mask.id}
    elif start.alpha:
        pictures["mask"] = {"id": start.id}
    return await _draw(request, asked, asked.request(**pictures), "image_edit")


async def _draw(request: web.Request, asked: ImagesBody, wanted: ImageRequest, name: str) -> web.StreamResponse:
    origin = _origin(request) if asked.response_format == "url" else ""
    owner = client_of(request)
    job = NewImageJob(kind="image", key=new_key(), owner=owner, room=ROOM, private=not asked.keep, request=wanted)
    async with errand(request, job) as one:
        if asked.stream:
            return await _streamed(request, asked, one, name)
        return await _answer(request, asked, one, origin)


async def _answer(request: web.Request, asked: ImagesBody, one: Errand, origin: str) -> web.StreamResponse:
    job = await one.finished()
    pictures = await one.pictures()
    if not pictures:
        raise results.why_none(job)
    if origin:
        places = _places(request, asked, pictures, origin)
        one.fetched_later = True
    else:
        places = [{"b64_json": await _base64(request, picture, asked.form)} for picture in pictures]
    data = [place | _told(asked, picture) for place, picture in zip(places, pictures, strict=True)]
    whole = _whole(asked, data, pictures) | {"notes": results.not_drawn(job)}
    return await sent(request, web.json_response(whole))


def _origin(request: web.Request) -> str:
    """How the client calls this worker. :raises ApiProblem: its ``Host`` makes no address

    ``X-Forwarded-…`` is not looked at: whoever reaches the worker could send it.
    """
    if (public := request.app[PARTS].config.api.public_url) is not None:
        return public
    if not _HOST.fullmatch(request.host):
        raise ApiProblem(400, "bad_request", "The header Host is no name and port, so no link can be made.")
    return f"{request.scheme}://{request.host}"


def _places(request: web.Request, asked: ImagesBody, pictures: Sequence[Drawn], origin: str) -> list[dict[str, str]]:
    links, client = request.app[LINKS], client_of(request)
    return [{"url": origin + links.path(client, picture, asked.form)} for picture in pictures]


def _whole(asked: ImagesBody, data: list[dict[str, Any]], pictures: Sequence[Drawn]) -> dict[str, Any]:
    return {
        "created": int(time.time()),
        "data": data,
        "background": "opaque",
        "output_format": asked.form.name,
        "size": _size(pictures[0]),
        "usage": NO_USAGE,
    }


def _told(asked: ImagesBody, one: Drawn) -> dict[str, Any]:
    """What is said of a picture. Seed, model and notes are no fields of OpenAI's: its clients keep them as they are."""
    used = one.result.record.used
    revised = {"revised_prompt": used.prompt} if used.prompt != asked.prompt else {}
    return {**revised, "seed": one.seed, "model": used.model, "notes": one.result.notes}


def _size(one: Drawn) -> str:
    return f"{one.result.width}x{one.result.height}"


async def _base64(request: web.Request, one: Drawn, form: Format) -> str:
    return base64.b64encode(await results.encoded(request.app[PARTS], one, form)).decode()


# ---------------------------------------------------------------- streamed


async def _streamed(request: web.Request, asked: ImagesBody, one: Errand, name: str) -> web.StreamResponse:
    async with events(request) as stream:
        partials = Partials(asked, one, name)
        async with aclosing(one.updates()) as updates:
            async for update in updates:
                if not update.progress and update.job is None:
                    await stream.alive()
                for event in await partials.of(update):
                    await stream.send(event, event["type"])
        pictures = await one.pictures()
        if not pictures:
            raise results.why_none(one.job)
        missing = results.not_drawn(one.job)
        for picture in pictures:
            event = await _completed(request, asked, picture, name)
            await stream.send(event | {"notes": [*event["notes"], *missing]}, f"{name}.completed")
    return stream.response


async def _completed(request: web.Request, asked: ImagesBody, one: Drawn, name: str) -> dict[str, Any]:
    return {
        "type": f"{name}.completed",
        "b64_json": await _base64(request, one, asked.form),
        **_common(asked, _size(one)),
        **_told(asked, one),
        "usage": NO_USAGE,
    }


def _common(asked: ImagesBody, size: str) -> dict[str, Any]:
    return {
        "created_at": int(time.time()),
        "background": "opaque",
        "output_format": asked.form.name,
        "quality": "auto",
        "size": size,
    }


class Partials:
    """Which of the previews of each picture are sent: as many as were asked for, evenly over its steps."""

    def __init__(self, asked: ImagesBody, one: Errand, name: str) -> None:
        self._asked = asked
        self._one = one
        self._name = name
        self._sent: dict[int, tuple[int, int]] = {}
        """By picture: how many, and the number of the last preview."""

    async def of(self, update: Update) -> list[dict[str, Any]]:
        """The events that are due now."""
        due = []
        for index, progress in update.progress.items():
            number, last = self._sent.get(index, (0, 0))
            if not self._due(progress, number) or progress.preview <= last:
                continue
            jpeg = await self._one.preview(index)
            if jpeg is None:
                continue
            self._sent[index] = (number + 1, progress.preview)
            with contextlib.suppress(OSError):  # a preview is no reason to lose its picture
                due.append(await self._event(jpeg, number))
        return due

    def _due(self, progress: Progress, number: int) -> bool:
        if number >= self._asked.partials or not progress.steps:
            return False
        return progress.step * (self._asked.partials + 1) >= progress.steps * (number + 1)

    async def _event(self, jpeg: bytes, number: int) -> dict[str, Any]:
        small = await results.reformed(jpeg, self._asked.form)
        request = self._one.job.resolved
        size = "auto" if request is None else f"{request.width}x{request.height}"
        return {
            "type": f"{self._name}.partial_image",
            "partial_image_index": number,
            "b64_json": base64.b64encode(small).decode(),
            **_common(self._asked, size),
        }


# ---------------------------------------------------------------- links


async def link(request: web.Request) -> web.StreamResponse:
    """The picture that a signed path leads to; who has the path needs no token."""
    parts = request.app[PARTS]
    found = request.app[LINKS].opened(request.path)
    row = None if found is None else await parts.store.image(found.image_id, found.client)
    job = None if row is None else await parts.store.job(row.job_id, row.client)
    if found is None or row is None or row.gone_at is not None or job is None:
        raise ApiProblem(404, "not_found", "This link has ended, or its picture is gone.")
    pictures = await results.drawn(parts, found.client, await parts.views.job(job))
    for picture in pictures:
        if picture.row.image_id == found.image_id:
            data = await results.encoded(parts, picture, found.form)
            headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
            return web.Response(body=data, content_type=found.form.mimetype, headers=headers)
    raise ApiProblem(404, "not_found", "This link has ended, or its picture is gone.")
