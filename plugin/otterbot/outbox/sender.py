"""One attempt to put something into its room."""

from __future__ import annotations

import time
from enum import Enum, auto
from typing import Any

from .. import texts
from ..errors import CannotEncrypt
from ..matrix import event_content
from ..matrix.encryption import Encryption
from ..matrix.http import MatrixHttp
from ..store.part_names import FINAL, NO_ENCRYPTION
from ..store.rows import Kind, Part, PartState, transaction_id
from ..store.store import Store
from .entries import Entry


class Done(Enum):
    """Why nothing was sent."""

    LATER = auto()
    """The event it refers to is not sent yet."""
    NEVER = auto()
    """The event it refers to will never be sent."""
    UNWANTED = auto()
    """It was withdrawn."""
    STALE = auto()
    """It was built unencrypted, and the room is encrypted now."""


class Sender:
    """Encrypts, marks and sends. Other failures are raised as errors of :mod:`..errors`."""

    def __init__(self, store: Store, http: MatrixHttp, encryption: Encryption) -> None:
        self._store = store
        self._http = http
        self._encryption = encryption

    async def send(self, entry: Entry) -> str | Done:
        """The event's id, or why there is none. A stored part is marked ``sending`` before its request goes out."""
        part = entry.part
        content = await self._resolve(entry)
        if isinstance(content, Done):
            return content
        event_type = "m.reaction" if part.kind is Kind.REACTION else "m.room.message"
        if _private(part) and await self._encryption.is_encrypted(part.room_id):
            if entry.plain_media:
                return Done.STALE
            content = await self._encryption.encrypt(part.room_id, event_type, content)
            event_type = "m.room.encrypted"
        elif _private(part):
            content = await self._harmless(part, content)
        if not entry.stored:
            # Each edit needs its own transaction id; with the same one the homeserver would drop it.
            txn = transaction_id(part.key, part.part.attempt(time.time_ns()))
            return await self._http.send(part.room_id, event_type, content, txn)
        if not await self._store.mark_sending(*part.id, part.room_id):
            return Done.UNWANTED
        if part.kind is Kind.REDACTION:
            return await self._http.redact(part.room_id, content["redacts"], part.transaction_id)
        return await self._http.send(part.room_id, event_type, content, part.transaction_id)

    async def _harmless(self, part: Part, content: dict[str, Any]) -> dict[str, Any]:
        """For unencrypted rooms: of a request that moved here from an encrypted room, only the fixed sentence may be
        sent."""
        request = await self._store.request(part.key)
        if request is None or not (request.private and request.moved and part.room_id == request.room_id):
            return content
        if part.part != FINAL:
            raise CannotEncrypt("it was asked for in an encrypted room")
        return await event_content.notice(texts.NOT_ENCRYPTED_ANY_MORE, part.key, part.part, request)

    async def _resolve(self, entry: Entry) -> dict[str, Any] | Done:
        """The content with the id of the event that it refers to."""
        content, part = entry.content or {}, entry.part
        if not entry.stored or part.kind not in (Kind.EDIT, Kind.REDACTION):
            return content
        if "redacts" in content:
            return content  # what no part of ours is
        target = await self._store.part(part.key, content["of"])
        if target is not None and target.state is PartState.SENT and target.event_id:
            if part.kind is Kind.REDACTION:
                return {"redacts": target.event_id}
            return event_content.edit(content["content"], target.event_id)
        if target is not None and target.state in (PartState.READY, PartState.SENDING):
            return Done.LATER
        return Done.NEVER


def _private(part: Part) -> bool:
    """Whether the part is encrypted in encrypted rooms. Reactions and redactions cannot be."""
    return part.kind in (Kind.MESSAGE, Kind.EDIT) and part.part != NO_ENCRYPTION
