"""Contact sheets: from the worker's job to the content of one ``m.image`` event in place of all of its pictures."""

from __future__ import annotations

from typing import Any

from maubot.matrix import parse_formatted

from .. import texts
from ..errors import WorkerRefused
from ..matrix import event_content
from ..store.rows import Part, Request
from ..worker.client import WorkerClient
from ..worker.info import ModelDefaults
from ..worker.jobs import Job, Picture, SheetPicture
from .image_event import image_content, models_own
from .sheet_fields import packed
from .start_places import start_fields
from .sweep_told import axes_of, sweep_told


def picture_of(job: Job) -> SheetPicture:
    """The sheet's file. Raises :class:`~..errors.WorkerRefused` where the worker has made none."""
    if job.sheet is None or job.sheet.picture is None:
        raise WorkerRefused(404, "not_found")
    return job.sheet.picture


async def sheet_content(
    worker: WorkerClient, request: Request, part: Part, job: Job, prefix: str, hint: str | None
) -> dict[str, Any]:
    """The content, but for what is uploaded. ``hint``: a last line for a room that sees its first picture."""
    file = picture_of(job)
    drawn = [picture for picture in job.pictures if picture.result is not None]
    if job.sheet is None or not drawn or drawn[0].result is None:
        raise WorkerRefused(404, "not_found")
    swept = bool((request.body or {}).get("sweep"))
    base = event_content.canonical(drawn[0].result.record)
    own = await models_own(worker, drawn[0].result)
    body, html = await parse_formatted("\n\n".join(_lines(request, job, drawn, prefix, hint, own)))
    return {
        **image_content(request, body, html, file),
        event_content.OUR_KEY: event_content.ours(
            part.key,
            part.part,
            record=base,
            image=file.image_id,
            by=request.sender,
            sheet=packed(job.sheet.columns, job.pictures, base) | ({"swept": True} if swept else {}),
            **sweep_told(request.body),
            **start_fields(request),
        ),
    }


def _lines(
    request: Request, job: Job, drawn: list[Picture], prefix: str, hint: str | None, own: ModelDefaults | None
) -> list[str]:
    asked = [texts.asked_in_the_room_before(request.sender)] if request.moved else []
    results = [(picture.index, picture.result) for picture in drawn if picture.result is not None]
    names = {field.index: field.name for field in job.sheet.fields} if job.sheet is not None else {}
    alts = [(names.get(index, str(index + 1)), result.alt) for index, result in results if result.alt]
    notes = list(dict.fromkeys((*request.notes, *(texts.plain_sentence(n) for _, one in results for n in one.notes))))
    records = [result.record for _, result in results]
    line = texts.sweep_line(axes_of(request.body))
    caption = "\n\n".join(part for part in (texts.sheet_caption(records, own), line) if part)
    alt = [texts.alt_of_fields(alts)] if alts else []
    how = texts.how_to_choose(names.get(drawn[-1].index, str(drawn[-1].index + 1)), prefix)
    return [*asked, *alt, caption, *notes, how, *([] if hint is None else [hint])]
