"""Pictures: from the worker's result to the content of an ``m.image`` event."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from maubot.matrix import parse_formatted

from .. import texts
from ..errors import AnswerLost, CannotEncrypt, MatrixRefused, RateLimited, TooLarge, WorkerError
from ..matrix import event_content
from ..matrix.encryption import Encryption
from ..matrix.http import MatrixHttp
from ..store.rows import Part, Request
from ..worker.client import WorkerClient
from ..worker.info import ModelDefaults, Models
from ..worker.jobs import ImageResult, SheetPicture
from . import image_check
from .start_places import start_fields

LOOK = 0.5
"""Seconds to wait for the worker's catalogue, which is asked for every few minutes."""
BLURHASH = "xyz.amorgan.blurhash"


@dataclass(frozen=True, kw_only=True)
class Uploaded:
    """An uploaded file: ``url`` unencrypted, or ``file`` with its key."""

    url: str | None = None
    file: dict[str, Any] | None = None

    def into(self, place: dict[str, Any], prefix: str = "") -> None:
        if self.file is not None:
            place[f"{prefix}file"] = self.file
        else:
            place[f"{prefix}url"] = self.url


async def upload(http: MatrixHttp, data: bytes, mimetype: str, *, encrypted: bool) -> Uploaded:
    """Upload a file, encrypted with its own key if the room is encrypted."""
    if not encrypted:
        return Uploaded(url=await http.upload(data, mimetype))
    try:
        from mautrix.crypto.attachments import encrypt_attachment
    except ImportError as error:  # maubot without its [encryption] extra
        raise CannotEncrypt("no attachment encryption") from error
    cipher, keys = await asyncio.to_thread(encrypt_attachment, data)
    file: dict[str, Any] = keys.serialize()
    file["url"] = await http.upload(cipher, "application/octet-stream")
    return Uploaded(file=file)


async def is_encrypted(encryption: Encryption, request: Request, room: str) -> bool:
    """Whether what is uploaded for the request has to be encrypted. Raises :class:`CannotEncrypt`, and where it cannot
    be known as :meth:`Encryption.is_encrypted`."""
    encrypted = await encryption.is_encrypted(room)
    if encrypted and not encryption.possible:
        raise CannotEncrypt("no end-to-end encryption in this client")
    if not encrypted and request.private and request.moved:
        raise CannotEncrypt("it was asked for in an encrypted room")
    return encrypted


async def _thumbnail(
    worker: WorkerClient, http: MatrixHttp, result: ImageResult | SheetPicture, *, encrypted: bool
) -> Uploaded | None:
    """Upload the thumbnail; ``None`` on any failure, since the picture shows without it."""
    told = result.thumbnail
    try:
        data = await worker.thumbnail(result.image_id)
        image_check.check(data, size=told.size, mimetype=told.mimetype, sha256=told.sha256)
        return await upload(http, data, told.mimetype, encrypted=encrypted)
    except (WorkerError, AnswerLost, RateLimited, TooLarge, MatrixRefused):
        return None


async def with_files(
    worker: WorkerClient,
    http: MatrixHttp,
    encryption: Encryption,
    request: Request,
    part: Part,
    result: ImageResult | SheetPicture,
    content: dict[str, Any],
) -> dict[str, Any]:
    """Fetch and upload picture and thumbnail in parallel, and add them to the event's content.

    Raises the errors of :mod:`..errors`; nothing is uploaded in the clear into an encrypted room.
    """
    encrypted = await is_encrypted(encryption, request, part.room_id)

    async def picture() -> Uploaded:
        data = await worker.image(result.image_id)
        await asyncio.to_thread(
            image_check.check, data, size=result.size, mimetype=result.mimetype, sha256=result.sha256
        )
        return await upload(http, data, result.mimetype, encrypted=encrypted)

    tasks = (
        asyncio.create_task(picture()),
        asyncio.create_task(_thumbnail(worker, http, result, encrypted=encrypted)),
    )
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    tasks[0].result().into(content)
    thumbnail = tasks[1].result()
    if thumbnail is not None:
        thumbnail.into(content["info"], "thumbnail_")
        content["info"]["thumbnail_info"] = {
            "w": result.thumbnail.width,
            "h": result.thumbnail.height,
            "size": result.thumbnail.size,
            "mimetype": result.thumbnail.mimetype,
        }
    return content


def image_content(request: Request, body: str, html: str, result: ImageResult | SheetPicture) -> dict[str, Any]:
    """What every picture's event says."""
    return {
        "msgtype": "m.image",
        "body": body,
        "format": "org.matrix.custom.html",
        "formatted_body": html,
        "filename": result.filename,
        "info": {
            "w": result.width,
            "h": result.height,
            "size": result.size,
            "mimetype": result.mimetype,
            BLURHASH: result.blurhash,
        },
        "m.mentions": {},
        **event_content.related(request),
    }


async def models_own(worker: WorkerClient, result: ImageResult) -> ModelDefaults | None:
    """What the picture's model takes by itself; ``None`` where that cannot be known soon."""
    used = result.record.get("used")
    name = used.get("model") if isinstance(used, dict) else None
    try:
        known: Models | None = await asyncio.wait_for(worker.models(), LOOK)
    except (WorkerError, TimeoutError):
        known = worker.known_models
    return next((model.defaults for model in (known.models if known else ()) if model.name == name), None)


async def picture_content(
    request: Request, part: Part, result: ImageResult, hint: str | None, own: ModelDefaults | None
) -> dict[str, Any]:
    """The content of a picture's event, but for what is uploaded. ``hint``: a last line for the caption, for a room
    that sees its first picture; ``own``: as `models_own` says."""
    index = int(part.part.split("/")[1])
    used = result.record.get("used")
    notes = [*(request.notes if index == 0 else ()), *(texts.plain_sentence(note) for note in result.notes)]
    if hint is not None and index == 0:
        notes.append(hint)
    if request.reaction is not None:
        notes.append(texts.drawn_for(request.reaction, request.sender))
    asked = [texts.asked_in_the_room_before(request.sender)] if request.moved else []
    # Clients read the body aloud, from its beginning; none reads a field that is for alt texts alone.
    alt = [texts.alt_text(result.alt)] if result.alt else []
    caption = texts.caption(texts.words_of(used), result.record, own)
    body, html = await parse_formatted("\n\n".join((*asked, *alt, caption, *notes)))
    return {
        **image_content(request, body, html, result),
        event_content.OUR_KEY: event_content.ours(
            part.key,
            part.part,
            index=index,
            record=event_content.canonical(result.record),
            image=result.image_id,
            by=request.sender,
            **start_fields(request),
        ),
    }
