"""HTTP to an Ollama server: short questions, and the one long request whose headers come with the first token.

Not the official client: that one splits lines like ``str.splitlines``, and Ollama sends U+0085 raw. Leaving a call
(cancellation, time-out) closes its connection, which stops the server: a load is aborted, an answer ends.
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
from .. import sight, too_long
from ..failures import broke_off, refused, stalled, unreachable
from ..turn import NoFirstToken
from . import failures
from .settings import OllamaSettings

_MAX_REPLY = 8 * 1024 * 1024
_MAX_ERROR = 65_536


class Http:
    """One server, used from one event loop. Failures are `JobFailed`."""

    def __init__(self, settings: OllamaSettings, log: logging.Logger) -> None:
        self._settings = settings
        self._url = settings.url.rstrip("/")
        self._log = log
        self._session: aiohttp.ClientSession | None = None
        self._known_away = False

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._settings.short_timeout)
            # A kept connection may be one that a restarted server has closed; a new one to the next room is free.
            connector = aiohttp.TCPConnector(force_close=True)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False)
        return self._session

    # ------------------------------------------------------------ short questions

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A question that is answered at once, with one JSON object.

        Raises ``ollama_unreachable`` where nobody answers or somebody else does, ``chat_failed`` where Ollama refuses.
        """
        try:
            async with (
                asyncio.timeout(self._settings.short_timeout),
                self._client().request(method, self._url + path, json=body, allow_redirects=False) as response,
            ):
                status, data = response.status, await response.content.read(-1)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self.unreachable(error) from None
        self._known_away = False
        if not data and status == 200:
            return {}
        try:
            answer = json.loads(data[:_MAX_REPLY])
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or (status != 200 and not isinstance(answer.get("error"), str)):
            self._log.warning("what answers at %s is no Ollama (HTTP %d)", self._url, status)
            raise failures.not_ollama(status)
        if status != 200:
            self._log.info("Ollama answered %s with %d", path, status)
            raise refused(failures.NAME, status)
        return answer

    def unreachable(self, error: BaseException) -> JobFailed:
        # Once, not at every look: a server that is off is normal, and is asked for every few seconds.
        level = logging.DEBUG if self._known_away else logging.WARNING
        self._known_away = True
        self._log.log(level, "Ollama at %s cannot be reached: %s", self._url, type(error).__name__)
        failure = unreachable(failures.NAME)
        if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientConnectorDNSError):
            failure.details["reason"] = "not_running"
        return failure

    # ------------------------------------------------------------ chats and loads

    @asynccontextmanager
    async def chat(self, body: Mapping[str, Any], *, patience: float) -> AsyncIterator[aiohttp.ClientResponse]:
        """``POST /api/chat`` up to the headers, which come with the first token or the end of a load.

        Raises `TooLong`, `CannotSee`, `NoFirstToken` after ``patience`` seconds, and `JobFailed`.
        """
        try:
            async with asyncio.timeout(patience):
                response = await self._client().post(f"{self._url}/api/chat", json=body, allow_redirects=False)
        except aiohttp.ClientError as error:
            raise self.unreachable(error) from None
        except TimeoutError:
            raise NoFirstToken from None
        try:
            if response.status != 200:
                await self._refuse(
                    response, str(body["model"]), pictures=sight.pictures_in(body.get("messages", ())) > 0
                )
            yield response
        except aiohttp.ClientError as error:
            self._log.warning("the chat's connection broke: %s", type(error).__name__)
            raise broke_off() from None
        except TimeoutError:
            raise stalled(self._settings.chunk_timeout) from None
        finally:
            response.close()

    async def _refuse(self, response: aiohttp.ClientResponse, model: str, *, pictures: bool) -> None:
        async with asyncio.timeout(self._settings.short_timeout):
            data = await response.content.read(_MAX_ERROR)
        try:
            error = json.loads(data)["error"]
        except (ValueError, KeyError, TypeError):
            raise failures.not_ollama(response.status) from None
        text = error if isinstance(error, str) else json.dumps(error)
        if pictures and response.status in (400, 500) and sight.speaks_of_pictures(text):
            raise sight.CannotSee
        raise too_long.in_words(text) or failures.from_answer(response.status, text, model=model)
