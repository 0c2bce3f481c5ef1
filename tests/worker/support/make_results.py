"""What rows end in: a picture, an answer, a failure."""

from __future__ import annotations

from typing import Any

import archive_records

from otterbot_worker.schemas.jobs import ChatResult, Failure
from otterbot_worker.schemas.records import ImageResult, Thumbnail


def picture(*, size: int = 1_000, **used: Any) -> ImageResult:
    """``used``: changes of the record's."""
    return ImageResult(
        image_id="00ff", filename="otter.png", mimetype="image/png", size=size, sha256=None, width=768, height=512,
        blurhash="L00", thumbnail=Thumbnail(width=96, height=64, size=99, mimetype="image/jpeg"),
        record=archive_records.record(**used), notes=["The size was rounded."],
    )  # fmt: skip


def answer(text: str) -> ChatResult:
    return ChatResult(text=text, model="m", complete=True, took=1.5)


def failure(code: str = "image_failed", **details: Any) -> Failure:
    return Failure(code=code, message="It did not work.", details=details)
