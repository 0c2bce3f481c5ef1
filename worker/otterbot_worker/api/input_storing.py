"""A picture that a request starts from, on its way from the body to the disk."""

from __future__ import annotations

import errno
import time

from aiohttp import web

from ..inputs.files import BadInput
from ..queue.input_rows import Input
from .parts import Parts
from .problems import ApiProblem, disk_full

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def most_bytes(parts: Parts) -> int:
    """Of one picture."""
    return int(parts.config.inputs.max_mb * 1_000_000)


async def read(request: web.Request, most: int) -> bytes:
    """The body, read up to ``most`` bytes.

    :raises web.HTTPRequestEntityTooLarge:
    """
    if (request.content_length or 0) > most:
        raise web.HTTPRequestEntityTooLarge(most, request.content_length or 0)
    data = bytearray()
    async for chunk in request.content.iter_any():
        data += chunk
        if len(data) > most:
            raise web.HTTPRequestEntityTooLarge(most, len(data))
    return bytes(data)


async def keep(parts: Parts, client: str, data: bytes, *, private: bool, owner: str | None) -> Input:
    """Checked and stored. ``owner``: whose picture it is, since people take turns.

    :raises ApiProblem: it is none that can be used, or the disk is full
    """
    if not parts.archive.has_room():
        raise disk_full(parts.archive)
    try:
        return await parts.inputs.add(client, data, private=private, now=time.time(), owner=owner)
    except BadInput as bad:
        raise ApiProblem(422, bad.code, str(bad)) from None
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise disk_full(parts.archive) from None
