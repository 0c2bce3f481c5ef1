"""Input pictures: finds the message that shows one, reads its bytes, and sends them to the worker.

Only the event's id is stored, never a URL or a key: the event is read (and decrypted) again whenever the bytes are
needed. The worker identifies a picture by its hash, so sending it twice is harmless, and a crash in between only
repeats it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from .. import texts
from ..errors import AnswerLost, MatrixRefused, TooLarge, WorkerRefused
from ..matrix import mxc
from ..matrix.encryption import Encryption, KeyMissing
from ..matrix.http import MatrixHttp
from ..store.rows import Request
from ..worker.client import WorkerClient
from ..worker.info import Info
from ..worker.jobs import Input
from .active import CannotAsk
from .image_check import sniff
from .start_places import start_event, start_room

MOST = 20_000_000
"""Bytes of a picture; the worker's limit may be lower."""
TYPES = frozenset({"image/png", "image/jpeg", "image/jpg", "image/pjpeg", "image/webp", "image/gif", "image/apng"})
FEATURE = "img2img"
HOLES = "inpaint"
STEERS = "control"
DESCRIBES = "describe"
PLACES = ("init_image", "mask", "control", "picture")
"""Fields of a request that name pictures; all of them name the same one."""
AT_ONCE = 2
"""Pictures in memory at the same time, however many requests are resumed."""
KEY_PATIENCE = 10.0
"""Seconds to wait for the room key of a picture's message at submission."""
INFO_SECONDS = 60.0
"""Seconds for which the worker's limits are believed."""
MOST_SHOWN = 1_000
TRIES = 8
"""Tries to fetch a picture that the homeserver cannot deliver; about a minute in all."""


class NoStart(Exception):
    """The message has no usable picture; the text is a sentence for people."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a picture's bytes lie. ``key``, ``iv`` and ``digest`` (unpadded base64) if they are encrypted."""

    server: str
    media: str
    secrets: tuple[str, str, str] | None = None

    def __repr__(self) -> str:
        return "Source(…)"  # the key must not get into a log


def source_of(event: Mapping[str, Any], most: int = MOST) -> Source | None:
    """The picture in a decrypted event; ``None`` for an event without media. Raises :class:`NoStart`."""
    content = event.get("content")
    if _deleted(event):
        raise NoStart(texts.START_DELETED)
    if not isinstance(content, Mapping):
        return None
    kind = "m.sticker" if event.get("type") == "m.sticker" else content.get("msgtype")
    if kind not in ("m.image", "m.sticker", "m.file", "m.video", "m.audio"):
        return None
    info = content.get("info")
    info = info if isinstance(info, Mapping) else {}
    mimetype, size = info.get("mimetype"), info.get("size")
    named = isinstance(mimetype, str) and mimetype.lower().partition(";")[0].strip() in TYPES
    # An image event's MIME type may be missing or wrong; for a file event it is the only hint.
    if kind in ("m.video", "m.audio") or (not named and (kind == "m.file" or isinstance(mimetype, str))):
        raise NoStart(texts.START_NO_PICTURE)
    if isinstance(size, int) and size > most:
        raise NoStart(texts.start_too_large(most))
    return place_of(content)


def _deleted(event: Mapping[str, Any]) -> bool:
    unsigned = event.get("unsigned")
    return "redacted_because" in event or (isinstance(unsigned, Mapping) and "redacted_because" in unsigned)


def place_of(content: Mapping[str, Any]) -> Source:
    file = content.get("file")
    url = file.get("url") if isinstance(file, Mapping) else content.get("url")
    found = mxc.parse(url)
    if found is None:
        raise NoStart(texts.START_UNREADABLE)
    secrets: tuple[str, str, str] | None = None
    if isinstance(file, Mapping):
        key, hashes = file.get("key"), file.get("hashes")
        wanted = (
            key.get("k") if isinstance(key, Mapping) else None,
            hashes.get("sha256") if isinstance(hashes, Mapping) else None,
            file.get("iv"),
        )
        if not all(isinstance(part, str) and part.isascii() for part in wanted):
            raise NoStart(texts.START_UNREADABLE)
        secrets = (str(wanted[0]), str(wanted[1]), str(wanted[2]))
    return Source(server=found[0], media=found[1], secrets=secrets)


