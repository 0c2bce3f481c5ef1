"""Pictures that are sent to a worker, as bytes; how they get there, and what it keeps of them."""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

from core_lab import Api, Json, image
from PIL import Image, ImageDraw


def png(width: int = 96, height: int = 64, colour: str = "red") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(data, "PNG")
    return data.getvalue()


def encoded(picture: Image.Image) -> bytes:
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()


def black_and_white(box: tuple[int, int, int, int] | None = (0, 0, 23, 63), size: tuple[int, int] = (96, 64)) -> bytes:
    """White where it is drawn anew: the left quarter."""
    picture = Image.new("L", size)
    if box is not None:
        ImageDraw.Draw(picture).rectangle(box, fill=255)
    return encoded(picture)


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def send(api: Api, data: bytes, kind: str = "image/png", query: str = "") -> tuple[int, Any]:
    async with api.session.post(
        f"{api.address}/v1/inputs{query}", data=io.BytesIO(data), headers={"Content-Type": kind}
    ) as response:
        return response.status, json.loads(await response.read())


def started(data: bytes, key: str = "key-00001", **fields: Any) -> Json:
    """A request from that picture."""
    return image(key, **{"init_image": {"id": sha(data)}, **fields})


def kept(folder: Path) -> list[str]:
    root = folder / "inputs"
    return sorted(name for _, _, names in os.walk(root) for name in names)


def hole(width: int = 96, height: int = 64) -> bytes:
    """A red picture whose left half is transparent."""
    picture = Image.new("RGBA", (width, height), "red")
    picture.paste((0, 0, 0, 0), (0, 0, width // 2, height))
    return encoded(picture)
