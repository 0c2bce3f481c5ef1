"""What Prometheus may know of the plugin: at ``/metrics`` of its Maubot instance, if the operator opens it.

Maubot's port often faces the internet, so there is nothing without a token of its own, and counts only: no rooms, no
people, no words. Maubot brings no Prometheus client; the text format is written here.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from aiohttp import web

from ..config import Values
from ..outbox.queue import Outbox
from ..store.rows import Rank
from .parts import Inbox, Parts

PATH = "/metrics"
Sample = tuple[str, float]
"""Labels as they are written (``{rank="result"}``), and a value."""


class Metrics:
    def __init__(self, parts: Parts, inbox: Inbox, values: Callable[[], Values]) -> None:
        self._parts = parts
        self._inbox = inbox
        self._values = values

    async def answer(self, request: web.Request) -> web.Response:
        """404 as for any other path while it is not open; 401 without its token."""
        token = self._values().metrics.token
        if token is None:
            raise web.HTTPNotFound
        scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
        offered = sent.strip().encode("utf-8", "surrogateescape") if scheme.lower() == "bearer" else b""
        if not hmac.compare_digest(offered, token.encode()):
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
        return web.Response(text=self.text(), headers={"Content-Type": "text/plain; version=0.0.4"})

    def text(self) -> str:
        """In Prometheus' text format."""
        return "".join((*_outbox(self._parts.outbox), *self._worker(), *self._unread()))

    def _worker(self) -> Iterator[str]:
        stream = self._parts.links.worker.stream
        yield _one("worker_connected", "gauge", "1 while the worker's event stream is connected", stream.connected)

    def _unread(self) -> Iterator[str]:
        parked = self._inbox.unread.parked
        yield _one("undecryptable", "gauge", "Messages that wait for their room key", parked.count)
        lost = [('{why="stranger"}', parked.strangers), ('{why="limit"}', parked.pushed_out)]
        yield _many("undecryptable_dropped_total", "counter", "Messages without room key that are not kept", lost)


def _outbox(outbox: Outbox) -> Iterator[str]:
    tally, waiting = outbox.tally, outbox.depth()
    yield _many("outbox_depth", "gauge", "Events that wait to be sent", [(_rank(rank), waiting[rank]) for rank in Rank])
    yield _one("outbox_oldest_seconds", "gauge", "Age of the result or refusal that waits longest", outbox.oldest())
    yield _many("sent_total", "counter", "Events sent", [(_rank(rank), tally.sent[rank]) for rank in Rank])
    yield _many(
        "delivery_seconds_total",
        "counter",
        "From the moment when an event was to be sent until it stood in its room",
        [(_rank(rank), tally.seconds.get(rank, 0.0)) for rank in Rank],
    )
    yield _one("given_up_total", "counter", "Events that cannot be sent", tally.given_up)
    yield _one("throttled_total", "counter", "Refusals for sending too fast", tally.throttled)
    yield _one("throttled_seconds_total", "counter", "Waits that such refusals asked for", tally.throttled_seconds)


def _rank(rank: Rank) -> str:
    return f'{{rank="{rank.name.lower()}"}}'


def _one(name: str, kind: Literal["gauge", "counter"], about: str, value: float) -> str:
    return _many(name, kind, about, [("", value)])


def _many(name: str, kind: Literal["gauge", "counter"], about: str, samples: Sequence[Sample]) -> str:
    full = f"otterbot_plugin_{name}"
    lines = [f"# HELP {full} {about}", f"# TYPE {full} {kind}"]
    return "\n".join([*lines, *(f"{full}{labels} {float(value)!r}" for labels, value in samples), ""])
