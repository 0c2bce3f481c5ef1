"""Larger pictures: a second pass, one of the bot's own upscaled, and one that somebody sent."""

from __future__ import annotations

import io

from PIL import Image

from lab import Lab
from lab.client import Ev
from lab.pictures import png

from .conftest import QUICK


async def size(lab: Lab, event: Ev) -> tuple[int, int]:
    with Image.open(io.BytesIO(await lab.user.image_bytes(event))) as picture:
        return picture.size


async def test_twice_as_large(lab: Lab, room: str) -> None:
    (first,) = await lab.draw(room, f"!draw otter {QUICK} --hires 1.5")
    assert await size(lab, first) == (192, 192)
    used = first.record["used"]
    assert (used["width"], used["hires"]["scale"], used["hires"]["width"]) == (128, "1.5", 192)
    assert "in 4 overlapping tiles" in first.body
    (larger,) = await lab.draw(room, "!upscale", reply=first.event_id)
    assert await size(lab, larger) == (384, 384)
    assert (larger.record["used"]["upscale"], larger.record["used"]["prompt"]) == (2, "otter")
    posted = await lab.admin.send_image(room, png(96, 64))
    (theirs,) = await lab.draw(room, "!upscale 2 --steps 2", reply=posted)
    assert await size(lab, theirs) == (192, 128)
    assert theirs.record["used"]["prompt"] == ""
