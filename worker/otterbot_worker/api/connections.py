"""Connections: their limits, which one is closed for a new one, and which are too slow.

A connection costs a file handle, and anybody who reaches the port can open one. So there are limits, in all and per
address. Beyond them a new connection replaces the least important one: connections without a token before clients', the
oldest first. A client's request in work is never interrupted for it.

Bytes are counted by the kernel (``TCP_INFO``): it also sees TLS and ``sendfile``, which bypass our buffers.
"""

from __future__ import annotations

import asyncio
import fcntl
import ipaddress
import socket
import struct
import termios
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ..logs import Seldom

HEADER_SECONDS = 10.0
"""Time allowed for a request's line and headers, and for the TLS handshake."""
BODY_SECONDS = ANSWER_SECONDS = 20.0
SLOWEST = 4_096
"""Minimum bytes per second after the first ``BODY_SECONDS`` of a body or ``ANSWER_SECONDS`` of an answer; slower
connections are closed."""
UNREAD_SECONDS = 60.0
"""A peer that acknowledges no byte of an answer for this long counts as gone."""
IDLE_SECONDS = 75.0
"""Between two requests."""
LOOK_SECONDS = 1.0
_CROWD = 16
"""One in so many connections without a token is closed at a time: sorting all of them for each new one would make a
flood expensive."""
_COUNTERS = struct.Struct("=120xQQ")
"""Of the kernel's ``struct tcp_info``: bytes acknowledged by the other side, and bytes received."""

Phase = Literal["waiting", "working", "answering"]

_log = Seldom("otterbot_worker.api.connections", "connections were closed")


def _never() -> bool:
    return False


@dataclass(eq=False, kw_only=True)
class Link:
    """One connection, from its acceptance to its end. Times by ``time.monotonic()``."""

    sock: socket.socket
    group: str
    """The address, or the network that counts as one (``group_of``)."""
    since: float
    """When the current phase began."""
    phase: Phase = "waiting"
    served: bool = False
    """At least one whole request was received."""
    known: bool = False
    """At least one request had a valid token."""
    asks_known: Callable[[], bool] = _never
    """Whether the request in work came with a token."""
    body_open: Callable[[], bool] = _never
    """Whether more of the body of the request in work is still to come."""
    transport: asyncio.BaseTransport | None = None
    sent_at_start: int = 0
    received_at_start: int = 0
    header_since: float | None = None
    """When the first byte of the next request was seen."""
    sent: int = 0
    moved: float = 0.0
    """When the peer last acknowledged a byte."""

    def enter(self, phase: Phase) -> None:
        """Begin a phase."""
        self.known = self.known or self.asks_known()
        self.phase, self.since, self.header_since = phase, time.monotonic(), None
        if (counted := traffic(self.sock)) is not None:
            self.sent_at_start, self.received_at_start = counted

    @property
    def busy(self) -> bool:
        """A client's request is in work."""
        return self.phase != "waiting" and (self.known or self.asks_known())

    def close(self) -> None:
        """Close at once and drop what is still buffered."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()
            return
        try:
            self.sock.shutdown(socket.SHUT_RDWR)  # in the handshake: the transport sees the end and closes it
        except OSError:
            return

    def too_slow(self, now: float) -> str | None:
        """Why the connection is to be closed; ``None``: it may stay."""
        counted = traffic(self.sock)
        if counted is None:
            return None
        sent, received = counted
        if self.served and not received:
            return None  # the kernel has no such counters
        if sent != self.sent or not _unread(self.sock):
            self.sent, self.moved = sent, now
        elif now - self.moved > UNREAD_SECONDS:
            return "unread"
        took = now - self.since
        if self.phase == "waiting":
            return self._late(now, received)
        if self.phase == "answering":
            return "slow answer" if took > ANSWER_SECONDS + (sent - self.sent_at_start) / SLOWEST else None
        arrived = received - self.received_at_start
        return "slow body" if took > BODY_SECONDS + arrived / SLOWEST and self.body_open() else None

    def _late(self, now: float, received: int) -> str | None:
        if not self.served:
            return "no request" if now - self.since > HEADER_SECONDS else None
        if received == self.received_at_start:
            return "idle" if now - self.since > IDLE_SECONDS else None
        self.header_since = now if self.header_since is None else self.header_since
        return "slow request" if now - self.header_since > HEADER_SECONDS else None


class Connections:
    """All connections of this process."""

    def __init__(self, most: int, most_per_address: int) -> None:
        self._most = most
        self._most_per_address = min(most, most_per_address)
        self._links: dict[Link, None] = {}
        self._groups: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._links)

    def admit(self, sock: socket.socket, address: str) -> Link | None:
        """Register a new connection, closing another one where the limit is reached. ``None``: all others are busy, so
        it is refused."""
        group = group_of(address)
        if self._groups[group] >= self._most_per_address and not self.make_room(group):
            return None
        if len(self._links) >= self._most and not self.make_room():
            return None
        now = time.monotonic()
        link = Link(sock=sock, group=group, since=now, moved=now)
        self._links[link] = None
        self._groups[group] += 1
        return link

    def drop(self, link: Link) -> None:
        """Forget an ended connection; may be called twice."""
        if link in self._links:
            del self._links[link]
            self._groups[link.group] -= 1
            if not self._groups[link.group]:
                del self._groups[link.group]

    def make_room(self, group: str | None = None) -> bool:
        """Close the least important connections, of one group or of all. Returns whether any was closed."""
        idle = [link for link in self._links if not link.busy and group in (None, link.group)]
        strangers = sorted((link for link in idle if not link.known), key=lambda link: link.since)
        if strangers:
            chosen = strangers[: max(1, len(strangers) // _CROWD)]
        else:
            chosen = sorted(idle, key=lambda link: link.since)[:1]
        for link in chosen:
            self._end(link, "too many")
        return bool(chosen)

    def look(self) -> None:
        """Close the connections that are too slow."""
        now = time.monotonic()
        for link in list(self._links):
            if (why := link.too_slow(now)) is not None:
                self._end(link, why)

    async def watch(self) -> None:
        """Look at all connections at intervals, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.look()

    def _end(self, link: Link, why: str) -> None:
        if why != "idle":
            _log.warning(reason=why)
        # Drop it now, not when its end is reported: until then the same connection would be chosen again.
        self.drop(link)
        link.close()


def group_of(address: str) -> str:
    """The key of the limit per address: an IPv4 address, or an IPv6 /64, which belongs to one customer."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        if not found.is_loopback:
            return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def traffic(sock: socket.socket) -> tuple[int, int] | None:
    """Bytes acknowledged by the peer, and bytes received; ``None`` where the kernel does not count them."""
    try:
        facts = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        return _COUNTERS.unpack_from(facts)
    except (OSError, struct.error):
        return None


def _unread(sock: socket.socket) -> bool:
    """Whether sent bytes are still unacknowledged."""
    try:
        (waiting,) = struct.unpack("=i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))
        return bool(waiting)
    except (OSError, ValueError):
        return False
