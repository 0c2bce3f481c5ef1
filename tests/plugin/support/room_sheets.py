"""Contact sheets in a room, as the bot posts them."""

from __future__ import annotations

from typing import Any

from room_pictures import URL, USED

from otterbot.matrix import event_content
from otterbot.matrix.event_content import OUR_KEY
from otterbot.requests.sheet_fields import packed
from otterbot.worker.jobs import Picture


def sheet_content(count: int = 4, columns: int = 2, *, failed: int | None = None, **used: Any) -> dict[str, Any]:
    """The content of a sheet with seeds from 7 on."""
    told: list[dict[str, Any]] = [
        {"index": n, "seed": 7 + n, "state": "succeeded", "result": _result(n, used)} for n in range(count)
    ]
    if failed is not None:
        told[failed] = {"index": failed, "seed": 7 + failed, "state": "failed"}
    pictures = [Picture.read(one) for one in told]
    first = next(picture.result for picture in pictures if picture.result is not None)
    base = event_content.canonical(first.record)
    ours = event_content.ours("a" * 40, "sheet", record=base, sheet=packed(columns, pictures, base))
    return {
        "msgtype": "m.image", "body": "otter", "filename": "otter.sheet.jpg", "url": URL,
        "info": {"mimetype": "image/jpeg"}, OUR_KEY: ours,
    }  # fmt: skip


def _result(number: int, used: dict[str, Any]) -> dict[str, Any]:
    record = {
        "v": 1,
        "asked": {"prompt": "otter", "count": 4},
        "used": {**USED, "seed": 7 + number, **used},
        "took": 3.0,
    }
    return {
        "image_id": f"image-{number}", "filename": "a.png", "mimetype": "image/png", "size": 1, "width": 1, "height": 1,
        "blurhash": "", "thumbnail": {"width": 1, "height": 1, "size": 1, "mimetype": "image/png"}, "record": record,
    }  # fmt: skip
