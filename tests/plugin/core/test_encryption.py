"""Failures to encrypt: what may pass is tried again, what will not is final, and nothing ever goes out in the clear."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import ROOM, Rig
from mautrix.errors import MatrixUnknownRequestError

from otterbot import encryption as module
from otterbot.errors import AnswerLost, CannotEncrypt

CONTENT: dict[str, Any] = {"msgtype": "m.notice", "body": "otter"}


@pytest.fixture
def broken(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """A client whose encryption is there and fails for a reason of its own."""

    async def fail(*_: Any) -> None:
        raise ValueError("the crypto store is locked")

    monkeypatch.setattr(rig.client, "_crypto", object())
    monkeypatch.setattr(rig.client, "encrypt", fail)
    return rig


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


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_a_proxys_page_is_never_final(
    broken: Rig, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """Keys and members are asked for on the way; without an errcode it is not the homeserver that refused."""

    async def page(*_: Any) -> None:
        raise MatrixUnknownRequestError(status, "<html>Blocked</html>")

    monkeypatch.setattr(module, "PATIENCE", 0.0)
    monkeypatch.setattr(broken.client, "encrypt", page)
    for _ in range(3):
        with pytest.raises(AnswerLost):
            await broken.encryption.encrypt(ROOM, "m.room.message", CONTENT)
