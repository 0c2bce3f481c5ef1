"""The listening sockets: connections are accepted one by one, counted, and handed to aiohttp.

asyncio's own server has no limit on connections or TLS handshakes, and logs a traceback for each failed accept:
thousands where file handles have run out.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from collections.abc import Callable

from ..logs import Seldom
from .connections import HEADER_SECONDS, Connections, Link
from .protocol import Connection

BACKLOG = 256
RETRY_SECONDS = 0.2

log = logging.getLogger(__name__)
_failed = Seldom(__name__, "connections cannot be accepted")
_refused = Seldom(__name__, "connections were refused: the worker has as many as it takes, all of them at work")


class Door:
    """``handler`` makes the protocol of one connection."""

    def __init__(
        self,
        connections: Connections,
        handler: Callable[[], Connection],
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._connections = connections
        self._handler = handler
        self._tls = tls
        self._sockets: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, host: str, port: int) -> tuple[str, int]:
        """Binds; returns the first address. :raises OSError:"""
        # create_server resolves all addresses of a name, IPv4 and IPv6, and sets the socket options.
        bound = await asyncio.get_running_loop().create_server(
            asyncio.Protocol, host, port, reuse_address=True, start_serving=False
        )
        self._sockets = [sock.dup() for sock in bound.sockets]
        bound.close()
        for sock in self._sockets:
            sock.setblocking(False)
            sock.listen(BACKLOG)
        address = self._sockets[0].getsockname()
        return str(address[0]), int(address[1])

    async def run(self) -> None:
        """Accepts until it is closed."""
        async with asyncio.TaskGroup() as group:
            loops = [self._accept(sock) for sock in self._sockets]
            for loop in (*loops, self._connections.watch()):
                task = group.create_task(loop)
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop accepting. Open connections are closed by aiohttp."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for sock in self._sockets:  # only now: the loop must not wait for a reused number
            sock.close()

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            # accept() returns at once while connections are pending, so the loop would starve everything else.
            await asyncio.sleep(0)
            try:
                sock, address = await loop.sock_accept(listening)
            except OSError as error:
                if error.errno not in (errno.ECONNABORTED, errno.EPROTO):
                    _failed.error(errno=error.errno)
                    await asyncio.sleep(0 if self._connections.make_room() else RETRY_SECONDS)
                continue
            link = self._connections.admit(sock, str(address[0]))
            if link is None:
                _refused.warning()
                sock.close()
                continue
            task = asyncio.create_task(self._serve(link), name="connection")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, link: Link) -> None:
        """The TLS handshake, until aiohttp takes over; then the protocol reports the end."""
        handler = self._handler()
        handler.follow(link, self._connections)
        timeout = None if self._tls is None else HEADER_SECONDS
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: handler, link.sock, ssl=self._tls, ssl_handshake_timeout=timeout
            )
        except asyncio.CancelledError:
            self._lost(link)
            raise
        except (OSError, ssl.SSLError, ConnectionError) as error:
            log.debug("a connection broke off before it stood", extra={"kind": type(error).__name__})
            self._lost(link)

    def _lost(self, link: Link) -> None:
        self._connections.drop(link)
        with contextlib.suppress(OSError):
            link.sock.shutdown(socket.SHUT_RDWR)
