"""``png-info``: what a picture says of how it was made."""

from __future__ import annotations

import asyncio
import io
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from ....archive import containers, infotext, metadata
from ....schemas.jobs import FieldProblem
from ...problems import ApiProblem
from .. import bodies


class PngInfoBody(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    image: str


async def png_info(request: web.Request) -> web.Response:
    asked = await bodies.with_pictures(request, PngInfoBody.model_validate_json, pictures=1)
    data = await asyncio.to_thread(bodies.of_base64, asked.image, "image")
    return web.json_response(await asyncio.to_thread(_read, data))


def _read(data: bytes) -> dict[str, Any]:
    """Without decoding a pixel. :raises ApiProblem: it is no picture"""
    try:
        texts = containers.texts_in(io.BytesIO(data))
    except containers.NoSettings:
        texts = {}
    except containers.BadPicture as bad:
        sentence = f"What was sent {bad}."
        problem = FieldProblem(field="image", code="picture_unreadable", message=sentence)
        raise ApiProblem(422, "picture_unreadable", sentence, fields=[problem]) from None
    text = texts.pop(metadata.A1111_CHUNK, None) or ""
    return {"info": text, "items": {name: value for name, value in texts.items() if value}, "parameters": _parsed(text)}


def _parsed(text: str) -> dict[str, str]:
    found = infotext.parse(text)
    if found is None:
        return {}
    parsed = {"Prompt": found.prompt, "Negative prompt": found.negative_prompt, **found.fields}
    width, cross, height = parsed.get("Size", "").partition("x")
    return parsed | ({"Size-1": width, "Size-2": height} if cross else {})
