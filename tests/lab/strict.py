"""A user whose client has nothing to do with devices that are not cross-signed, as Matrix 1.18 asks of clients.

It sends them no room keys (and tells them so), and shows nothing that they send. The chain from master key over
self-signing key to device is verified here, with vodozemac, from the homeserver's answer to ``/keys/query``.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from nio import MegolmEvent
from vodozemac import Ed25519PublicKey, Ed25519Signature

from .client import MEGOLM, User
from .events import Ev


def signed_by(thing: dict[str, Any], user: str, key: str) -> bool:
    """Is there a right signature of ``key`` under the JSON object?"""
    signature = thing.get("signatures", {}).get(user, {}).get(f"ed25519:{key}")
    if signature is None:
        return False
    bare = {name: value for name, value in thing.items() if name not in ("signatures", "unsigned")}
    text = json.dumps(bare, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    try:
        Ed25519PublicKey.from_base64(key).verify_signature(text.encode(), Ed25519Signature.from_base64(signature))
    except Exception:
        return False
    return True


def signed_devices(answer: dict[str, Any], user: str) -> dict[str, dict[str, Any]]:
    """The user's devices that are cross-signed, by their ids."""
    master, self_signing = (answer.get(name, {}).get(user) for name in ("master_keys", "self_signing_keys"))
    if not master or not self_signing:
        return {}
    [master_key], [self_signing_key] = master["keys"].values(), self_signing["keys"].values()
    if not signed_by(self_signing, user, master_key):
        return {}
    devices = answer["device_keys"].get(user, {})
    return {name: device for name, device in devices.items() if signed_by(device, user, self_signing_key)}


class StrictUser(User):
    """Its own other devices and itself aside."""

    _trusted: set[str]
    """Curve25519 keys of cross-signed devices that it has seen."""
    hidden: list[Ev]
    """Events that could be read and were not shown."""

    async def start(self) -> StrictUser:
        self._trusted, self.hidden = set(), []
        # nio would decrypt by itself what comes in a sync; everything is to come past `_decrypt`.
        self.nio.olm._decrypt_megolm_no_error = lambda *_, **__: None
        await super().start()
        return self

    async def signed(self, user: str) -> dict[str, dict[str, Any]]:
        body = {"device_keys": {user: []}}
        return signed_devices(await self.api("POST", "/_matrix/client/v3/keys/query", body), user)

    async def _look_at(self, room: str) -> list[tuple[str, Any]]:
        """Asks for the keys of everybody in the room; user and device of those that are not trusted."""
        untrusted = []
        for user in await self.members(room) - {self.id}:
            devices = await self.signed(user)
            self._trusted |= {device["keys"][f"curve25519:{name}"] for name, device in devices.items()}
            untrusted += [
                (user, device)
                for device in self.nio.device_store.active_user_devices(user)
                if devices.get(device.device_id, {}).get("keys", {}).get(f"ed25519:{device.device_id}")
                != device.ed25519
            ]
        return untrusted

    async def send_event(self, room: str, type_: str, content: dict[str, Any]) -> str:
        if not self.nio.rooms[room].encrypted or type_ == "m.reaction":
            return await super().send_event(room, type_, content)
        await self._olm_chores()
        untrusted = await self._look_at(room)
        refused = {device.id for _, device in untrusted}
        for user in self.nio.rooms[room].users:
            for device in self.nio.device_store.active_user_devices(user):
                if device.id in refused:
                    self.nio.blacklist_device(device)
                elif device.blacklisted:
                    self.nio.unblacklist_device(device)
                    self.nio.invalidate_outbound_session(room)
        event_id = await super().send_event(room, type_, content)
        session = self.nio.olm.outbound_group_sessions[room]
        for user, device in untrusted:
            await self._withhold(room, session.id, user, device.id)
        return event_id

    async def _withhold(self, room: str, session: str, user: str, device: str) -> None:
        content = {
            "algorithm": MEGOLM, "room_id": room, "session_id": session, "code": "m.unverified",
            "reason": "This device is not cross-signed.",
            "sender_key": self.nio.olm.account.identity_keys["curve25519"],
        }  # fmt: skip
        path = f"/_matrix/client/v3/sendToDevice/m.room_key.withheld/{uuid.uuid4().hex}"
        await self.api("PUT", path, {"messages": {user: {device: content}}})

    def _decrypt(self, seen: Ev, event: MegolmEvent) -> bool:
        """``False`` also for what an untrusted device sent: it is looked at again when its device may be signed."""
        session = self.nio.olm.inbound_group_store.get(seen.room_id, event.sender_key, event.session_id)
        own = event.sender == self.id
        if session is not None and not own and session.sender_key not in self._trusted:
            if seen not in self.hidden:
                self.hidden.append(seen)
            return False
        return super()._decrypt(seen, event)

    async def _olm_chores(self) -> None:
        """Once a sync: whoever could not be trusted may be by now."""
        await super()._olm_chores()
        for room in {seen.room_id for seen, _ in self._pending}:
            await self._look_at(room)
