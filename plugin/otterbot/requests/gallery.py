"""Copies of kept pictures in the gallery: read from the room where the picture stands, and posted once, with credit.

The bytes come from that room's own event, decrypted with its key, and are uploaded anew as the gallery needs them: the
worker may have deleted its copy long ago.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from .. import texts
from ..errors import MatrixError, MatrixRefused, TooLarge, WorkerRefused
from ..matrix import event_content
from ..matrix.encryption import Encryption
from ..matrix.http import MatrixHttp
from ..store.rows import Kept, Part
from ..store.store import Store
from . import image_check
from .image_event import BLURHASH, Uploaded, upload
from .input_images import MOST, NoStart, Source, decrypted, look_at, place_of
from .sheet_fields import sheet_in

KEY_PATIENCE = 10.0
"""Seconds to wait for the room key of the picture's message."""
THUMBNAIL = 2_000_000
"""Bytes of a thumbnail."""
_SHOWN = ("w", "h", "size", "mimetype", BLURHASH)


class Gallery:
    """The builder of parts ``gallery/0``. One per plugin instance; keeps nothing."""

    def __init__(
        self,
        store: Store,
        http: MatrixHttp,
        encryption: Encryption,
        line: Callable[[Mapping[str, Any]], tuple[str | None, bool]],
        prefix: Callable[[], str],
    ) -> None:
        """``line``: what to type for the picture of a record, and whether as a reply."""
        self._store = store
        self._http = http
        self._encryption = encryption
        self._line = line
        self._prefix = prefix

    async def build(self, part: Part) -> dict[str, Any]:
        """The content of the copy. Raises :class:`WorkerRefused` "gone" where there will never be one: the picture was
        deleted, or nobody can read it (any more)."""
        kept = await self._store.copied_from(part.key)
        if kept is None:
            raise WorkerRefused(410, "not_found")
        encrypted = await self._encryption.is_encrypted(part.room_id)
        try:
            if not encrypted and await self._encryption.is_encrypted(kept.room_id):
                raise WorkerRefused(410, "not_found")  # the operator has chosen another gallery since
            event = await look_at(self._http, self._encryption, kept.room_id, kept.event_id, patience=KEY_PATIENCE)
            content = event["content"]
            data = await self._bytes(place_of(content), MOST)
        except (NoStart, MatrixRefused, TooLarge):
            raise WorkerRefused(410, "image_gone") from None
        mimetype = image_check.sniff(data)
        if mimetype is None:
            raise WorkerRefused(410, "image_gone")
        copy = await self._described(part, kept, content)
        copy["info"] |= {"size": len(data), "mimetype": mimetype}
        (await upload(self._http, data, mimetype, encrypted=encrypted)).into(copy)
        await self._thumbnail(content, copy["info"], encrypted=encrypted)
        return copy

    async def _bytes(self, source: Source, most: int) -> bytes:
        data = await self._http.download(source.server, source.media, most)
        return data if source.secrets is None else await asyncio.to_thread(decrypted, data, *source.secrets)

    async def _thumbnail(self, content: Mapping[str, Any], info: dict[str, Any], *, encrypted: bool) -> None:
        """None on any failure: the picture shows without it."""
        before = content.get("info")
        if not isinstance(before, Mapping):
            return
        try:
            place = {"file": before.get("thumbnail_file"), "url": before.get("thumbnail_url")}
            data = await self._bytes(place_of(place), THUMBNAIL)
            mimetype = image_check.sniff(data)
            if mimetype is None:
                return
            found: Uploaded = await upload(self._http, data, mimetype, encrypted=encrypted)
        except (NoStart, MatrixError):
            return
        found.into(info, "thumbnail_")
        told = before.get("thumbnail_info")
        sides = {name: told[name] for name in ("w", "h") if name in told} if isinstance(told, Mapping) else {}
        info["thumbnail_info"] = {**sides, "size": len(data), "mimetype": mimetype}

    async def _described(self, part: Part, kept: Kept, content: Mapping[str, Any]) -> dict[str, Any]:
        mark = content.get(event_content.OUR_KEY)
        mark = mark if isinstance(mark, Mapping) else {}
        record = mark.get("record")
        record = record if isinstance(record, Mapping) else {}
        used = record.get("used")
        prompt = str(used.get("prompt", "")) if isinstance(used, Mapping) else ""
        line, reply = self._line(record)
        sheet = sheet_in({"content": content})
        if sheet is None:
            caption = texts.caption(prompt, record)
        else:
            caption = texts.sheet_caption([one.record for one in sheet.fields if one.record])
        text = texts.gallery(caption, kept.credit, line, self._prefix(), reply=reply, sheet=sheet is not None)
        copy = await event_content.notice(text, part.key, part.part, None, msgtype="m.image")
        copy["filename"] = str(content.get("filename") or "picture.png")
        info = content.get("info")
        copy["info"] = {name: info[name] for name in _SHOWN if name in info} if isinstance(info, Mapping) else {}
        copy[event_content.OUR_KEY] |= {"record": record} if record else {}
        copy[event_content.OUR_KEY] |= {"by": mark["by"]} if isinstance(mark.get("by"), str) else {}
        return copy
