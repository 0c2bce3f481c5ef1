"""Pictures that are in the archive already when somebody asks for them again: chosen from a contact sheet."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from ..archive import Archive
from ..queue.store import Store
from ..queue.submission import Submission
from ..schemas.records import ImageResult, Used, UsedControl, UsedHires
from ..schemas.resolved import ResolvedRequest
from ..schemas.resolved_parts import ResolvedControl, ResolvedHires, ResolvedInitImage, ResolvedMask
from ..schemas.settings import SETTINGS

_SAME = (
    "model", "prompt", "negative_prompt", "seed", "variation", "steps", "guidance_scale", "sampler", "width", "height",
    "strength", "safety", *SETTINGS,
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
    if drawn is None or drawn.image_id != image_id or not _answers(submission.request.picture(0), drawn):
        return submission
    if not await asyncio.to_thread(archive.path(image.relpath).is_file):
        return submission
    return replace(submission, rows=[replace(submission.rows[0], kind=None, drawn=drawn)])


def _answers(request: ResolvedRequest, drawn: ImageResult) -> bool:
    """Is everything there that was asked for?"""
    has_film = drawn.film is not None or not request.film
    return has_film and _same(request, drawn.record.used)


def _same(request: ResolvedRequest, used: Used) -> bool:
    if any(getattr(request, name) != getattr(used, name) for name in _SAME):
        return False
    return (
        _id(request.init_image) == used.init_image
        and _id(request.mask) == used.mask
        and _steering(request.control) == _steering(used.control)
        and _second(request.hires) == _second(used.hires)
        and (request.upscale and request.upscale.factor) == used.upscale
        and list(request.loras) == used.loras
    )


def _id(picture: ResolvedInitImage | ResolvedMask | None) -> str | None:
    return None if picture is None else picture.id


def _second(one: ResolvedHires | UsedHires | None) -> tuple[object, ...] | None:
    return None if one is None else (one.scale, one.strength, one.steps, one.upscaler, one.width, one.height)


def _steering(one: ResolvedControl | UsedControl | None) -> tuple[object, ...] | None:
    return None if one is None else (one.kind, one.name, one.id, one.scale, one.start, one.end)
