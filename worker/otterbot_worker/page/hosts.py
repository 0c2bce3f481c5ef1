"""Which names this worker goes by. A site elsewhere can let a name of its own mean 127.0.0.1, and a browser would then
take its scripts and our page for one site (DNS rebinding): the name that the browser used gives it away.

An address made of numbers is nobody's name, so it may always be used.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable


def names(host: str, others: Iterable[str]) -> frozenset[str]:
    """Those that may be used: ``host`` is ``api.host``, ``others`` are what else the settings name."""
    machine = socket.gethostname().lower()
    known = {"localhost", machine, f"{machine.partition('.')[0]}.local", host, *others}
    return frozenset(name.lower().rstrip(".") for name in known if name)


def is_ours(sent: str, known: frozenset[str]) -> bool:
    """``sent``: the header ``Host``, with or without a port."""
    name = _without_port(sent.strip().lower())
    if name is None:
        return False
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return name.rstrip(".") in known
    return True


def same(origin: str, host: str) -> bool:
    """Whether the header ``Origin`` names what the header ``Host`` does: a page of our own asks."""
    scheme, found, place = origin.strip().lower().partition("://")
    return bool(found) and scheme in ("http", "https") and bool(place) and place == host.strip().lower()


def _without_port(sent: str) -> str | None:
    if sent.startswith("["):
        name, closed, rest = sent.partition("]")
        return f"{name}]" if closed and (not rest or rest.startswith(":")) else None
    name, _, port = sent.partition(":")
    return name if not port or port.isdigit() else None
