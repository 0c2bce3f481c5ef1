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

from ..clock import Clock
from ..errors import AnswerLost, MatrixRefused, TooLarge, UploadRefused
from . import http_answers, mxc

SEND_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=10)
READ_TIMEOUT = aiohttp.ClientTimeout(total=60, connect=10)
TYPING_TIMEOUT = aiohttp.ClientTimeout(total=5)
DOWNLOAD_TIMEOUT = aiohttp.ClientTimeout(total=120, connect=10)
UPLOAD_TIMEOUT = aiohttp.ClientTimeout(total=180, connect=10)
SYNC_TIMEOUT = aiohttp.ClientTimeout(total=180, connect=10)
_LOST = (aiohttp.ClientError, TimeoutError, OSError)
MAX_PROBLEM = 64 * 1024
UNKNOWN = (404, 405, 501)
"""Statuses of a homeserver, or of a proxy before it, that does not know an address."""


class Api(Protocol):
    """The part of ``client.api`` that is used; its values may change while the plugin runs."""

    base_url: URL
    token: str


class MatrixHttp:
    """One per plugin instance. Every method raises a :class:`~..errors.MatrixError` or answers."""

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
        path = f"client/v3/{_place('rooms', room, 'send', event_type, txn)}"
        return http_answers.event_id(await self._call("PUT", path, SEND_TIMEOUT, json_body=content))

    async def redact(self, room: str, event_id: str, txn: str) -> str:
        path = f"client/v3/{_place('rooms', room, 'redact', event_id, txn)}"
        return http_answers.event_id(await self._call("PUT", path, SEND_TIMEOUT, json_body={}))

    async def typing(self, room: str, user: str, seconds: float) -> None:
        """Show for ``seconds`` that ``user``, the account itself, is typing; 0: stop."""
        path = f"client/v3/{_place('rooms', room, 'typing', user)}"
        body = {"typing": True, "timeout": round(seconds * 1000)} if seconds > 0 else {"typing": False}
        await self._call("PUT", path, TYPING_TIMEOUT, json_body=body)

    async def upload(self, data: bytes, mimetype: str) -> str:
        """Upload bytes without a name (names hold words of the prompt); the ``mxc://`` address."""
        limit = await self.upload_limit()
        if limit is not None and len(data) > limit:
            raise TooLarge(f"{len(data)} bytes, the homeserver takes {limit}")
        try:
            answer = await self._call("POST", "media/v3/upload", UPLOAD_TIMEOUT, data=data, mimetype=mimetype)
        except TooLarge as error:
            if error.errcode and limit is not None:  # the file is small enough, so the quota for all files is exceeded
                raise UploadRefused(413, error.errcode) from None
            raise
        except MatrixRefused as refusal:
            if refusal.errcode == "M_UNRECOGNIZED":  # every homeserver has this endpoint, so it is under maintenance
                raise AnswerLost(refusal.errcode, refusal.status) from None
            raise UploadRefused(refusal.status, refusal.errcode) from None
        uri = answer.get("content_uri")
        if mxc.parse(uri) is None:
            raise AnswerLost("an answer without content_uri")
        return str(uri)

    # -- reading -----------------------------------------------------------------------------

    async def download(self, server: str, media: str, most: int) -> bytes:
        """The bytes of ``mxc://server/media``, at most ``most`` of them: :class:`TooLarge` as soon as there are more.

        Homeservers of before 2024 know the old address only.
        """
        if mxc.parse(f"mxc://{server}/{media}") is None:
            raise MatrixRefused(400, "M_INVALID_PARAM")
        place = _place(server, media)
        try:
            return await self._download(f"client/v1/media/download/{place}", most)
        except MatrixRefused as error:
            if error.errcode != "M_UNRECOGNIZED":
                raise
        except AnswerLost as lost:
            if lost.status not in UNKNOWN:
                raise
            try:
                return await self._download(f"media/v3/download/{place}", most)
            except MatrixRefused:  # the old endpoint does not serve new media, so its refusal means nothing
                raise lost from None
        return await self._download(f"media/v3/download/{place}", most)

    async def _download(self, path: str, most: int) -> bytes:
        data = bytearray()
        try:
            async with self._request("GET", path, DOWNLOAD_TIMEOUT) as response:
                if response.status != 200:
                    http_answers.read(response, await response.content.read(MAX_PROBLEM))
                    raise AnswerLost(f"HTTP {response.status}", response.status)
                if (response.content_length or 0) > most:
                    raise TooLarge("the media")
                async for chunk in response.content.iter_any():
                    data += chunk
                    if len(data) > most:
                        raise TooLarge("the media")
                if response.content_type == "text/html" and data.lstrip()[:1] == b"<":
                    raise AnswerLost("a page in place of the media", response.status)
        except _LOST as error:
            raise AnswerLost(type(error).__name__) from None
        return bytes(data)

    async def upload_limit(self) -> int | None:
        """Bytes; ``None`` if the homeserver names no limit. Beyond it, it resets the connection."""
        if self._upload_limit is None:
            for path in ("client/v1/media/config", "media/v3/config"):
                try:
                    answer = await self._call("GET", path, READ_TIMEOUT)
                except MatrixRefused:
                    continue
                except AnswerLost as lost:
                    if lost.status not in UNKNOWN:
                        raise
                    continue
                limit = answer.get("m.upload.size")
                self._upload_limit = limit if isinstance(limit, int) and limit > 0 else 0
                break
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
        path = f"client/v3/{_place('rooms', room, 'messages')}"
        answer = await self._call("GET", path, READ_TIMEOUT, query=query)
        chunk, end = http_answers.listed(answer, "chunk"), answer.get("end")
        events = [event for event in chunk if isinstance(event, dict)]
        for event in events:
            event["room_id"] = room
        return events, end if isinstance(end, str) and end != start else None

    async def event(self, room: str, event_id: str) -> dict[str, Any]:
        """One event as it stands on the server (still encrypted)."""
        path = f"client/v3/{_place('rooms', room, 'event', event_id)}"
        return {**http_answers.event(await self._call("GET", path, READ_TIMEOUT)), "room_id": room}

    async def relations(
        self, room: str, event_id: str, relation: str, *, start: str | None = None, limit: int = 100
    ) -> tuple[list[dict[str, Any]], str | None]:
        """A page of the events that relate to one, newest first, with their edits bundled; where the next begins."""
        query = {"dir": "b", "limit": str(limit)}
        if start is not None:
            query["from"] = start
        path = f"client/v1/{_place('rooms', room, 'relations', event_id, relation)}"
        answer = await self._call("GET", path, READ_TIMEOUT, query=query)
        chunk, end = http_answers.listed(answer, "chunk"), answer.get("next_batch")
        events = [event for event in chunk if isinstance(event, dict)]
        for event in events:
            event["room_id"] = room
        return events, end if isinstance(end, str) and end != start else None

    async def versions(self) -> Mapping[str, Any]:
        """Supported versions of the specification. The cheapest call; every answer tells the homeserver's time."""
        return await self._call("GET", "client/versions", READ_TIMEOUT)

    async def joined_rooms(self) -> list[str]:
        answer = await self._call("GET", "client/v3/joined_rooms", READ_TIMEOUT)
        return [room for room in http_answers.listed(answer, "joined_rooms") if isinstance(room, str)]

    async def state_event(self, room: str, event_type: str, state_key: str = "") -> dict[str, Any]:
        """A state event with sender and time; :class:`NotAllowed` if there is none. Homeservers that do not know
        ``format=event`` give its content alone, which is put where it belongs."""
        place = _place("rooms", room, "state", event_type, *([state_key] if state_key else []))
        found = await self._call("GET", f"client/v3/{place}", READ_TIMEOUT, query={"format": "event"})
        return found if isinstance(found.get("content"), Mapping) else {"content": found}

    async def first_sync(self, room_filter: Mapping[str, Any]) -> dict[str, Any]:
        """An initial sync through ``room_filter``.

        It has no sync token, so the homeserver keeps to-device events for the real sync.
        """
        nothing: dict[str, Any] = {"types": []}
        wanted = {"room": room_filter, "presence": nothing, "account_data": nothing}
        query = {"filter": json.dumps(wanted), "timeout": "0", "set_presence": "offline"}
        return http_answers.sync(await self._call("GET", "client/v3/sync", SYNC_TIMEOUT, query=query))

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
                return http_answers.read(response, body)
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
        """A request as aiohttp's context manager. No redirect is followed: the token goes to this address only."""
        if self._session is None:
            self._session = _session()
        url = URL(f"{str(self._api.base_url).rstrip('/')}/_matrix/{path}", encoded=True)
        return self._session.request(
            method,
            url.with_query(query) if query else url,
            headers={"Authorization": f"Bearer {self._api.token}", **(headers or {})},
            timeout=timeout,
            allow_redirects=False,
            **body,
        )


def _place(*parts: str) -> str:
    """A path of ids that may come out of anybody's event. Dots alone would lead elsewhere, however they are written:
    proxies and clients resolve them."""
    if any(part in ("", ".", "..") for part in parts):
        raise MatrixRefused(400, "M_INVALID_PARAM")
    return "/".join(quote(part, safe="") for part in parts)


def _session() -> aiohttp.ClientSession:
    session = aiohttp.ClientSession()
    # aiohttp sends a PUT a second time by itself when the connection ends without an answer. Whether
    # it may be sent again is for the outbox to find out; there is no public switch.
    if hasattr(session, "_retry_connection"):
        session._retry_connection = False
    return session
