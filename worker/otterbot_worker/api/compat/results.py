"""What a job has drawn, for another program: the pictures, or the problem that says why there are none."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ...archive import metadata
from ...errors import CannotLook
from ...queue.model import ImageRow
from ...schemas.jobs import Failure, Job
from ...schemas.records import ImageResult
from .. import delivery
from ..parts import Parts
from ..problems import ApiProblem

FormatName = Literal["png", "jpeg", "webp"]
QUALITY = 90
"""Of JPEG and WebP where nobody says one."""

_STATUS = {
    "unsafe": 400,
    "chat_too_long": 400,
    "chat_blind": 400,
    "chat_model_missing": 404,
    "input_gone": 409,
    "ollama_unreachable": 503,
}
NO_RETRY = {"x-should-retry": "false"}
"""OpenAI's clients send what failed with 409 or 500 twice more unless they are told; it would only fail again."""


@dataclass(frozen=True, kw_only=True)
class Format:
    name: FormatName = "png"
    quality: int = QUALITY

    @property
    def mimetype(self) -> str:
        return f"image/{self.name}"


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A picture of a job."""

    seed: int
    result: ImageResult
    row: ImageRow


async def drawn(parts: Parts, client: str, job: Job) -> list[Drawn]:
    """Those that are here, in order; empty where there are none."""
    found = []
    for picture in job.pictures:
        row = None if picture.result is None else await parts.store.image(picture.result.image_id, client)
        if picture.result is not None and row is not None and row.gone_at is None:
            found.append(Drawn(seed=picture.seed, result=picture.result, row=row))
    return found


def why_none(job: Job) -> ApiProblem:
    """Of a job without a picture or an answer."""
    errors = [picture.error for picture in job.pictures if picture.error is not None]
    if job.turn is not None and job.turn.error is not None:
        errors.append(job.turn.error)
    return failed(errors[0]) if errors else ApiProblem(409, "cancelled", "It was cancelled.", headers=NO_RETRY)


def not_drawn(job: Job) -> list[str]:
    """A sentence for each picture that failed where others did not."""
    return [
        f"Picture {picture.index + 1} of {len(job.pictures)}: {picture.error.message}"
        for picture in job.pictures
        if picture.error is not None
    ]


def failed(failure: Failure) -> ApiProblem:
    return ApiProblem(_STATUS.get(failure.code, 500), failure.code, failure.message, headers=NO_RETRY)


async def encoded(parts: Parts, one: Drawn, form: Format) -> bytes:
    """The file. :raises ApiProblem: it is gone :raises CannotLook: the whole archive is"""
    path = parts.archive.path(one.row.relpath)
    try:
        data = await asyncio.to_thread(path.read_bytes)
    except FileNotFoundError:
        if not parts.archive.is_here():
            raise CannotLook("the archive", "its folder is not there") from None
        raise ApiProblem(410, "image_gone", "This picture has been deleted from the worker.") from None
    if form.name == "png":
        return data
    return await asyncio.to_thread(convert, data, form, metadata.a1111(one.result.record))


async def reformed(jpeg: bytes, form: Format) -> bytes:
    """A preview in the format of the picture."""
    return jpeg if form.name == "jpeg" else await asyncio.to_thread(convert, jpeg, form)


def convert(data: bytes, form: Format, infotext: str | None = None) -> bytes:
    """A picture of the worker's own in another format, with the text that makes it again where tools look for it.
    Pillow is imported when it is first needed: the API starts without it."""
    from PIL import Image

    made = io.BytesIO()
    exif = Image.Exif()
    if infotext is not None:
        exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + infotext.encode("utf-16-be", "replace")
    with Image.open(io.BytesIO(data)) as picture:
        if form.name == "png":
            picture.save(made, "PNG", compress_level=4)
        else:
            picture.convert("RGB").save(made, form.name.upper(), quality=form.quality, exif=exif)
    return made.getvalue()


async def delivered(parts: Parts, pictures: Sequence[Drawn]) -> None:
    """The other program has them, or nobody will come for them."""
    for one in pictures:
        await delivery.delivered(parts, one.row, time.time())
