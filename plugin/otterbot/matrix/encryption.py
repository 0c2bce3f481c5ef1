"""Room encryption: whether a room is encrypted, encrypting and decrypting events.

A room that was encrypted once stays so, whatever the server says later. ``None`` of mautrix's state
store means "never seen", so the room is asked before anything is sent in the clear.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import aiohttp
from mautrix.api import Method, Path
from mautrix.errors import (
    CryptoError,
    MatrixConnectionError,
    MatrixRequestError,
    MForbidden,
    MLimitExceeded,
    MNotFound,
    SessionNotFound,
)
from mautrix.types import JSON, EncryptedEvent, EventType, Membership, RoomID, SerializerError, SessionID

from ..errors import AnswerLost, CannotEncrypt, NotAllowed, RateLimited
from ..store.durability import CryptoStore, passes
from ..waiting import LASTING

if TYPE_CHECKING:
    from mautrix.client import Client

PLAIN_FOR = 60.0
"""Seconds for which "not encrypted" is cached; the sync brings changes meanwhile."""

PATIENCE = 60.0
"""Seconds for which unexplained failures to encrypt are retried."""


BUSY = 2.0
"""Maximum seconds until a failed query of the crypto store is repeated."""


class KeyMissing(Exception):
    """The room key of an event has not come yet."""

    def __init__(self, session_id: str) -> None:
        super().__init__("the room key is missing")
        self.session_id = session_id


class KeyTooNew(KeyMissing):
    """The room key came, but only for later messages: the sender's client began to trust this device in between."""


