"""Films of pictures: each follows its picture into the room, once that stands there.

A request waits for them, and ends well without them. As long as it waits, the worker is not told that the picture was
delivered: of an encrypted room it would delete both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

from .. import texts
from ..errors import WorkerRefused
from ..matrix import event_content
from ..matrix.encryption import Encryption
from ..matrix.http import MatrixHttp
from ..outbox.queue import Outbox
from ..store.part_names import PartName
from ..store.rows import Part, PartState, Rank, Request
from ..store.store import Store
from ..worker.client import WorkerClient
from ..worker.jobs import Film, ImageResult, Job
from . import image_check
from .image_event import BLURHASH, is_encrypted, upload

FEATURE = "film"
"""Of a worker that makes them."""
ANIMATED = "org.matrix.msc4230.is_animated"
WAITING = (PartState.READY, PartState.SENDING)


def are_owed(job: Job, standing: Mapping[PartName, Part]) -> bool:
    """Whether a film of a picture that stands in the room is still to come."""
    return any(
        film is None or film.state in WAITING
        for film in (standing.get(PartName.film(index)) for index in _filmed(job, standing))
    )


def _filmed(job: Job, standing: Mapping[PartName, Part]) -> list[int]:
    """The pictures that stand in the room and have one."""
    found = []
    for picture in job.pictures:
        part = standing.get(PartName.picture(picture.index))
        sent = part is not None and part.state is PartState.SENT and part.event_id is not None
        deleted = PartName.picture(picture.index).unsend() in standing
        if sent and not deleted and picture.result is not None and picture.result.film is not None:
            found.append(picture.index)
    return found


class Films:
    """Posts and builds parts ``film/k``. Keeps nothing."""

    def __init__(
        self,
        store: Store,
        worker: WorkerClient,
        outbox: Outbox,
        http: MatrixHttp,
        encryption: Encryption,
        result: Callable[[Request, PartName], Awaitable[ImageResult]],
    ) -> None:
        """``result``: the worker's of a picture."""
        self._store = store
        self._worker = worker
        self._outbox = outbox
        self._http = http
        self._encryption = encryption
        self._result = result

    async def post(self, request: Request, job: Job, standing: Mapping[PartName, Part]) -> None:
        """Those of the pictures that stand in the room."""
        for index in _filmed(job, standing):
            name = PartName.film(index)
            if name not in standing:
                await self._outbox.post(Part(key=request.key, part=name, room_id=request.room_id, rank=Rank.RESULT))
            elif standing[name].state in WAITING:
                self._outbox.rebuild(request.key, name)

    async def build(self, part: Part) -> dict[str, Any]:
        """The content of ``film/k``."""
        request = await self._store.request(part.key)
        name = PartName.picture(part.part.number)
        picture = await self._store.part(part.key, name)
        if request is None or not request.open or picture is None or picture.event_id is None:
            raise WorkerRefused(410, "not_found")
        if await self._store.part(part.key, name.unsend()) is not None:
            raise WorkerRefused(410, "not_found")  # the picture was deleted meanwhile
        encrypted = await is_encrypted(self._encryption, request, part.room_id)
        result = await self._result(request, name)
        if result.film is None:
            raise WorkerRefused(404, "no_film")
        data = await self._worker.film(result.image_id)
        told = result.film
        await asyncio.to_thread(image_check.check, data, size=told.size, mimetype=told.mimetype, sha256=told.sha256)
        content = _content(request, part, picture, result, told)
        (await upload(self._http, data, told.mimetype, encrypted=encrypted)).into(content)
        return content


def _content(request: Request, part: Part, picture: Part, result: ImageResult, film: Film) -> dict[str, Any]:
    content: dict[str, Any] = {
        "msgtype": "m.image",
        "body": texts.FILM,
        "filename": f"{PurePosixPath(result.filename).stem}.webp",
        "info": {
            "w": film.width,
            "h": film.height,
            "size": film.size,
            "mimetype": film.mimetype,
            ANIMATED: True,
            BLURHASH: result.blurhash,
        },
        "m.mentions": {},
        event_content.OUR_KEY: event_content.ours(part.key, part.part),
    }
    if picture.room_id == part.room_id:
        content[event_content.OUR_KEY][event_content.FILM_OF] = picture.event_id
        content["m.relates_to"] = _relation(request, str(picture.event_id))
    return content


def _relation(request: Request, picture: str) -> dict[str, Any]:
    """A reply to the picture, in the thread that it was asked for in."""
    reply = {"m.in_reply_to": {"event_id": picture}}
    if request.thread_root is None or request.moved:
        return reply
    return {"rel_type": "m.thread", "event_id": request.thread_root, "is_falling_back": False, **reply}
