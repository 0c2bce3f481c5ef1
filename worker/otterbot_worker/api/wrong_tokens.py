"""One warning for the operator where somebody's token is wrong: an old one in the plugin's settings, or none in a
program that asks for ``/metrics``. Never the token."""

from __future__ import annotations

import ipaddress
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from ..logs import Seldom

log = logging.getLogger(__name__)

HOUR = 3600.0
MOST = 64
"""Addresses that are remembered. Where more come within an hour, the others share one line a minute."""
V6_NETWORK = 64
"""Bits of an IPv6 address that one household has: it may use any of the addresses behind them."""

_others = Seldom(__name__, "requests from many addresses had no valid token")


@dataclass
class _Seen:
    said: float
    count: int = 0
    """Requests since then."""


class WrongTokens:
    def __init__(self, token: Path) -> None:
        """``token``: the file of the first client, to be named."""
        self._token = token
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    def refused(self, address: str | None, *, offered: bool) -> None:
        """A request was refused. ``address``: who asked, ``None``: unknown; ``offered``: it had a token."""
        key, now = _household(address or "?"), time.monotonic()
        seen = self._seen.get(key)
        if seen is not None and now - seen.said < HOUR:
            seen.count += 1
            return
        if seen is None and not self._room(now):
            _others.warning()
            return
        before = 0 if seen is None else seen.count
        self._seen[key] = _Seen(said=now)
        self._seen.move_to_end(key)
        what = "a request had a wrong token" if offered else "a request had no token"
        todo = (
            "put the line of this file into worker.token of the plugin's instance; another program needs a token of "
            "its own (otterbot-worker token new NAME)"
        )
        log.warning(
            "%s; %s", what, todo, extra={"address": address, "file": str(self._token), "refused_before": before}
        )

    def _room(self, now: float) -> bool:
        """Whether one more address fits. The oldest goes when its hour is over."""
        if len(self._seen) >= MOST:
            oldest = next(iter(self._seen))
            if now - self._seen[oldest].said < HOUR:
                return False
            del self._seen[oldest]
        return True


def _household(address: str) -> str:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 4:
        return address
    return str(ipaddress.ip_network((int(found), V6_NETWORK), strict=False).network_address)
