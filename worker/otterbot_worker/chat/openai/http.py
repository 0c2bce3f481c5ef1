"""HTTP to an OpenAI-compatible server: the list of models, and the one long request that streams.

Leaving a call (cancellation, time-out) closes its connection, which stops the server. The key goes into one header and
nowhere else; what the server says in an error is read for what it means, and never passed on.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from ...errors import JobFailed
from ..failures import broke_off, unreachable
from ..turn import NoFirstToken
from . import failures
from .failures import Asked, ServerRefused
from .home import HomeResolver, LeavesHome
from .settings import OpenAISettings

MAX_REPLY = 8 * 1024 * 1024
MAX_ERROR = 65_536


class Http:
    """One server, used from one event loop."""

    def __init__(self, settings: OpenAISettings, log: logging.Logger) -> None:
        self._settings = settings
        self._log = log
        self._session: aiohttp.ClientSession | None = None
        self._known_away = False

    def asked(self, model: str = "") -> Asked:
        return Asked(name=self._settings.name, with_key=self._settings.key is not None, model=model)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._settings.short_timeout)
            resolver = HomeResolver() if self._settings.at_home else None
            # A kept connection may be one that a restarted server has closed.
            connector = aiohttp.TCPConnector(force_close=True, resolver=resolver)
            key = self._settings.key
            headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=timeout,
                headers=headers,
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    async def ask(self, path: str) -> dict[str, Any]:
        """``GET`` of one JSON object, which a healthy server answers at once. :raises JobFailed:"""
        try:
            async with (
                asyncio.timeout(self._settings.short_timeout),
                self._client().get(self._settings.base + path, allow_redirects=False) as response,
            ):
                status, answer = response.status, _json(await bounded(response, MAX_REPLY))
                retry_after = response.headers.get("Retry-After")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self.unreachable(error) from None
        self._known_away = False
        if status != 200:
            self._log.info("%s answered %s with HTTP %d", self._settings.name, path, status)
            raise failures.from_answer(ServerRefused(status, answer, retry_after), self.asked())
        if not isinstance(answer, dict):
            raise failures.wrong_address(self._settings.name, status)
        return answer

    def unreachable(self, error: BaseException) -> JobFailed:
        # Once, not at every look: a server that is off is normal, and is asked for every few seconds.
        level = logging.DEBUG if self._known_away else logging.WARNING
        self._known_away = True
        self._log.log(level, "the chat server cannot be reached: %s", type(error).__name__)
        if isinstance(error, aiohttp.ClientConnectorDNSError) and isinstance(error.os_error, LeavesHome):
            return failures.outside(self._settings.name)
        return unreachable(self._settings.name)

    @asynccontextmanager
    async def chat(self, body: Mapping[str, Any], *, patience: float) -> AsyncIterator[aiohttp.ClientResponse]:
        """``POST /chat/completions`` up to the headers.

        :raises ServerRefused: :raises NoFirstToken: after ``patience`` seconds :raises JobFailed:
        """
        url = f"{self._settings.base}/chat/completions"
        try:
            async with asyncio.timeout(patience):
                response = await self._client().post(url, json=body, allow_redirects=False)
        except aiohttp.ClientError as error:
            raise self.unreachable(error) from None
        except TimeoutError:
            raise NoFirstToken from None
        try:
            if response.status != 200:
                await self._refuse(response)
            yield response
        except aiohttp.ClientError as error:
            self._log.warning("the chat's connection broke: %s", type(error).__name__)
            raise broke_off() from None
        finally:
            response.close()

    async def _refuse(self, response: aiohttp.ClientResponse) -> None:
        """:raises ServerRefused:"""
        answer = None
        try:
            async with asyncio.timeout(self._settings.short_timeout):
                answer = _json(await bounded(response, MAX_ERROR))
        except (TimeoutError, aiohttp.ClientError):
            pass  # the status says enough
        raise ServerRefused(response.status, answer, response.headers.get("Retry-After"))


async def bounded(response: aiohttp.ClientResponse, most: int) -> bytes:
    """What comes, up to ``most`` bytes: beyond that it is no answer that anybody waits for."""
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > most:
            break
    return bytes(data[:most])


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
