"""A reverse proxy whose rules stop time at a named point.

It stands between Maubot and the homeserver, and between Maubot and the worker. A rule says which requests it means
and what becomes of them: hold them before they are forwarded, hold the answer, swallow the answer (the server has
acted, the client hears nothing), answer in the server's stead, or rewrite transaction ids. Without a rule everything
flows, streams included.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from .bundles import BRINGS_EVENTS, without_bundles
from .proc import PATIENCE, until

_HOP = {"connection", "keep-alive", "te", "trailers", "transfer-encoding", "upgrade", "host", "content-length"}
_TXN = re.compile(r"(/rooms/[^/]+/(?:send/[^/]+|redact/[^/]+)/)([^/?]+)")


class What(Enum):
    """What becomes of a request that a rule means."""

    COUNT = auto()
    HOLD_BEFORE = auto()
    HOLD_AFTER = auto()
    SWALLOW = auto()
    ANSWER = auto()
    SILENCE = auto()
    REWRITE_TXN = auto()


@dataclass
class Seen:
    """A request on its way, as a rule's predicate sees it."""

    method: str
    path: str
    """Path and query, as they stand on the wire."""
    body: bytes


@dataclass
class Rule:
    """Made by the methods of :class:`Proxy`; holds until :meth:`release`, acts until :meth:`remove`."""

    proxy: Proxy
    what: What
    method: str
    path: re.Pattern[str]
    times: int | None
    also: Callable[[Seen], bool] | None = None
    status: int = 503
    answer: dict[str, Any] = field(default_factory=dict)
    page: str = ""
    """Instead of ``answer``: HTML, as a proxy in between answers."""
    headers: dict[str, str] = field(default_factory=dict)
    count: int = 0
    """How many requests it has meant so far."""
    answered: int = 0
    """How many of them the server has answered."""
    seen: list[Seen] = field(default_factory=list)
    done: int = 0
    """How many of them are over, the client having its answer or none."""
    dropping: bool = False
    _reached: asyncio.Event = field(default_factory=asyncio.Event)
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    def means(self, request: Seen) -> bool:
        if self.times is not None and self.count >= self.times:
            return False
        if self.method not in ("*", request.method) or not self.path.search(request.path):
            return False
        return self.also is None or self.also(request)

    def point(self) -> None:
        """The named point: what the rule waits for has happened."""
        self._reached.set()

    async def reached(self, timeout: float = 30) -> None:
        """Waits for the named point: the request has come (held before), or its answer has."""
        try:
            await asyncio.wait_for(self._reached.wait(), timeout * PATIENCE)
        except TimeoutError:
            recent = "\n".join(f"  {line}" for line in self.proxy.log[-25:])
            what = f"{self.method} {self.path.pattern}"
            raise TimeoutError(f"no {what} in {timeout * PATIENCE:.0f} s; the last were\n{recent}") from None

    async def released(self) -> None:
        await self._released.wait()

    async def finished(self, timeout: float = 10) -> None:
        """Waits until everything that was held has reached the client."""
        await until(lambda: self.done >= self.count, "what was held went on", timeout=timeout)

    async def times_seen(self, count: int, timeout: float = 30) -> None:
        """Waits until the rule has meant ``count`` requests."""
        await until(lambda: self.count >= count, f"{count} requests for {self.path.pattern}", timeout=timeout)

    def release(self) -> None:
        """Lets go what is held, and whatever comes."""
        self._released.set()

    def drop(self) -> None:
        """Lets go what is held, but its connections are cut: the client hears nothing."""
        self.dropping = True
        self.release()

    def remove(self) -> None:
        if self in self.proxy.rules:
            self.proxy.rules.remove(self)
        self.release()

    def __enter__(self) -> Rule:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class _Dropped(Exception):
    """The connection to the client is to be cut without an answer."""


