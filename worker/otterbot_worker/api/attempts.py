"""Holds back an address from which many wrong tokens come, so that nobody can try out tokens quickly."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from dataclasses import dataclass

from .connections import group_of

MOST_WRONG = 20
"""Wrong tokens that an address may send within ``SECONDS``; after them it waits for the end of that time."""
SECONDS = 60.0
KNOWN_SECONDS = 3600.0
MOST_ADDRESSES = 4096
MOST_KNOWN = 1024


@dataclass
class _Window:
    since: float
    wrong: int = 0


class Attempts:
    """Programs of one machine or behind one proxy share an address. One of them with an old token must not lock out
    the others: whoever had a right token from there within the hour is let in meanwhile."""

    def __init__(self) -> None:
        self._windows: OrderedDict[str, _Window] = OrderedDict()
        self._known: OrderedDict[tuple[str, str], float] = OrderedDict()

    def admit(self, address: str | None, token_id: str | None, *, offered: bool) -> int | None:
        """Count one attempt. ``token_id``: of the right token, ``None``: it was wrong or, without ``offered``, missing.
        Returns the seconds to wait where the address is held back, else ``None``."""
        group, now = group_of(address or "?"), time.monotonic()
        window = self._windows.get(group)
        if window is not None and now - window.since >= SECONDS:
            del self._windows[group]
            window = None
        held = window is not None and window.wrong >= MOST_WRONG
        if token_id is not None and (not held or self._was_here(group, token_id, now)):
            self._remember(group, token_id, now)
            return None
        if not offered:
            return None
        if window is not None and held:
            return max(1, math.ceil(window.since + SECONDS - now))
        self._count(group, now)
        return None

    def _count(self, group: str, now: float) -> None:
        if group not in self._windows:
            if len(self._windows) >= MOST_ADDRESSES:
                self._windows.popitem(last=False)
            self._windows[group] = _Window(now)
        self._windows[group].wrong += 1

    def _was_here(self, group: str, token_id: str, now: float) -> bool:
        return now - self._known.get((group, token_id), -math.inf) < KNOWN_SECONDS

    def _remember(self, group: str, token_id: str, now: float) -> None:
        self._known[group, token_id] = now
        self._known.move_to_end((group, token_id))
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
