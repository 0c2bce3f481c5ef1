"""What a language model is shown of kept pictures."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image

from otterbot_worker.inputs.files import InputFiles


def sent(width: int, height: int, orientation: int | None = None) -> bytes:
    picture = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    exif[0x010F] = "canary of a camera"
    out = io.BytesIO()
    picture.save(out, "JPEG", exif=exif)
    return out.getvalue()


def seen(image: str | None) -> Image.Image:
    assert image is not None
    data = base64.b64decode(image)
    assert b"canary" not in data
    return Image.open(io.BytesIO(data), formats=("JPEG",))


async def test_they_are_small_upright_and_without_notes(tmp_path: Path) -> None:
    files = InputFiles(tmp_path, max_pixels=10_000_000)
    large = await files.add("otterbot", sent(3000, 1500))
    turned = await files.add("otterbot", sent(400, 200, orientation=6))
    first, second, third = await files.shown("otterbot", [large.id, turned.id, "0" * 64])
    assert seen(first).size == (1024, 512)
    assert seen(second).size == (200, 400), "not enlarged, and the right way up"
    assert third is None, "it is not here"
    assert await files.shown("otterbot", []) == []
    assert await files.shown("another", [large.id]) == [None], "nobody else's"


async def test_what_is_broken_meanwhile_is_none(tmp_path: Path) -> None:
    files = InputFiles(tmp_path, max_pixels=10_000_000)
    kept = await files.add("otterbot", sent(64, 64))
    files.path("otterbot", kept.id).write_bytes(b"\x89PNG\r\n\x1a\n and nothing")
    assert await files.shown("otterbot", [kept.id]) == [None]
