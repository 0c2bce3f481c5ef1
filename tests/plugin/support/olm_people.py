"""Real encryption for a rig: mautrix's OlmMachine in the bot's client, and people with megolm sessions of their own."""

from __future__ import annotations

import json
import logging
from typing import Any

import olm
from homeserver_double import ROOM
from mautrix.crypto import MemoryCryptoStore, OlmMachine
from mautrix.types import DeviceID, DeviceIdentity, IdentityKey, RoomID, SessionID, SigningKey, TrustState, UserID
from plugin_rig import Rig

LOG = logging.getLogger("test.otterbot.crypto")


async def give_encryption(rig: Rig) -> OlmMachine:
    """What Maubot does for a client with a device id."""
    store = MemoryCryptoStore("bot", "pickle")
    rig.client.device_id = DeviceID("BOTDEVICE")
    machine = OlmMachine(rig.client, store, rig.client.state_store, log=LOG)  # type: ignore[arg-type]
    await machine.load()
    machine.account.shared = True
    rig.client.crypto = machine
    return machine


class Person:
    """Somebody whose room key the bot has, or has not."""

    def __init__(self, rig: Rig, machine: OlmMachine, user: str = "@user:test", room: str = ROOM) -> None:
        self.rig, self.machine, self.user, self.room = rig, machine, user, room
        self.account = olm.Account()
        self.session = olm.OutboundGroupSession()
        self.first_key = self.session.session_key

    @property
    def session_id(self) -> str:
        return str(self.session.id)

    def say(self, body: str, **more: Any) -> dict[str, Any]:
        """An encrypted message, in the room."""
        inner = {"type": "m.room.message", "room_id": self.room, "content": {"msgtype": "m.text", "body": body}}
        content = {
            "algorithm": "m.megolm.v1.aes-sha2", "ciphertext": self.session.encrypt(json.dumps(inner)),
            "session_id": self.session_id, "sender_key": self.account.identity_keys["curve25519"],
            "device_id": "PHONE", **more,
        }  # fmt: skip
        return self.rig.server.add(self.room, self.user, "m.room.encrypted", content)

    async def share_key(self) -> None:
        """The room key arrives at the bot."""
        keys = self.account.identity_keys
        device = DeviceIdentity(
            user_id=UserID(self.user), device_id=DeviceID("PHONE"), identity_key=IdentityKey(keys["curve25519"]),
            signing_key=SigningKey(keys["ed25519"]), trust=TrustState.UNVERIFIED, deleted=False, name="phone",
        )  # fmt: skip
        await self.machine.crypto_store.put_devices(UserID(self.user), {device.device_id: device})
        await self.machine._create_group_session(
            device.identity_key, device.signing_key, RoomID(self.room), SessionID(self.session_id), self.first_key,
            max_age=10**9, max_messages=1000,
        )  # fmt: skip

    def withheld(self, code: str, **more: Any) -> dict[str, Any]:
        """What the person's client sends to the bot's device instead of the key."""
        content = {"algorithm": "m.megolm.v1.aes-sha2", "code": code, "room_id": self.room,
                   "session_id": self.session_id, "sender_key": "x", **more}  # fmt: skip
        return {"type": "m.room_key.withheld", "sender": self.user, "content": content}
