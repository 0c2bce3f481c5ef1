"""Who is signed in. In the memory of this process alone: a restart signs everybody out."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from ..api.auth import Client

IDLE_SECONDS = 12 * 3600.0
WHOLE_SECONDS = 7 * 86_400.0
MOST = 64
"""At the same time; the one that was used least lately ends for another."""


@dataclass(kw_only=True)
class Session:
    """``client.id`` names the token that it was opened with; times are monotonic."""

    client: Client
    opened: float
    used: float


class Sessions:
    """``opens``: whether the token of that id still does. Its end is that of its sessions."""

    def __init__(self, opens: Callable[[str], bool], clock: Callable[[], float] = time.monotonic) -> None:
        self._opens = opens
        self._clock = clock
        self._known: OrderedDict[bytes, Session] = OrderedDict()
        """By the hash of the secret: what is looked up tells nothing by the time that it takes."""

    def open(self, client: Client) -> str:
        """The secret for the cookie."""
        secret = secrets.token_urlsafe(32)
        now = self._clock()
        while len(self._known) >= MOST:
            self._known.popitem(last=False)
        self._known[_hash(secret)] = Session(client=client, opened=now, used=now)
        return secret

    def find(self, secret: str) -> Session | None:
        """``None``: there is none, or it is over. It counts as used."""
        key, now = _hash(secret), self._clock()
        session = self._known.get(key)
        if session is None:
            return None
        over = now - session.used > IDLE_SECONDS or now - session.opened > WHOLE_SECONDS
        if over or not self._opens(session.client.id):
            del self._known[key]
            return None
        session.used = now
        self._known.move_to_end(key)
        return session

    def close(self, secret: str) -> None:
        self._known.pop(_hash(secret), None)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
