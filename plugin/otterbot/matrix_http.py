"""Raw calls to the homeserver with a session of our own.

mautrix writes the body of every request into its debug log and throws ``retry_after_ms`` away, so
everything that carries people's words, and everything that is limited, goes through here. Nothing
here logs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import quote

import aiohttp
from yarl import URL

from .clock import Clock
from .errors import AnswerLost, MatrixRefused, NotAllowed, RateLimited, TooLarge

SEND_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)
READ_TIMEOUT = aiohttp.ClientTimeout(total=60, connect=10)
TYPING_TIMEOUT = aiohttp.ClientTimeout(total=5)
DOWNLOAD_TIMEOUT = aiohttp.ClientTimeout(total=120, connect=10)
UPLOAD_TIMEOUT = aiohttp.ClientTimeout(total=180, connect=10)
_LOST = (aiohttp.ClientError, TimeoutError, OSError)
_NOT_HERE = {"M_FORBIDDEN", "M_NOT_FOUND", "M_NOT_JOINED", "M_USER_DEACTIVATED", "M_UNSUPPORTED_ROOM_VERSION"}
MAX_PROBLEM = 64 * 1024
MAX_RETRY_AFTER = 600.0


class Api(Protocol):
    """What is needed of ``client.api``; both may change while the plugin runs."""

    base_url: URL
    token: str


class MatrixHttp:
    """One per plugin instance. Every method raises a :class:`~.errors.MatrixError` or answers."""

    def __init__(self, api: Api, clock: Clock | None = None) -> None:
        self._api = api
        self._clock = clock or Clock()
        self._clock.ask = self.versions
        self._session: aiohttp.ClientSession | None = None
        self._upload_limit: int | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    # -- writing -----------------------------------------------------------------------------

    async def send(self, room: str, event_type: str, content: Mapping[str, Any], txn: str) -> str:
        """Send an event, encrypted already if it has to be; its id."""
        path = f"client/v3/rooms/{quote(room, safe='')}/send/{quote(event_type, safe='')}/{quote(txn, safe='')}"
        return str((await self._call("PUT", path, SEND_TIMEOUT, json_body=content)).get("event_id", ""))

    async def redact(self, room: str, event_id: str, txn: str) -> str:
        path = f"client/v3/rooms/{quote(room, safe='')}/redact/{quote(event_id, safe='')}/{quote(txn, safe='')}"
        return str((await self._call("PUT", path, SEND_TIMEOUT, json_body={})).get("event_id", ""))

    async def typing(self, room: str, user: str, seconds: float) -> None:
        """Show for so long that ``user``, the account itself, is typing; 0: no more."""
        path = f"client/v3/rooms/{quote(room, safe='')}/typing/{quote(user, safe='')}"
        body = {"typing": True, "timeout": round(seconds * 1000)} if seconds > 0 else {"typing": False}
        await self._call("PUT", path, TYPING_TIMEOUT, json_body=body)

    async def upload(self, data: bytes, mimetype: str) -> str:
        """Upload bytes without a name (names hold words of the prompt); the ``mxc://`` address."""
        limit = await self.upload_limit()
        if limit is not None and len(data) > limit:
            raise TooLarge(f"{len(data)} bytes, the homeserver takes {limit}")
        answer = await self._call("POST", "media/v3/upload", UPLOAD_TIMEOUT, data=data, mimetype=mimetype)
        return str(answer.get("content_uri", ""))

    # -- reading -----------------------------------------------------------------------------

    async def download(self, server: str, media: str, most: int) -> bytes:
        """The bytes of ``mxc://server/media``, at most ``most`` of them: :class:`TooLarge` as soon as there are more.

        Homeservers of before 2024 know the old address only.
        """
        place = f"{quote(server, safe='')}/{quote(media, safe='')}"
        try:
            return await self._download(f"client/v1/media/download/{place}", most)
        except MatrixRefused as error:
            if error.errcode not in ("M_UNRECOGNIZED", ""):
                raise
            return await self._download(f"media/v3/download/{place}", most)

    async def _download(self, path: str, most: int) -> bytes:
        data = bytearray()
        try:
            async with self._request("GET", path, DOWNLOAD_TIMEOUT) as response:
                if response.status != 200:
                    _answer(response, await response.content.read(MAX_PROBLEM), writes=False)
                    raise AnswerLost(f"HTTP {response.status}", response.status)
                if (response.content_length or 0) > most:
                    raise TooLarge("the media")
                async for chunk in response.content.iter_any():
                    data += chunk
                    if len(data) > most:
                        raise TooLarge("the media")
        except _LOST as error:
            raise AnswerLost(type(error).__name__) from None
        return bytes(data)

    async def upload_limit(self) -> int | None:
        """Bytes; ``None`` if the homeserver names no limit. Beyond it, it resets the connection."""
        if self._upload_limit is None:
            try:
                answer = await self._call("GET", "client/v1/media/config", READ_TIMEOUT)
            except MatrixRefused:
                answer = await self._call("GET", "media/v3/config", READ_TIMEOUT)
            limit = answer.get("m.upload.size")
            self._upload_limit = limit if isinstance(limit, int) and limit > 0 else 0
        return self._upload_limit or None

    async def messages(
        self, room: str, *, start: str | None = None, limit: int = 100, event_filter: Mapping[str, Any] | None = None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of the timeline, newest first, and where the next (older) one begins."""
        query = {"dir": "b", "limit": str(limit)}
        if start is not None:
            query["from"] = start
        if event_filter is not None:
            query["filter"] = json.dumps(event_filter)
        answer = await self._look(f"client/v3/rooms/{quote(room, safe='')}/messages", query)
        chunk, end = answer.get("chunk"), answer.get("end")
        events = [event for event in chunk if isinstance(event, dict)] if isinstance(chunk, list) else []
        for event in events:
            event["room_id"] = room
        return events, end if isinstance(end, str) and end != start else None

    async def event(self, room: str, event_id: str) -> dict[str, Any]:
        """One event as it stands on the server (still encrypted)."""
        path = f"client/v3/rooms/{quote(room, safe='')}/event/{quote(event_id, safe='')}"
        return {**await self._look(path), "room_id": room}

    async def relations(
        self, room: str, event_id: str, relation: str, *, start: str | None = None, limit: int = 100
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of the events that relate to one, newest first, with their edits bundled; where the next begins."""
        query = {"dir": "b", "limit": str(limit)}
        if start is not None:
            query["from"] = start
        place = "/".join(quote(part, safe="") for part in (room, "relations", event_id, relation))
        answer = await self._look(f"client/v1/rooms/{place}", query)
        chunk, end = answer.get("chunk"), answer.get("next_batch")
        events = [event for event in chunk if isinstance(event, dict)] if isinstance(chunk, list) else []
        for event in events:
            event["room_id"] = room
        return events, end if isinstance(end, str) and end != start else None

    async def versions(self) -> Mapping[str, Any]:
        """Of the specification. The cheapest question that there is; every answer tells the homeserver's time."""
        return await self._call("GET", "client/versions", READ_TIMEOUT)

    async def joined_rooms(self) -> list[str]:
        rooms = (await self._look("client/v3/joined_rooms")).get("joined_rooms")
        return [room for room in rooms if isinstance(room, str)] if isinstance(rooms, list) else []

    async def state_event(self, room: str, event_type: str, state_key: str = "") -> dict[str, Any]:
        """A state event with sender and time; :class:`NotAllowed` if there is none."""
        path = f"client/v3/rooms/{quote(room, safe='')}/state/{quote(event_type, safe='')}/{quote(state_key, safe='')}"
        return await self._look(path, {"format": "event"})

    async def _look(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What stands on the homeserver. Only Matrix's own words are a "no": a proxy's page says nothing of it, nor
        does the refusal of our token, which is for the operator to mend."""
        try:
            return await self._call("GET", path, READ_TIMEOUT, query=query)
        except MatrixRefused as refusal:
            if refusal.errcode and refusal.status != 401:
                raise
            raise AnswerLost(f"HTTP {refusal.status}", refusal.status) from None

    # -- plumbing ----------------------------------------------------------------------------

    async def _call(
        self,
        method: str,
        path: str,
        timeout: aiohttp.ClientTimeout,
        *,
        json_body: Mapping[str, Any] | None = None,
        data: bytes | None = None,
        mimetype: str | None = None,
        query: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        headers = {} if mimetype is None else {"Content-Type": mimetype}
        try:
            async with self._request(
                method, path, timeout, query=query, json=json_body, data=data, headers=headers
            ) as response:
                self._clock.observe(response.headers.get("Date"))
                body = await response.read()
                return _answer(response, body, writes=method == "PUT")
        except _LOST as error:
            raise AnswerLost(type(error).__name__) from None

    def _request(
        self,
        method: str,
        path: str,
        timeout: aiohttp.ClientTimeout,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> Any:
        """A request as aiohttp's context manager."""
        if self._session is None:
            self._session = _session()
        url = URL(f"{str(self._api.base_url).rstrip('/')}/_matrix/{path}", encoded=True)
        return self._session.request(
            method,
            url.with_query(query) if query else url,
            headers={"Authorization": f"Bearer {self._api.token}", **(headers or {})},
            timeout=timeout,
            **body,
        )


def _session() -> aiohttp.ClientSession:
    session = aiohttp.ClientSession()
    # aiohttp sends a PUT a second time by itself when the connection ends without an answer. Whether
    # it may be sent again is for the outbox to find out; there is no public switch.
    if hasattr(session, "_retry_connection"):
        session._retry_connection = False
    return session


def _answer(response: aiohttp.ClientResponse, body: bytes, *, writes: bool) -> dict[str, Any]:
    try:
        parsed = json.loads(body) if body else {}
    except ValueError:
        parsed = None
    if 200 <= response.status < 300:
        if not isinstance(parsed, dict):
            raise AnswerLost("the answer is not JSON")
        return parsed
    fields = parsed if isinstance(parsed, dict) else {}
    errcode = fields.get("errcode")
    if writes and not errcode and response.status not in (413, 429):
        raise AnswerLost(f"HTTP {response.status}")  # a proxy's answer, not the homeserver's: nothing is final
    raise _error(response, errcode if isinstance(errcode, str) else "", fields)


def _error(response: aiohttp.ClientResponse, errcode: str, fields: Mapping[str, Any]) -> Exception:
    status = response.status
    if status == 429 or errcode == "M_LIMIT_EXCEEDED":
        return RateLimited(_retry_after(response, fields))
    if status >= 500 or status == 408:
        return AnswerLost(f"HTTP {status}", status)
    if status == 413 or errcode == "M_TOO_LARGE":
        return TooLarge(f"{status} {errcode}")
    if errcode in _NOT_HERE or status == 403:
        return NotAllowed(status, errcode)
    return MatrixRefused(status, errcode)


def _retry_after(response: aiohttp.ClientResponse, fields: Mapping[str, Any]) -> float:
    """Seconds: ``retry_after_ms`` of the body, else the header, else five."""
    waits: list[Any] = [fields.get("retry_after_ms"), response.headers.get("Retry-After")]
    for wait, unit in zip(waits, (1000.0, 1.0), strict=True):
        try:
            seconds = float(wait) / unit
        except (TypeError, ValueError):
            continue
        return min(max(seconds, 0.05), MAX_RETRY_AFTER)
    return 5.0
