"""Is a device cross-signed? Read from the homeserver's answer to ``/keys/query``, signature by signature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any


class Trust(Enum):
    """What other people's clients make of the device."""

    SIGNED = auto()
    """Master key → self-signing key → device: every signature is there and right."""
    NO_KEYS = auto()
    """The account has no cross-signing keys."""
    UNSIGNED = auto()
    """The account has cross-signing keys, but they have not signed this device."""
    NO_DEVICE = auto()
    """The homeserver knows no keys of this device: nobody can send it anything encrypted."""
    OTHER_DEVICE = auto()
    """The homeserver has other keys of this device than the client: its crypto store was lost."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The account and one device of it, as the homeserver shows them."""

    trust: Trust
    device: Mapping[str, Any]
    """The device's keys, with signatures."""
    master: str | None
    """Public keys, unpadded base64."""
    self_signing: str | None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _public_key(section: Mapping[str, Any]) -> str | None:
    """The one key in a cross-signing key object."""
    keys = list(_mapping(section.get("keys")).items())
    if len(keys) != 1 or not isinstance(keys[0][1], str) or keys[0][0] != f"ed25519:{keys[0][1]}":
        return None
    return str(keys[0][1])


def _signed_by(thing: Mapping[str, Any], user: str, key: str) -> bool:
    from mautrix.crypto.signature import verify_signature_json
    from mautrix.types import SigningKey, UserID

    if not isinstance(thing.get("signatures"), Mapping):
        return False
    try:
        return bool(verify_signature_json(dict(thing), UserID(user), key, SigningKey(key)))  # type: ignore[arg-type]
    except Exception:  # malformed data is no valid signature
        return False


def standing(answer: Any, user: str, device_id: str, signing_key: str) -> Standing:
    """Judge the answer of ``POST /keys/query``. ``signing_key``: the device's own, as its client knows it."""
    answer = _mapping(answer)
    device = _mapping(_mapping(_mapping(answer.get("device_keys")).get(user)).get(device_id))
    master = _mapping(_mapping(answer.get("master_keys")).get(user))
    self_signing = _mapping(_mapping(answer.get("self_signing_keys")).get(user))
    master_key, self_signing_key = _public_key(master), _public_key(self_signing)
    shown = _mapping(device.get("keys")).get(f"ed25519:{device_id}")
    if not device:
        trust = Trust.NO_DEVICE
    elif shown != signing_key:
        trust = Trust.OTHER_DEVICE
    elif not master:
        trust = Trust.NO_KEYS
    elif master_key is None or self_signing_key is None or not _signed_by(self_signing, user, master_key):
        trust = Trust.UNSIGNED
    else:
        trust = Trust.SIGNED if _signed_by(device, user, self_signing_key) else Trust.UNSIGNED
    return Standing(trust=trust, device=device, master=master_key, self_signing=self_signing_key)
