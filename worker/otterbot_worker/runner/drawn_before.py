"""Pictures that are in the archive already when somebody asks for them again: chosen from a contact sheet."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ..archive import Archive
from ..queue.store import Store
from ..queue.submission import Submission
from ..schemas.records import Used
from ..schemas.resolved import ResolvedRequest

_SAME = (
    "model", "prompt", "negative_prompt", "seed", "variation", "steps", "guidance_scale", "sampler", "width", "height",
    "strength", "safety",
)  # fmt: skip


async def found(image_id: str, submission: Submission, store: Store, archive: Archive) -> Submission:
    """``submission`` with that picture as its own, where it is the one that would be drawn; else as it is."""
    image = await store.image(image_id, submission.client)
    if image is None or image.gone_at is not None or image.is_sheet or len(submission.rows) != 1:
        return submission
    before = await store.job(image.job_id, submission.client)
    if before is None or (before.room, before.private) != (submission.room, submission.private):
        return submission
    rows = (await store.rows([before.id]))[before.id]
    drawn = next((row.picture for row in rows if row.idx == image.idx), None)
    assert isinstance(submission.request, ResolvedRequest)
    if drawn is None or drawn.image_id != image_id or not _same(submission.request.picture(0), drawn.record.used):
        return submission
    if not await asyncio.to_thread(archive.path(image.relpath).is_file):
        return submission
    return replace(submission, rows=[replace(submission.rows[0], kind=None, drawn=drawn)])


def _same(request: ResolvedRequest, used: Used) -> bool:
    return all(getattr(request, name) == getattr(used, name) for name in _SAME)
