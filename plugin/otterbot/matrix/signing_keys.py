"""Makes the account's cross-signing keys, and signs the bot's device with them.

Every step can be repeated: the recovery key is stored with us before anything is published, the private keys lie on
the homeserver, encrypted with it, before their public halves do. A process that dies in between finds the same keys
again. The library's own ``generate_recovery_key`` gives the recovery key out last, when it may be too late.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mautrix.api import Method, Path
from mautrix.errors import MatrixRequestError, MNotFound
from mautrix.types import EventType, SerializerError

from ..errors import OtterbotError
from ..store.recovery_keys import RecoveryKey, RecoveryKeys
from .device_trust import Standing

if TYPE_CHECKING:
    from mautrix.client import Client
    from mautrix.crypto.cross_signing_key import CrossSigningPrivateKeys, CrossSigningSeeds
    from mautrix.crypto.ssss.key import Key

DUMMY = "m.login.dummy"


class PasswordWanted(OtterbotError):
    """The homeserver takes cross-signing keys only with the account's password."""


class KeysNotOurs(OtterbotError):
    """The account's cross-signing keys are none that our recovery key opens."""


class NotTaken(OtterbotError):
    """The homeserver did not accept the signature."""


class SigningKeys:
    """One per plugin instance, for a client with encryption."""

    def __init__(self, client: Client, recovery: RecoveryKeys) -> None:
        self._client = client
        self._recovery = recovery
        self._user = str(client.mxid)

    async def make(self, device: Mapping[str, Any]) -> None:
        """For an account that has none: make them, publish them, sign the device."""
        key = _storage_key(await self._recovery_key())
        await self._client.set_account_data(f"m.secret_storage.key.{key.id}", key.metadata)
        seeds = await self._seeds(key) or await self._new_seeds(key)
        private = seeds.to_keys()
        await self._publish(private)
        await self._make_default(key.id)
        await self._sign(device, private)

    async def sign(self, standing: Standing) -> None:
        """For a device that the account's keys have not signed: sign it, if our recovery key opens them."""
        recovery = await self._recovery.get(self._user)
        if recovery is None:
            raise KeysNotOurs("no recovery key is stored")
        key = _storage_key(recovery)
        seeds = await self._seeds(key)
        private = None if seeds is None else seeds.to_keys()
        public = None if private is None else (private.public_keys.master_key, private.public_keys.self_signing_key)
        if private is None or public != (standing.master, standing.self_signing):
            raise KeysNotOurs("the stored recovery key opens other keys")
        await self._make_default(key.id)
        await self._sign(standing.device, private)

    # -- secret storage ----------------------------------------------------------------------

    async def _recovery_key(self) -> RecoveryKey:
        from mautrix.crypto.ssss.key import Key

        known = await self._recovery.get(self._user)
        if known is not None:
            return known
        new = Key.generate()
        return await self._recovery.keep(self._user, RecoveryKey(key_id=new.id, words=new.recovery_key))

    async def _seeds(self, key: Key) -> CrossSigningSeeds | None:
        """The private keys that lie on the homeserver for ``key``; ``None`` if they are not all there."""
        from mautrix.crypto.cross_signing_key import CrossSigningSeeds

        ssss = self._client.crypto.ssss
        found = []
        for kind in _KINDS:
            try:
                found.append(await ssss.get_decrypted_account_data(kind, key))
            except (MNotFound, SerializerError, ValueError):  # not there, or not for this key
                return None
        return CrossSigningSeeds(*found)

    async def _new_seeds(self, key: Key) -> CrossSigningSeeds:
        from mautrix.crypto.cross_signing_key import CrossSigningSeeds

        seeds = CrossSigningSeeds.generate()
        for kind, seed in zip(_KINDS, seeds, strict=True):
            await self._client.crypto.ssss.set_encrypted_account_data(kind, seed, key)
        return seeds

    async def _make_default(self, key_id: str) -> None:
        """What other clients of the account ask the recovery key for. Somebody else's choice is left alone."""
        ssss = self._client.crypto.ssss
        if await ssss.get_default_key_id() is None:
            await ssss.set_default_key_id(key_id)

    # -- publishing and signing --------------------------------------------------------------

    async def _publish(self, private: CrossSigningPrivateKeys) -> None:
        from mautrix.crypto.signature import sign_olm

        public = private.public_keys
        keys: dict[str, Any] = {}
        for usage, own in zip(("master", "self_signing", "user_signing"), public, strict=True):
            key: dict[str, Any] = {"user_id": self._user, "usage": [usage], "keys": {f"ed25519:{own}": own}}
            if usage == "master":
                signer, signature = str(self._client.device_id), sign_olm(dict(key), self._client.crypto.account)
            else:
                signer, signature = public.master_key, sign_olm(dict(key), private.master_key)
            keys[f"{usage}_key"] = {**key, "signatures": {self._user: {f"ed25519:{signer}": signature}}}
        path = Path.v3.keys.device_signing.upload
        try:
            await self._client.api.request(Method.POST, path, keys)
        except MatrixRequestError as error:
            if error.http_status != 401:
                raise
            session = _dummy_session(getattr(error, "text", ""))
            if session is None:
                raise PasswordWanted("401") from None
            auth = {"type": DUMMY, "session": session}
            await self._client.api.request(Method.POST, path, {**keys, "auth": auth})

    async def _sign(self, device: Mapping[str, Any], private: CrossSigningPrivateKeys) -> None:
        from mautrix.crypto.signature import sign_olm

        signer, device_id = private.self_signing_key, str(self._client.device_id)
        signed = {name: value for name, value in device.items() if name not in ("signatures", "unsigned")}
        signature = sign_olm(dict(signed), signer)
        signed["signatures"] = {self._user: {f"ed25519:{private.public_keys.self_signing_key}": signature}}
        body = {self._user: {device_id: signed}}
        answer = await self._client.api.request(Method.POST, Path.v3.keys.signatures.upload, body)
        if isinstance(answer, dict) and answer.get("failures"):
            raise NotTaken("failures")


_KINDS = (
    EventType.CROSS_SIGNING_MASTER,
    EventType.CROSS_SIGNING_SELF_SIGNING,
    EventType.CROSS_SIGNING_USER_SIGNING,
)
"""In the order of mautrix's ``CrossSigningSeeds``."""


def _storage_key(recovery: RecoveryKey) -> Key:
    """The key of the secret storage, from its words."""
    from mautrix.crypto.ssss.key import Key, KeyMetadata
    from mautrix.crypto.ssss.types import Algorithm
    from mautrix.crypto.ssss.util import calculate_hash, cryptorand, decode_base58_recovery_key

    raw = decode_base58_recovery_key(recovery.words)
    if raw is None:
        raise KeysNotOurs("the stored recovery key is damaged")
    iv = base64.b64encode(cryptorand.read(16)).decode().rstrip("=")
    metadata = KeyMetadata(algorithm=Algorithm.AES_HMAC_SHA2, iv=iv, mac=calculate_hash(raw, iv))
    return Key(id=recovery.key_id, key=raw, metadata=metadata)


def _dummy_session(text: str) -> str | None:
    """The session of a 401 that asks for nothing (``m.login.dummy``); ``None`` if it asks for something."""
    try:
        asked = json.loads(text)
        flows = [flow["stages"] for flow in asked["flows"]]
        return str(asked["session"]) if [DUMMY] in flows else None
    except (ValueError, TypeError, KeyError):
        return None
