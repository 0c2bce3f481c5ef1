"""What the tests of other programs share: a worker that lets them in, OpenAI's own client, and pictures to send."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from core_lab import TOKEN, Json, settings
from openai import AsyncOpenAI
from PIL import Image

from otterbot_worker.config import Config

REQUESTS: dict[str, Json] = json.loads((Path(__file__).parent / "other_programs.json").read_text())
"""What Open WebUI, SillyTavern and aiyabot send, by program and request; the values are ours."""


def on(folder: Path, **sections: Any) -> Config:
    """Settings with both APIs."""
    api = {"compat": ["openai", "a1111"], **sections.pop("api", {})}
    return settings(folder, api=api, **sections)


@asynccontextmanager
async def openai_client(address: str, token: str = TOKEN) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{address}/openai/v1", api_key=token, max_retries=0) as client:
        yield client


def png(size: tuple[int, int] = (128, 128), colour: str = "red", *, hole: bool = False) -> bytes:
    """A picture; with a hole one can see through its upper half."""
    made = io.BytesIO()
    picture = Image.new("RGBA" if hole else "RGB", size, colour)
    if hole:
        picture.paste((0, 0, 0, 0), (0, 0, size[0], size[1] // 2))
    picture.save(made, "PNG")
    return made.getvalue()


def based(data: bytes) -> str:
    return base64.b64encode(data).decode()


def opened(text: str) -> Image.Image:
    """The picture in base64."""
    picture = Image.open(io.BytesIO(base64.b64decode(text)))
    picture.load()
    return picture


def basic(token: str = TOKEN, user: str = "whoever") -> dict[str, str]:
    return {"Authorization": "Basic " + based(f"{user}:{token}".encode())}
