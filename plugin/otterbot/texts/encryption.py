"""Sentences about encryption: unreadable messages, and trust in the bot's device."""

from __future__ import annotations

from collections.abc import Sequence

from .escape import code
from .jobs import count_of

_NOT_SIGNED = "My device is not cross-signed, so some people's clients send me no keys and show nothing of mine"
_HOW = "docs/encryption.md says how"
NOT_SIGNED_OFF = f"{_NOT_SIGNED}. The operator has switched `encryption.cross_sign` off."
NOT_SIGNED_OTHER_KEYS = (
    f"{_NOT_SIGNED}: my account has cross-signing keys that I do not hold. The operator has to give their recovery key "
    f"to Maubot (`verify` of its client API); {_HOW}."
)
NOT_SIGNED_PASSWORD = (
    f"{_NOT_SIGNED}: the homeserver wants my account's password before it takes such keys. The operator has to make "
    f"them with another client of the account and give the recovery key to Maubot; {_HOW}."
)
DEVICE_KEYS_LOST = (
    "The homeserver has other encryption keys of my device than I: Maubot's crypto database was lost, and nobody can "
    f"send me anything encrypted. The operator has to log me in anew; {_HOW}."
)
DEVICE_KEYS_MISSING = (
    "The homeserver knows no encryption keys of my device, so nobody can send me anything encrypted. I upload them "
    f"again; if this stays, the operator has to log me in anew; {_HOW}."
)


def signing_fails(what: str) -> str:
    """``what`` is the name of an error."""
    return f"I could not find out whether my device is cross-signed, or sign it ({what}). I keep trying."


_SEND_AGAIN = "Please send it again; if it stays like this, `/discardsession` in Element makes a new key."
_REASONS = {
    "m.unverified": "your client does not trust my device",
    "m.blacklisted": "your client has blocked my device",
    "m.no_olm": "your client could not reach my device with its key",
    "m.unauthorised": "your client says that I may not have its key",
    "m.unavailable": "your client does not have its key any more",
}


def unread(reason: str | None, *, signed: bool | None) -> str:
    """The sentence in a room. ``signed``: the bot's device is cross-signed (``None``: not known)."""
    said = f"I cannot read your message: {_REASONS.get(reason or '', 'its key has not reached me')}"
    match reason:
        case "m.unverified" if signed is False:
            return f"{said}; the operator has to have it cross-signed, `!status` and my log say how."
        case "m.unverified":
            return (
                f"{said}; it is signed by my account, so either verify my account or let your client send keys to "
                "unverified devices in this room, then send it again."
            )
        case "m.blacklisted":
            return f"{said}; unblock it among my sessions in my profile, then send it again."
        case "m.unauthorised":
            return f"{said}; look at its settings for this room, then send it again."
        case _ if signed is False:
            return (
                f"{said}. {_SEND_AGAIN} My device is not cross-signed either, and some clients send such devices no "
                "keys: `!status` and my log tell the operator what to do."
            )
        case _:
            return f"{said}. {_SEND_AGAIN}"


def unread_here(number: int, reasons: Sequence[str]) -> str:
    """In ``!status``: ``reasons`` are Matrix's own codes."""
    named = f" ({', '.join(code(reason) for reason in reasons)})" if reasons else ""
    messages = count_of(number, "message of this room waits", "messages of this room wait")
    return f"{messages} for a room key that has not come{named}."


def unread_dropped(strangers: int, pushed_out: int) -> str:
    """In ``!status``, since the start."""
    counts = []
    if strangers:
        counts.append(f"{strangers} of people who may not use me")
    if pushed_out:
        counts.append(f"{pushed_out} because too many waited already")
    total = count_of(strangers + pushed_out, "encrypted message", "encrypted messages")
    return f"Since my start I dropped {total} that I had no key for: {' and '.join(counts)}."
