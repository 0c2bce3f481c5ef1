"""Files that answers go on in, read back out of the room: they are part of what was said."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from .. import texts
from ..errors import MatrixRefused, TooLarge
from ..matrix.http import MatrixHttp
from ..requests.input_images import NoStart, decrypted, place_of

MOST = 300_000
"""Bytes; the worker keeps at most 60,000 characters of an answer."""


async def text_of(http: MatrixHttp, content: Mapping[str, Any]) -> str:
    """What the file of that message says, or a sentence that it cannot be read.

    Raises a :class:`~..errors.MatrixError` where the homeserver does not answer.
    """
    try:
        place = place_of(content)
        data = await http.download(place.server, place.media, MOST)
        if place.secrets is not None:
            data = await asyncio.to_thread(decrypted, data, *place.secrets)
    except (NoStart, MatrixRefused, TooLarge):
        return texts.CHAT_REST_UNREADABLE
    return data.decode("utf-8", "replace")