class Proxy:
    """Forwards everything to ``target()``, which is asked anew for each request."""

    def __init__(self, target: Callable[[], str]) -> None:
        self.target = target
        self.rules: list[Rule] = []
        self.bundles = True
        """Whether events come with their edits and threads, as Synapse sends them; many other homeservers do not."""
        self.log: list[str] = []
        """Method and path of every request."""
        self.url = ""
        self._runner: web.AppRunner | None = None
        self._http: aiohttp.ClientSession | None = None

    async def start(self, port: int = 0) -> Proxy:
        app = web.Application(client_max_size=256 * 2**20)
        app.router.add_route("*", "/{rest:.*}", self._handle)
        # The client's going away must end the forwarded request too: a long poll of a killed bot would live on.
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._http = aiohttp.ClientSession(
            auto_decompress=False, timeout=aiohttp.ClientTimeout(total=None), cookie_jar=aiohttp.DummyCookieJar(),
            connector=aiohttp.TCPConnector(limit=0, force_close=True),
        )  # fmt: skip
        return self

    async def stop(self) -> None:
        for rule in self.rules:
            rule.release()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._http is not None:
            await self._http.close()

    # ------------------------------------------------------------ rules

    def rule(
        self, what: What, method: str, path: str, *, times: int | None = None,
        also: Callable[[Seen], bool] | None = None, **options: Any,
    ) -> Rule:  # fmt: skip
        """``path`` is a regular expression, searched in path and query; the first rule that means a request acts."""
        rule = Rule(self, what, method, re.compile(path), times, also, **options)
        self.rules.append(rule)
        return rule

    def hold_before(self, method: str, path: str, **options: Any) -> Rule:
        """The server has not seen the request; reached when it came here."""
        return self.rule(What.HOLD_BEFORE, method, path, **options)

    def hold_after(self, method: str, path: str, **options: Any) -> Rule:
        """The server has acted, the client does not know yet; reached when the answer came here."""
        return self.rule(What.HOLD_AFTER, method, path, **options)

    def swallow(self, method: str, path: str, *, times: int | None = 1, **options: Any) -> Rule:
        """The server has acted; the client's connection is cut without an answer."""
        return self.rule(What.SWALLOW, method, path, times=times, **options)

    def fail(self, method: str, path: str, status: int, answer: dict[str, Any] | None = None, **options: Any) -> Rule:
        """The server sees nothing; the client gets this status and JSON."""
        return self.rule(What.ANSWER, method, path, status=status, answer=answer or {}, **options)

    def page(self, method: str, path: str, status: int, **options: Any) -> Rule:
        """The server sees nothing; the client gets a page of HTML, as from a proxy that does not pass it on."""
        page = f"<html><head><title>{status}</title></head><body><h1>{status}</h1>nginx</body></html>"
        return self.rule(What.ANSWER, method, path, status=status, page=page, **options)

    def silence(self, method: str, path: str, **options: Any) -> Rule:
        """The answer begins, and nothing of its body comes until the rule is released: a proxy that buffers."""
        return self.rule(What.SILENCE, method, path, **options)

    def counting(self, method: str, path: str, **options: Any) -> Rule:
        """Only counts; put before others, it hides nothing from them."""
        return self.rule(What.COUNT, method, path, **options)

    def forget_transactions(self) -> Rule:
        """Every send gets a transaction id that the server never saw, as if it had forgotten the others."""
        return self.rule(What.REWRITE_TXN, "PUT", _TXN.pattern)

    # ------------------------------------------------------------ forwarding

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        seen = Seen(request.method, request.raw_path, await request.read())
        self.log.append(f"{seen.method} {seen.path[:160]}")
        try:
            return await self._through_rules(request, seen)
        except (_Dropped, aiohttp.ClientError, ConnectionError):
            # What a client sees of a server that died: the connection ends.
            if request.transport is not None:
                request.transport.abort()
            raise asyncio.CancelledError from None

    async def _through_rules(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        path, acting = seen.path, None
        for rule in [rule for rule in self.rules if rule.means(seen)]:
            if acting is not None and rule.what not in (What.COUNT, What.REWRITE_TXN):
                continue
            rule.count += 1
            rule.seen.append(seen)
            if rule.what is What.COUNT:
                rule.point()
            elif rule.what is What.REWRITE_TXN:
                path = _TXN.sub(lambda found: found[1] + uuid.uuid4().hex, path)
                rule.point()
            else:
                acting = rule
        if acting is None:
            return await self._forward(request, seen, path)
        try:
            return await self._act(request, seen, path, acting)
        finally:
            acting.done += 1

    async def _act(self, request: web.Request, seen: Seen, path: str, acting: Rule) -> web.StreamResponse:
        if acting.what is What.ANSWER:
            acting.point()
            if acting.page:
                return web.Response(
                    status=acting.status, text=acting.page, content_type="text/html", headers=acting.headers
                )
            return web.json_response(acting.answer, status=acting.status, headers=acting.headers)
        if acting.what is What.HOLD_BEFORE:
            acting.point()
            await acting.released()
            return await self._forward(request, seen, path)
        return await self._forward(request, seen, path, acting)

    async def _forward(
        self, request: web.Request, seen: Seen, path: str, rule: Rule | None = None
    ) -> web.StreamResponse:
        assert self._http is not None
        plain = not self.bundles and seen.method == "GET" and BRINGS_EVENTS.search(path) is not None
        dropped = _HOP | {"accept-encoding"} if plain else _HOP
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in dropped]
        url = URL(self.target() + path, encoded=True)
        body = seen.body if seen.body or seen.method in ("POST", "PUT", "PATCH") else None
        async with self._http.request(seen.method, url, headers=headers, data=body, allow_redirects=False) as upstream:
            kept = [(name, value) for name, value in upstream.headers.items() if name.lower() not in _HOP]
            if rule is not None and rule.what is What.SILENCE:
                rule.point()
                return await self._stream(request, upstream, kept, rule)
            if rule is not None or plain:
                data = await upstream.read()
                data = without_bundles(data) if plain else data
                if rule is not None:
                    await self._answered(rule)
                answer = web.Response(status=upstream.status, body=data)
                answer.headers.clear()
                answer.headers.extend(kept)
                return answer
            return await self._stream(request, upstream, kept)

    @staticmethod
    async def _answered(rule: Rule) -> None:
        """The server's answer is here; whether and when it goes on is the rule's."""
        rule.answered += 1
        rule.point()
        if rule.what is not What.SWALLOW:
            await rule.released()
        if rule.what is What.SWALLOW or rule.dropping:
            raise _Dropped

    @staticmethod
    async def _stream(
        request: web.Request,
        upstream: aiohttp.ClientResponse,
        headers: list[tuple[str, str]],
        silence: Rule | None = None,
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=upstream.status)
        response.headers.extend(headers)
        if upstream.content_length is not None:
            response.content_length = upstream.content_length
        await response.prepare(request)
        if silence is not None:
            await silence.released()
        async for chunk in upstream.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
        return response
