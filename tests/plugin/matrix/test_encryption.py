"""Failures to encrypt: what may pass is tried again, what will not is final, and nothing ever goes out in the clear."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from mautrix.errors import DecryptionError, MatrixUnknownRequestError
from mautrix.types import Membership
from plugin_rig import ROOM, Rig

from otterbot.errors import AnswerLost, CannotEncrypt
from otterbot.matrix import encryption as module

CONTENT: dict[str, Any] = {"msgtype": "m.notice", "body": "otter"}


@pytest.fixture
def broken(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """A client whose encryption is there and fails for a reason of its own."""

    async def fail(*_: Any) -> None:
        raise ValueError("the crypto store is locked")

    monkeypatch.setattr(rig.client, "_crypto", object())
    monkeypatch.setattr(rig.client, "encrypt", fail)
    monkeypatch.setattr(rig.client, "get_members", nobody)
    return rig


async def nobody(*_: Any, **__: Any) -> None:
    """Who is in a room."""


async def test_an_unexplained_failure_is_tried_again(broken: Rig) -> None:
    for _ in range(3):
        with pytest.raises(AnswerLost):
            await broken.encryption.encrypt(ROOM, "m.room.message", CONTENT)


async def test_it_is_final_after_a_while(broken: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AnswerLost):
        await broken.encryption.encrypt(ROOM, "m.room.message", CONTENT)
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    with pytest.raises(CannotEncrypt):
        await broken.encryption.encrypt(ROOM, "m.room.message", CONTENT)


async def test_without_encryption_it_is_final_at_once(rig: Rig) -> None:
    with pytest.raises(CannotEncrypt):
        await rig.encryption.encrypt(ROOM, "m.room.message", CONTENT)


class LockedStore:
    """A client's encryption whose store cannot be asked for now."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    async def decrypt_megolm_event(self, _: Any) -> Any:
        raise self.errors.pop(0) if self.errors else DecryptionError("nobody can read that")

    async def wait_for_session(self, *_: Any, timeout: float) -> bool:
        if self.errors:
            raise self.errors.pop(0)
        return True


EVENT: dict[str, Any] = {
    "type": "m.room.encrypted", "event_id": "$e", "room_id": ROOM, "sender": "@user:test", "origin_server_ts": 1,
    "content": {"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "x", "session_id": "s", "sender_key": "k"},
}  # fmt: skip


async def test_a_locked_store_does_not_make_an_event_unreadable(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rig.client, "_crypto", LockedStore(sqlite3.OperationalError("locked"), OSError("disk")))
    for _ in range(2):
        with pytest.raises(AnswerLost):
            await rig.encryption.readable(EVENT)
    assert await rig.encryption.readable(EVENT) is None


async def test_a_locked_store_does_not_end_the_waiting_for_a_key(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY", 0.01)
    monkeypatch.setattr(rig.client, "_crypto", LockedStore(sqlite3.OperationalError("locked")))
    assert not await rig.encryption.wait_for_key(ROOM, "s", 5.0)
    assert await rig.encryption.wait_for_key(ROOM, "s", 5.0)


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_a_proxys_page_is_never_final(broken: Rig, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """Keys and members are asked for on the way; without an errcode it is not the homeserver that refused."""

    async def page(*_: Any) -> None:
        raise MatrixUnknownRequestError(status, "<html>Blocked</html>")

    monkeypatch.setattr(module, "PATIENCE", 0.0)
    monkeypatch.setattr(broken.client, "encrypt", page)
    for _ in range(3):
        with pytest.raises(AnswerLost):
            await broken.encryption.encrypt(ROOM, "m.room.message", CONTENT)


class Members:
    """A client's memory of who is in a room."""

    def __init__(self) -> None:
        self.whole = False

    async def has_full_member_list(self, _: Any) -> bool:
        return self.whole


async def test_who_is_invited_is_known_before_the_first_message(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the library shares the key with those alone who are in the room."""
    known, asked = Members(), list[Any]()

    async def get_members(room: str, **how: Any) -> None:
        asked.append((room, how))
        known.whole = True

    async def encrypt(*_: Any) -> Any:
        asked.append("encrypted")
        raise ValueError("enough")

    for name, value in (
        ("_crypto", object()),
        ("state_store", known),
        ("get_members", get_members),
        ("encrypt", encrypt),
    ):
        monkeypatch.setattr(rig.client, name, value)
    for _ in range(2):
        with pytest.raises(AnswerLost):
            await rig.encryption.encrypt(ROOM, "m.room.message", CONTENT)
    assert asked == [(ROOM, {"not_membership": Membership.LEAVE}), "encrypted", "encrypted"]
