"""HTTP with the worker: session, token, certificate, and statuses that become the errors of :mod:`..errors`.

Owns its session (Maubot's is shared and may not be closed). Never logs a body, and limits the size of every answer: a
router's login page may be at that address.
"""

from __future__ import annotations

import io
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from .. import numeric
from ..clock import Clock
from ..errors import FieldProblem, WorkerForeign, WorkerRefused, WorkerUnauthorized, WorkerUnreachable

bytes_ = bytes
"""The type bytes, where a method has this name."""
LOST = (aiohttp.ClientError, TimeoutError, OSError)
CALL = aiohttp.ClientTimeout(total=30, connect=5)
MAX_ANSWER = 64 * 1024 * 1024
MAX_PROBLEM = 256 * 1024


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where the worker is; the token is in ``token`` or in the file ``token_file``."""

    url: str
    token: str | None = None
    token_file: str | None = None
    ca_file: str | None = None


class WorkerHttp:
    """Methods raise :class:`WorkerUnreachable`, :class:`WorkerUnauthorized` or :class:`WorkerRefused`."""

    def __init__(self, address: Callable[[], Address]) -> None:
        self._address = address
        self.clock = Clock()
        """The worker's clock, by which it states the end of a pause."""
        self._session: aiohttp.ClientSession | None = None
        self._token: tuple[Address, str] | None = None
        """The token as read from its file, with its address: it must not be sent to another one."""
        self._ssl: tuple[str, ssl.SSLContext] | None = None

    @property
    def address(self) -> Address:
        """Where calls go now; the operator may change it at any time."""
        return self._address()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def forget_token(self) -> None:
        """The worker refused the token: read its file again, it may have been renewed."""
        self._token = None

    def open(
        self,
        method: str,
        path: str,
        timeout: aiohttp.ClientTimeout,
        *,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        data: io.BytesIO | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        """A request as aiohttp's context manager. Redirects are not followed: prompts go to this address only."""
        if self._session is None:
            self._session = aiohttp.ClientSession(auto_decompress=True)
        address = self._address()
        return self._session.request(
            method,
            address.url + path,
            json=body,
            data=data,
            params=query,
            timeout=timeout,
            headers={**(headers or {}), "Authorization": f"Bearer {self._read_token(address)}"},
            ssl=self._context(address),
            allow_redirects=False,
        )

    async def bytes(
        self, method: str, path: str, timeout: aiohttp.ClientTimeout, *, body: Any = None, query: Any = None
    ) -> bytes_:
        return await self._bytes(method, path, timeout, body=body, query=query)

    async def upload(
        self,
        path: str,
        data: bytes_,
        mimetype: str,
        timeout: aiohttp.ClientTimeout,
        *,
        query: Mapping[str, str],
        headers: Mapping[str, str],
    ) -> Any:
        """Send bytes; the JSON of the answer."""
        headers = {**headers, "Content-Type": mimetype}
        # As a file: aiohttp writes large bytes in one go and blocks the loop meanwhile.
        file = io.BytesIO(data)
        return _parsed(await self._bytes("POST", path, timeout, data=file, query=query, headers=headers))

    async def _bytes(self, method: str, path: str, timeout: aiohttp.ClientTimeout, **what: Any) -> bytes_:
        try:
            async with self.open(method, path, timeout, **what) as response:
                self.clock.observe(response.headers.get("Date"))
                if response.status >= 300:
                    await refuse(response)
                return await read_body(response, MAX_ANSWER)
        except WorkerUnauthorized:
            self.forget_token()
            raise
        except LOST as error:
            raise WorkerUnreachable(type(error).__name__) from None

    async def done(self, method: str, path: str, *, query: Mapping[str, str] | None = None) -> None:
        """A call without content in its answer. A page with content is not the worker's."""
        if await self._bytes(method, path, CALL, query=query):
            raise WorkerForeign("an answer where there is none")

    async def json(
        self, method: str, path: str, *, body: Any = None, query: Any = None, timeout: aiohttp.ClientTimeout = CALL
    ) -> Any:
        return _parsed(await self.bytes(method, path, timeout, body=body, query=query))

    def _read_token(self, address: Address) -> str:
        token = address.token or self._token_of_file(address)
        if not token.isascii() or not token.isprintable() or " " in token:
            raise WorkerUnauthorized("the token has to be one word")  # it cannot be put into a header
        return token

    def _token_of_file(self, address: Address) -> str:
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


def _parsed(data: bytes) -> Any:
    try:
        return numeric.parse(data)
    except ValueError:
        raise WorkerForeign("the answer is not JSON") from None


async def read_body(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The body, if it has at most ``most`` bytes; raises :class:`WorkerUnreachable` as soon as it has more."""
    if (response.content_length or 0) > most:
        raise WorkerUnreachable("the answer is too large")
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > most:
            raise WorkerUnreachable("the answer is too large")
    return bytes(data)


async def refuse(response: aiohttp.ClientResponse) -> None:
    """Raise what a status beyond 2xx means."""
    status = response.status
    try:
        problem = numeric.parse(await read_body(response, MAX_PROBLEM))
    except ValueError:
        problem = {}
    if not isinstance(problem, dict):
        problem = {}
    code = problem.get("code")
    # 507 is a refusal with a sentence; every other 5xx comes from a broken worker, or a proxy that does not reach it.
    if status >= 500 and (status != 507 or not isinstance(code, str)):
        raise WorkerUnreachable(f"HTTP {status}")
    if status == 401 and response.content_type != "text/html":
        raise WorkerUnauthorized(str(status))
    if not isinstance(code, str):
        raise WorkerForeign(f"HTTP {status} without a problem document")
    if status in (401, 403):
        raise WorkerUnauthorized(str(status))
    detail = problem.get("detail")
    fields = problem.get("fields")
    raise WorkerRefused(
        status,
        code,
        detail=detail if isinstance(detail, str) else None,
        fields=tuple(_field(item) for item in fields if isinstance(item, dict)) if isinstance(fields, list) else (),
    )


def _field(item: Mapping[str, Any]) -> FieldProblem:
    field, code, message = (str(item.get(name, "")) for name in ("field", "code", "message"))
    details = item.get("details")
    return FieldProblem(field, code, message, details if isinstance(details, dict) else {})
