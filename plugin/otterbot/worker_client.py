"""The worker's HTTP API, where statuses become the errors of :mod:`.errors`.

Owns its session (Maubot's is shared and may not be closed). Nothing here logs a body.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp

from .errors import FieldProblem, WorkerError, WorkerRefused, WorkerUnauthorized, WorkerUnreachable
from .sse import parse_stream
from .waiting import news
from .worker_types import Answer, Disconnected, Event, Info, Job, Models, Snapshot, read_event

A = TypeVar("A", bound=Answer)
_LOST = (aiohttp.ClientError, TimeoutError, OSError)
CALL = aiohttp.ClientTimeout(total=30, connect=5)
QUICK = aiohttp.ClientTimeout(total=4, connect=3)
DOWNLOAD = aiohttp.ClientTimeout(total=180, connect=5)
STREAM = aiohttp.ClientTimeout(total=None, connect=5, sock_read=40)
"""The worker sends a comment every 15 s."""
MAX_ANSWER = 64 * 1024 * 1024
BACKOFF = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where the worker is; the token is in ``token`` or in the file ``token_file``."""

    url: str
    token: str | None = None
    token_file: str | None = None
    ca_file: str | None = None


class WorkerClient:
    """One per plugin instance. Methods raise :class:`WorkerUnreachable`,
    :class:`WorkerUnauthorized` or :class:`WorkerRefused`."""

    def __init__(self, address: Callable[[], Address]) -> None:
        self._address = address
        self._session: aiohttp.ClientSession | None = None
        self._token: tuple[Address, str] | None = None
        """As its file held it; another address means another worker, which this token is nobody's to show."""
        self._ssl: tuple[str, ssl.SSLContext] | None = None
        self._info: tuple[float, Info] | None = None
        self._models: tuple[float, Models] | None = None
        self._hurry = asyncio.Event()
        self.connected = False
        """The event stream stands."""

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    # -- jobs --------------------------------------------------------------------------------

    async def submit(
        self, *, key: str, kind: str, owner: str, room: str, private: bool, request: Mapping[str, Any]
    ) -> Job:
        """The job of that key, made now or before."""
        body = {"key": key, "kind": kind, "owner": owner, "room": room, "private": private, "request": request}
        return _read(Job, await self._json("POST", "/v1/jobs", body=body))

    async def job(self, job_id: str) -> Job:
        return _read(Job, await self._json("GET", f"/v1/jobs/{quote(job_id, safe='')}"))

    async def job_by_key(self, key: str) -> Job | None:
        jobs = await self.jobs(key=key)
        return jobs[0] if jobs else None

    async def jobs(self, **query: str) -> list[Job]:
        """Jobs by ``key``, ``room`` or ``state="open"``."""
        answer = await self._json("GET", "/v1/jobs", query=query)
        found = answer.get("jobs") if isinstance(answer, dict) else None
        return [_read(Job, job) for job in found] if isinstance(found, list) else []

    async def job_list(self, **query: str) -> tuple[list[Job], int]:
        """Jobs, and how many open pictures and turns other rooms have."""
        answer = await self._json("GET", "/v1/jobs", query=query)
        source = answer if isinstance(answer, dict) else {}
        elsewhere = source.get("elsewhere")
        return [_read(Job, job) for job in source.get("jobs") or []], elsewhere if isinstance(elsewhere, int) else 0

    async def cancel(self, job_id: str) -> None:
        """Nothing happens if it is over or unknown."""
        try:
            await self._json("DELETE", f"/v1/jobs/{quote(job_id, safe='')}")
        except WorkerRefused as refusal:
            if not refusal.not_found:
                raise

    # -- pictures ----------------------------------------------------------------------------

    async def image(self, image_id: str) -> bytes:
        return await self._bytes("GET", f"/v1/images/{quote(image_id, safe='')}", DOWNLOAD)

    async def thumbnail(self, image_id: str) -> bytes:
        return await self._bytes("GET", f"/v1/images/{quote(image_id, safe='')}/thumbnail", DOWNLOAD)

    async def delivered(self, image_id: str) -> None:
        """It stands in the room. Harmless to repeat; a worker that has forgotten it does not mind."""
        await self._forgiving("POST", f"/v1/images/{quote(image_id, safe='')}/delivered")

    async def delete_image(self, image_id: str) -> None:
        await self._forgiving("DELETE", f"/v1/images/{quote(image_id, safe='')}")

    async def _forgiving(self, method: str, path: str) -> None:
        try:
            await self._bytes(method, path, CALL)
        except WorkerRefused as refusal:
            if not refusal.not_found:
                raise

    # -- what it is --------------------------------------------------------------------------

    async def info(self, max_age: float = 0.0) -> Info:
        """What the worker is and does, not older than ``max_age`` seconds."""
        if self._info is None or time.monotonic() - self._info[0] > max_age:
            self._info = time.monotonic(), _read(Info, await self._json("GET", "/v1/info", timeout=QUICK))
        return self._info[1]

    async def models(self, max_age: float = 300.0) -> Models:
        """The catalogue, not older than ``max_age``; the last known one if the worker is away."""
        if self._models is None or time.monotonic() - self._models[0] > max_age:
            try:
                self._models = time.monotonic(), _read(Models, await self._json("GET", "/v1/models", timeout=QUICK))
            except WorkerUnreachable:
                if self._models is None:
                    raise
        return self._models[1]

    @property
    def known_models(self) -> Models | None:
        """The last catalogue that was seen, without asking."""
        return None if self._models is None else self._models[1]

    # -- the stream --------------------------------------------------------------------------

    def hurry(self) -> None:
        """The worker has answered something: connect to the stream at once."""
        self._hurry.set()

    async def events(self) -> AsyncIterator[Event]:
        """All events for ever. Begins with a :class:`Snapshot` after each connection and says
        :class:`Disconnected` after each end (and after the first failure to connect)."""
        failures = 0
        while True:
            unauthorized = False
            try:
                async for event in self._stream():
                    failures = 0
                    yield event
            except WorkerUnauthorized:
                unauthorized = True
                self._token = None  # it may have been renewed in its file
            except (WorkerError, *_LOST):
                pass
            self.connected = False
            yield Disconnected(unauthorized=unauthorized)
            wait = BACKOFF[min(failures, len(BACKOFF) - 1)]
            failures += 1
            self._hurry.clear()
            await news(self._hurry, wait)

    async def _stream(self) -> AsyncIterator[Event]:
        async with self._open("GET", "/v1/events", STREAM, headers={"Accept": "text/event-stream"}) as response:
            if response.status != 200:
                await _raise(response)
            async for name, data in parse_stream(response.content.iter_any()):
                try:
                    event = read_event(name, json.loads(data))
                except (TypeError, ValueError):
                    continue  # a newer worker's idea of an event
                if isinstance(event, Snapshot):
                    self.connected = True
                if event is not None:
                    yield event

    # -- plumbing ----------------------------------------------------------------------------

    def _open(
        self,
        method: str,
        path: str,
        timeout: aiohttp.ClientTimeout,
        *,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession(auto_decompress=True)
        address = self._address()
        return self._session.request(
            method,
            address.url + path,
            json=body,
            params=query,
            timeout=timeout,
            headers={**(headers or {}), "Authorization": f"Bearer {self._read_token(address)}"},
            ssl=self._context(address),
        )

    def _read_token(self, address: Address) -> str:
        if address.token:
            return address.token
        if not address.token_file:
            return ""
        if self._token is None or self._token[0] != address:
            try:
                self._token = address, Path(address.token_file).expanduser().read_text().strip()
            except (OSError, ValueError):
                return ""
        return self._token[1]

    def _context(self, address: Address) -> ssl.SSLContext | bool:
        if not address.ca_file:
            return True
        if self._ssl is None or self._ssl[0] != address.ca_file:
            try:
                self._ssl = address.ca_file, ssl.create_default_context(cafile=address.ca_file)
            except OSError as error:
                raise WorkerUnreachable("worker.ca_file cannot be read") from error
        return self._ssl[1]

    async def _bytes(
        self, method: str, path: str, timeout: aiohttp.ClientTimeout, *, body: Any = None, query: Any = None
    ) -> bytes:
        try:
            async with self._open(method, path, timeout, body=body, query=query) as response:
                if response.status >= 300:
                    await _raise(response)
                if (response.content_length or 0) > MAX_ANSWER:
                    raise WorkerUnreachable("the answer is too large")
                data: bytes = await response.read()
                return data
        except WorkerUnauthorized:
            self._token = None
            raise
        except _LOST as error:
            raise WorkerUnreachable(type(error).__name__) from None

    async def _json(
        self, method: str, path: str, *, body: Any = None, query: Any = None, timeout: aiohttp.ClientTimeout = CALL
    ) -> Any:
        data = await self._bytes(method, path, timeout, body=body, query=query)
        try:
            return json.loads(data) if data else {}
        except ValueError:
            raise WorkerUnreachable("the answer is not JSON") from None


def _read(kind: type[A], data: Any) -> A:
    try:
        return kind.read(data)
    except TypeError:
        raise WorkerUnreachable("the answer is not the worker's") from None


async def _raise(response: aiohttp.ClientResponse) -> None:
    status = response.status
    if status in (401, 403):
        raise WorkerUnauthorized(str(status))
    try:
        problem = json.loads(await response.read())
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    code = problem.get("code")
    # 507 is a refusal with a sentence; every other 5xx is a worker in trouble.
    if (status >= 500 and status != 507) or not isinstance(code, str):
        raise WorkerUnreachable(f"HTTP {status}")
    detail = problem.get("detail")
    fields = problem.get("fields")
    raise WorkerRefused(
        status,
        code,
        detail=detail if isinstance(detail, str) else None,
        fields=tuple(_field(item) for item in fields if isinstance(item, dict)) if isinstance(fields, list) else (),
    )


def _field(item: Mapping[str, Any]) -> FieldProblem:
    return FieldProblem(*(str(item.get(name, "")) for name in ("field", "code", "message")))
