"""`Links`: addresses of pictures that open without a token, for an hour.

The path names client, picture, format and time, and is signed with a key that this process draws at its start. So it
cannot be guessed or changed, and leads nowhere after its time or a restart. A picture that counts as private leaves the
archive when its link has ended.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import hmac
import logging
import re
import secrets
import sqlite3
import time
from dataclasses import dataclass
from typing import get_args

from ...logs import Seldom
from ...queue import disk
from .. import delivery
from ..parts import Parts
from .results import Drawn, Format, FormatName

log = logging.getLogger(__name__)
_untidy = Seldom(__name__, "pictures whose links have ended could not be looked after")

PREFIX = "/openai/v1/links/"
SECONDS = 3_600.0
LOOK_SECONDS = 30.0
_PATH = re.compile(
    rf"{PREFIX}([a-z0-9_-]{{1,64}})/([0-9a-f]{{1,64}})/({'|'.join(get_args(FormatName))})-([0-9]{{1,3}})"
    r"/([0-9]{1,12})/([0-9a-f]{64})"
)


@dataclass(frozen=True, kw_only=True)
class Link:
    client: str
    image_id: str
    form: Format


class Links:
    """Owned by the application; the ends of its links are in memory, as the key is."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._ends: list[tuple[float, str, str]] = []
        """When, client and picture; a heap."""

    def path(self, client: str, one: Drawn, form: Format) -> str:
        ends = int(time.time() + SECONDS)
        heapq.heappush(self._ends, (ends, client, one.result.image_id))
        signed = f"{PREFIX}{client}/{one.result.image_id}/{form.name}-{form.quality}/{ends}/"
        return signed + self._signature(signed)

    def opened(self, path: str) -> Link | None:
        """What a path leads to; ``None`` where it is not one of ours, or has ended."""
        found = _PATH.fullmatch(path)
        if found is None:
            return None
        client, image_id, name, quality, ends, signature = found.groups()
        if not hmac.compare_digest(self._signature(path.removesuffix(signature)), signature):
            return None
        if time.time() >= int(ends):
            return None
        known: dict[str, FormatName] = {one: one for one in get_args(FormatName)}
        return Link(client=client, image_id=image_id, form=Format(name=known[name], quality=int(quality)))

    async def watch(self, parts: Parts) -> None:
        """For ever: pictures whose links have ended count as delivered."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.end(parts, time.time())
            except (OSError, sqlite3.Error) as error:
                if isinstance(error, sqlite3.Error) and not disk.passes(error):
                    raise
                _untidy.warning(kind=type(error).__name__)

    async def end(self, parts: Parts, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            _, client, image_id = self._ends[0]
            image = await parts.store.image(image_id, client)
            if image is not None and image.gone_at is None:
                await delivery.delivered(parts, image, now)
            heapq.heappop(self._ends)

    def _signature(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()