class Encryption:
    """The client's encryption, with failures told apart. Fails closed."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.store = CryptoStore(client)
        self._encrypted: set[str] = set()
        self._plain: dict[str, float] = {}
        self._failing: dict[str, float] = {}
        """Room → since when (``time.monotonic()``) encrypting fails for an unknown reason."""

    @property
    def possible(self) -> bool:
        return self._client.crypto is not None

    def seen_encrypted(self, room: str) -> None:
        """The state event that turns encryption on came from the room."""
        self._encrypted.add(room)
        self._plain.pop(room, None)

    def doubt(self, room: str) -> None:
        """An encrypted-looking event came from the room. Anybody can send one, so ask the room itself."""
        self._plain.pop(room, None)

    def forget_plain(self) -> None:
        """The sync failed: rooms may have become encrypted meanwhile, so drop the cache."""
        self._plain.clear()

    async def is_encrypted(self, room: str) -> bool:
        """Raises :class:`AnswerLost` or :class:`NotAllowed` where it cannot be known."""
        if room in self._encrypted:
            return True
        if self._plain.get(room, 0.0) > time.monotonic():
            return False
        store = self._client.state_store
        known = None if store is None else await store.is_encrypted(RoomID(room))
        if known or await self._ask(room):
            self.seen_encrypted(room)
            return True
        self._plain[room] = time.monotonic() + PLAIN_FOR
        return False

    async def _ask(self, room: str) -> bool:
        try:
            found = await self._state(room)
            if "algorithm" not in found:  # not the homeserver's answer, or a malformed event
                found = await self._state(room, format="event")
            if "algorithm" not in found and "sender" not in found:
                raise AnswerLost("an answer without an event")
            with contextlib.suppress(SerializerError):
                # Again through mautrix, which stores the event: it contains the rotation period of the keys.
                await self._client.get_state_event(RoomID(room), EventType.ROOM_ENCRYPTION)
        except MNotFound:
            return False
        except AnswerLost:
            raise
        except MForbidden as error:
            raise NotAllowed(403, "M_FORBIDDEN") from error
        except Exception as error:  # mautrix raises what its parsing raises where a proxy answers with other JSON
            raise AnswerLost(type(error).__name__) from None
        return True

    async def _state(self, room: str, **query: str) -> dict[str, Any]:
        path = Path.v3.rooms[RoomID(room)].state["m.room.encryption"][""]
        found = await self._client.api.request(Method.GET, path, query_params=query)
        return found if isinstance(found, dict) else {}

    async def encrypt(self, room: str, event_type: str, content: dict[str, Any]) -> dict[str, Any]:
        """The content of the ``m.room.encrypted`` event. Relations stay readable, as the protocol wants."""
        if self._client.crypto is None:
            raise CannotEncrypt("no end-to-end encryption in this client")
        kind = EventType.find(event_type, t_class=EventType.Class.MESSAGE)
        try:
            await self.store.secure()
            await self._know_who_is_invited(room)
            encrypted = await self._client.encrypt(RoomID(room), kind, content)  # type: ignore[arg-type]
        except MLimitExceeded:
            raise RateLimited(5.0) from None
        except (MatrixConnectionError, aiohttp.ClientError, TimeoutError, OSError) as error:
            raise AnswerLost(type(error).__name__) from None
        except MatrixRequestError as error:
            if error.http_status >= 500 or not error.errcode:  # answers without errcode are a proxy's
                raise AnswerLost(type(error).__name__) from None
            raise self._failed(room, error) from None
        except Exception as error:
            raise self._failed(room, error) from None
        self._failing.pop(room, None)
        wire: dict[str, Any] = encrypted.serialize()
        wire.pop("m.relates_to", None)
        if "m.relates_to" in content:
            wire["m.relates_to"] = content["m.relates_to"]
        return wire

    async def _know_who_is_invited(self, room: str) -> None:
        """Before the first message in a room: mautrix would share its key with those alone who are in it, and never
        with somebody who is invited and comes later, who could read nothing then."""
        known = self._client.state_store
        if known is not None and not await known.has_full_member_list(RoomID(room)):
            await self._client.get_members(RoomID(room), not_membership=Membership.LEAVE)

    def _failed(self, room: str, error: Exception) -> AnswerLost | CannotEncrypt:
        """The error for a failure to encrypt. A full disk or a locked store is temporary; unknown reasons become final
        after a while."""
        if passes(error):
            return AnswerLost(type(error).__name__)
        now = time.monotonic()
        if now - self._failing.setdefault(room, now) < PATIENCE:
            return AnswerLost(type(error).__name__)
        del self._failing[room]
        return CannotEncrypt(type(error).__name__)

    async def decrypt(self, raw: Mapping[str, Any]) -> dict[str, Any] | None:
        """The decrypted event; ``None`` if it can never be read.

        Raises :class:`KeyMissing`, and :class:`AnswerLost` where that cannot be told now.
        """
        crypto = self._client.crypto
        if crypto is None:
            return None
        try:
            event = EncryptedEvent.deserialize(cast(JSON, dict(raw)))
            inner = (await crypto.decrypt_megolm_event(event)).serialize()
        except SessionNotFound as error:
            raise KeyMissing(str(error.session_id)) from None
        except CryptoError as error:
            if "UNKNOWN_MESSAGE_INDEX" in str(error.__cause__):
                raise KeyTooNew(str(event.content.session_id)) from None
            return None
        except (SerializerError, *LASTING):
            return None
        except Exception as error:
            # The crypto store is locked, or the homeserver does not name the sender's device: this does not mean
            # "unreadable".
            raise AnswerLost(type(error).__name__) from None
        return {**inner, "room_id": raw.get("room_id")} if isinstance(inner, dict) else None

    async def readable(self, raw: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The event itself if it is not encrypted, else what is in it. Raises as :meth:`decrypt` does."""
        return await self.decrypt(raw) if raw.get("type") == "m.room.encrypted" else raw

    async def wait_for_key(self, room: str, session_id: str, timeout: float) -> bool:
        """True once the room key is there, whenever it came."""
        crypto = self._client.crypto
        if crypto is None:
            return False
        try:
            return bool(await crypto.wait_for_session(RoomID(room), SessionID(session_id), timeout=timeout))
        except Exception as error:
            if not _is_database_error(error):
                raise
            await asyncio.sleep(min(timeout, BUSY))
            return False


def _is_database_error(error: Exception) -> bool:
    """Any error of the crypto store's database. Not :func:`~..store.durability.passes`: that asks whether it works
    again by itself; here even a broken database says nothing about whether the key has come."""
    return isinstance(error, sqlite3.Error | OSError) or type(error).__module__.partition(".")[0] == "asyncpg"
