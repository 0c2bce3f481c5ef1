"""What becomes of a picture in the archive once whoever asked for it has it, or wants it gone."""

from __future__ import annotations

from collections.abc import Sequence

from ..queue.model import ImageRow
from .parts import Parts


async def delivered(parts: Parts, image: ImageRow, now: float) -> None:
    """It has arrived: one of an encrypted room leaves, where `archive.encrypted_rooms` says so."""
    await parts.store.image_delivered(image.image_id, now)
    if image.is_sheet and image.job_id:  # one that was taken in from its file alone belongs to no job
        await parts.sheets.delivered(image.job_id, now)
    if parts.archive.gone_when_delivered(image.private):
        await remove(parts, [image], now)


async def remove(parts: Parts, images: Sequence[ImageRow], now: float) -> None:
    """With their words in the database."""
    for image in images:
        if image.gone_at is None:
            await parts.archive.delete(image.relpath)
            await parts.store.images_gone([image.relpath], now)
            await parts.store.forget_record(image)
