"""aiohttp's protocol of one connection: reports its requests, and answers what is no HTTP.

To bytes that are no HTTP, aiohttp itself answers with plain text that repeats the line or header, and logs a traceback.
Here the answer is a problem document that repeats nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from ..logs import Seldom
from .auth import CLIENT
from .connections import Connections, Link
from .problems import ApiProblem, answer, of_http

_Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

log = logging.getLogger(__name__)
_unreadable = Seldom(__name__, "what came was no HTTP request")


class Connection(web.RequestHandler):
    """One connection of `Server`."""

    _link: Link | None = None
    _connections: Connections | None = None

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self._told: set[Callable[[], None]] = set()

    def follow(self, link: Link, connections: Connections) -> None:
        """Report the phases to ``link``, and the end to ``connections``."""
        self._link, self._connections = link, connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._link is not None:
            self._link.transport = transport
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._link is not None and self._connections is not None:
            self._connections.drop(self._link)
        super().connection_lost(exc)
        for tell in list(self._told):
            tell()

    @contextmanager
    def telling(self, tell: Callable[[], None]) -> Iterator[None]:
        """Within it, ``tell`` is called when the connection ends; ``request.transport`` is ``None`` by then."""
        self._told.add(tell)
        try:
            yield
        finally:
            self._told.discard(tell)

    def began(self, request: web.BaseRequest) -> None:
        """Called when the request line and all headers are read."""
        if self._link is not None:
            self._link.served = True
            self._link.asks_known = lambda: CLIENT in request
            self._link.body_open = lambda: not request.content.is_eof()
            self._link.enter("working")

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        if isinstance(resp, web.HTTPException):
            resp = of_http(resp)  # raised before the middlewares, so its text may repeat what was sent
        if self._link is None:
            return await super().finish_response(request, resp, start_time)
        self._link.enter("answering")
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._link.enter("waiting")

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status < 500:
            _unreadable.warning(kind=type(exc).__name__)
            response = answer(ApiProblem(status, "bad_request", "This is no HTTP request that the worker can read."))
        else:
            log.error("a request failed unexpectedly", exc_info=exc)
            response = answer(ApiProblem(500, "internal", "Something unexpected went wrong in the worker."))
        if request.writer.output_size > 0:
            raise ConnectionError("part of another answer is on its way already")
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        # Its arguments may hold what was sent.
        log.error("a connection failed unexpectedly", exc_info=kw.get("exc_info"))


class Server(web.Server):
    """aiohttp's server with our ``Connection``."""

    def __call__(self) -> Connection:
        return Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """aiohttp's runner with our ``Server``."""

    async def _make_server(self) -> Server:
        made = await super()._make_server()
        return Server(
            _followed(made.request_handler),
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            loop=made._loop,
            **made._kwargs,
        )


def _followed(handler: _Handler) -> _Handler:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if isinstance(request.protocol, Connection):
            request.protocol.began(request)
        return await handler(request)

    return handle