async def look(
    http: MatrixHttp, encryption: Encryption, room: str, event_id: str, *, patience: float, most: int = MOST
) -> Source | None:
    """The picture of an event of the room; ``None`` for an event without media. Raises as :func:`look_at`."""
    return source_of(await look_at(http, encryption, room, event_id, patience=patience), most)


async def look_at(
    http: MatrixHttp, encryption: Encryption, room: str, event_id: str, *, patience: float
) -> Mapping[str, Any]:
    """An event of the room, decrypted.

    Raises :class:`NoStart`, and a :class:`~..errors.MatrixError` if the homeserver does not answer.
    """
    try:
        raw = await http.event(room, event_id)
    except MatrixRefused:
        raise NoStart(texts.START_UNREADABLE) from None
    if _deleted(raw):
        raise NoStart(texts.START_DELETED)
    try:
        readable = await encryption.readable(raw)
    except KeyMissing as missing:
        if not await encryption.wait_for_key(room, missing.session_id, patience):
            raise NoStart(texts.START_UNREADABLE) from None
        try:
            readable = await encryption.readable(raw)
        except KeyMissing:
            raise NoStart(texts.START_UNREADABLE) from None
    if readable is None:
        raise NoStart(texts.START_UNREADABLE)
    return readable


class Starts:
    """Sends pictures to the worker. One per plugin instance; remembers their ids until the requests end."""

    def __init__(self, http: MatrixHttp, encryption: Encryption, worker: WorkerClient) -> None:
        self._http = http
        self._encryption = encryption
        self._worker = worker
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._own_turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """One lock per person: a person's slow pictures take only one of the places."""
        self._ids: dict[str, Input] = {}
        self._shown: OrderedDict[tuple[str, str], str] = OrderedDict()
        """Ids at the worker of pictures in conversations, by room and event: each turn shows them again."""
        self._brought: dict[str, int] = {}
        self._failures: dict[str, int] = {}

    async def body(self, request: Request) -> dict[str, Any] | None:
        """The request's body for the worker, with the id of the picture, which is sent first.

        Raises :class:`~.active.CannotAsk`, and what the worker and the homeserver raise for now.
        """
        body = request.body if request.resolved is None else request.resolved
        event_id = start_event(request.body)
        if body is None or event_id is None:
            return body
        if request.key not in self._ids:
            own_turn = self._own_turns.setdefault(request.sender, asyncio.Lock())
            async with own_turn, self._slots:
                self._ids[request.key] = await self._bring(request, event_id)
        found = self._ids[request.key]
        if body.get("mask") is not None and not found.alpha:
            raise CannotAsk(f"❌ {texts.INPAINT_NO_HOLES}")
        return {name: _brought(value, found) if name in PLACES else value for name, value in body.items()}

    async def shown(self, request: Request, event_id: str) -> str:
        """The id of a picture of a conversation, which was there when it was last heard of. Raises as :meth:`body`."""
        place = request.origin, event_id
        if (known := self._shown.get(place)) is None:
            own_turn = self._own_turns.setdefault(request.sender, asyncio.Lock())
            async with own_turn, self._slots:
                found = await self._take(request, event_id, await self._worker.info(INFO_SECONDS))
            known = self._shown[place] = found.id
            while len(self._shown) > MOST_SHOWN:
                self._shown.popitem(last=False)
        self._shown.move_to_end(place)
        return known

    def shown_gone(self, request: Request) -> bool:
        """The worker has not got a picture of a conversation (any more); true if they are worth bringing again."""
        for place in [place for place in self._shown if place[0] == request.origin]:
            del self._shown[place]
        self._brought[request.key] = self._brought.get(request.key, 0) + 1
        return self._brought[request.key] < TRIES

    def gone(self, request: Request) -> bool:
        """The worker does not have the picture (any more); true if it is worth sending it again."""
        if self._ids.pop(request.key, None) is None:
            return False
        self._brought[request.key] = self._brought.get(request.key, 0) + 1
        return self._brought[request.key] < TRIES

    def forget(self, key: str) -> None:
        """Forget a finished request."""
        for known in (self._ids, self._brought, self._failures):
            known.pop(key, None)

    async def _bring(self, request: Request, event_id: str) -> Input:
        info = await self._worker.info()  # fails early, before fetching, if the worker is away
        if FEATURE not in info.features:
            raise CannotAsk(f"❌ {texts.START_OLD_WORKER}")
        if (request.body or {}).get("mask") is not None and HOLES not in info.features:
            raise CannotAsk(f"❌ {texts.INPAINT_OLD_WORKER}")
        if (request.body or {}).get("control") is not None and STEERS not in info.features:
            raise CannotAsk(f"❌ {texts.CONTROL_OLD_WORKER}")
        if (request.body or {}).get("picture") is not None and DESCRIBES not in info.features:
            raise CannotAsk(f"❌ {texts.DESCRIBE_OLD_WORKER}")
        return await self._take(request, event_id, info)

    async def _take(self, request: Request, event_id: str, info: Info) -> Input:
        limit = info.limits.get("input_bytes")
        most = min(MOST, limit) if isinstance(limit, int) and limit > 0 else MOST
        try:
            data = await self._fetch(request, event_id, most)
        except NoStart as reason:
            raise CannotAsk(f"❌ {reason}") from None
        mimetype = sniff(data)
        if mimetype is None:
            raise CannotAsk(f"❌ {texts.START_BROKEN}")
        try:
            return await self._worker.add_input(data, mimetype, private=request.private, owner=request.sender)
        except WorkerRefused as refusal:
            if refusal.disk_full:
                raise  # the submitter decides whether to wait
            raise CannotAsk(texts.start_refused(refusal, most)) from None

    async def _fetch(self, request: Request, event_id: str, most: int) -> bytes:
        room = start_room(request.body) or request.origin
        source = await look(self._http, self._encryption, room, event_id, patience=KEY_PATIENCE, most=most)
        if source is None:
            raise NoStart(texts.START_NO_PICTURE)
        try:
            data = await self._http.download(source.server, source.media, most)
        except TooLarge:
            raise NoStart(texts.start_too_large(most)) from None
        except MatrixRefused:
            raise NoStart(texts.START_GONE) from None
        except AnswerLost as lost:
            if lost.status is None:
                raise  # the homeserver is away for now
            failures = self._failures[request.key] = self._failures.get(request.key, 0) + 1
            if failures < TRIES:
                raise
            raise NoStart(texts.START_AWAY) from None
        return data if source.secrets is None else await asyncio.to_thread(decrypted, data, *source.secrets)


def _brought(place: Any, found: Input) -> Any:
    """A picture field with the worker's id in place of the event."""
    if not isinstance(place, Mapping):
        return place
    return {**{name: value for name, value in place.items() if name not in ("event", "room")}, "id": found.id}


def decrypted(data: bytes, key: str, digest: str, iv: str) -> bytes:
    """Checks the hash as well. Raises :class:`NoStart`."""
    try:
        from mautrix.crypto.attachments import decrypt_attachment
    except ImportError:  # maubot without its [encryption] extra
        raise NoStart(texts.START_UNREADABLE) from None
    try:
        return bytes(decrypt_attachment(data, key, digest, iv))
    except Exception:  # the library may raise anything, with the key in the text
        raise NoStart(texts.START_BROKEN) from None
