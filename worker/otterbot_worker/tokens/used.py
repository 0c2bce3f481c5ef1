"""When each token was last used, to the hour: kept in memory, and written within a minute where an hour is new."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Collection
from pathlib import Path

from .. import durable

HOUR = 3600
MOST_BYTES = 1_000_000


class Used:
    """By the first digits of a token's hash, so that a new token of an old name begins anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._hours: dict[str, int] = read(path)
        self._new = False

    def note(self, token_id: str) -> None:
        hour = int(time.time()) // HOUR * HOUR
        if self._hours.get(token_id) != hour:
            self._hours[token_id] = hour
            self._new = True

    async def write(self, here: Collection[str]) -> None:
        """If there is something new. ``here``: the tokens that there are; any other is forgotten.

        :raises OSError:
        """
        if not self._new:
            return
        self._hours = {token_id: hour for token_id, hour in self._hours.items() if token_id in here}
        self._new = False
        try:
            await asyncio.to_thread(durable.write, self._path, json.dumps(self._hours).encode() + b"\n")
        except OSError:
            self._new = True
            raise


def read(path: Path) -> dict[str, int]:
    """Unix times; empty where nobody knows."""
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: hour for name, hour in found.items() if isinstance(hour, int) and 0 <= hour < 2**40}
