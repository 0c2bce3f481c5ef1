"""What other programs send, read with limits: JSON with pictures in it, forms, pictures as base64."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as default
from typing import TypeVar

from aiohttp import BodyPartReader, web
from pydantic import BaseModel, ValidationError

from ...queue.input_rows import Input
from ...schemas.jobs import FieldProblem
from .. import input_storing
from ..auth import client_of
from ..parts import PARTS
from ..problems import ApiProblem, as_it_is, refuse
from .errand import WAITING

Model = TypeVar("Model", bound=BaseModel)

MOST_PICTURES = 2
"""Of one JSON body: what it starts from, and a mask."""
MOST_TEXT = 256 * 1024
"""Bytes of all words of a form, and of a body beside its pictures."""
MOST_PARTS = 64


@dataclass(frozen=True, kw_only=True)
class Form:
    """A multipart form: fields by name, pictures in order."""

    fields: dict[str, str] = default(default_factory=dict)
    pictures: list[tuple[str, bytes]] = default(default_factory=list)

    def named(self, *names: str) -> list[bytes]:
        return [data for name, data in self.pictures if name in names]


async def with_pictures(request: web.Request, validate: Callable[[bytes], Model], *, pictures: int) -> Model:
    """A JSON body with ``pictures`` pictures as base64 in it at most, validated.

    Whatever it calls itself is read as JSON: some clients send no Content-Type.

    :raises ApiProblem: 413 or 422
    """
    as_it_is(request)
    most = pictures * (input_storing.most_bytes(request.app[PARTS]) * 4 // 3) + MOST_TEXT
    # One of each client at a time, since they are large; and in a thread, since they take long to understand.
    async with request.app[WAITING].reading(client_of(request)):
        raw = await input_storing.read(request, most)
        try:
            return await asyncio.to_thread(validate, raw)
        except ValidationError as error:
            refuse(error)


async def form(request: web.Request) -> Form:
    """:raises ApiProblem: 413, 415 or 422"""
    if request.content_type != "multipart/form-data":
        raise ApiProblem(415, "unsupported_media_type", "Send the request as multipart/form-data.")
    as_it_is(request)
    found, most, words = Form(), input_storing.most_bytes(request.app[PARTS]), 0
    async with request.app[WAITING].reading(client_of(request)):
        try:
            reader = await request.multipart()
            for _ in range(MOST_PARTS):
                part = await reader.next()
                if part is None:
                    return found
                if not isinstance(part, BodyPartReader) or not part.name:
                    raise _no_form()
                if part.filename is not None:
                    if len(found.pictures) > MOST_PICTURES:
                        raise one_picture("image")
                    found.pictures.append((part.name, await _read(part, most)))
                else:
                    data = await _read(part, MOST_TEXT - words)
                    words += len(data)
                    found.fields[part.name] = data.decode("utf-8")
        except (ValueError, UnicodeDecodeError):
            raise _no_form() from None
    raise _no_form()


async def _read(part: BodyPartReader, most: int) -> bytes:
    data = bytearray()
    while chunk := await part.read_chunk(64 * 1024):
        data += chunk
        if len(data) > most:
            raise web.HTTPRequestEntityTooLarge(most, len(data))
    return bytes(data)


def of_base64(text: str, name: str) -> bytes:
    """A picture as base64, or as a ``data:`` address of one. Others' addresses are not fetched.

    :raises ApiProblem: 422, ``name`` is the field
    """
    if text.startswith(("http://", "https://")):
        raise _bad(name, "Send the picture itself as base64: nothing is fetched from other machines.")
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise _bad(name, "This is no picture as base64.") from None


async def keep(request: web.Request, data: bytes, name: str, *, private: bool) -> Input:
    """A picture that was sent, checked and stored. :raises ApiProblem: ``name`` is the field"""
    parts, client = request.app[PARTS], client_of(request)
    if len(data) > input_storing.most_bytes(parts):
        raise web.HTTPRequestEntityTooLarge(input_storing.most_bytes(parts), len(data))
    try:
        return await input_storing.keep(parts, client, data, private=private, owner=client)
    except ApiProblem as bad:
        if bad.problem.status == 422:
            raise _bad(name, bad.problem.detail or "", bad.problem.code) from None
        raise


def one_picture(name: str) -> ApiProblem:
    return _bad(name, "Send one picture: the models here start from one at a time.", "too_many_pictures")


def field(name: str, sentence: str, code: str = "invalid") -> FieldProblem:
    return FieldProblem(field=name, code=code, message=sentence)


def _bad(name: str, detail: str, code: str = "picture_unreadable") -> ApiProblem:
    return ApiProblem(422, code, detail, fields=[field(name, detail, code)])


def _no_form() -> ApiProblem:
    return ApiProblem(422, "invalid_request", "The body is no form that can be read: a field at a time, as UTF-8.")
