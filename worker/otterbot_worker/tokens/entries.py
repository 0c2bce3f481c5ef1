"""What is stored of tokens.

A token is 256 random bits, so its SHA-256 says nothing about it. A slow hash protects passwords, which can be guessed;
here it would protect nothing, and delay every request.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..config import CLIENT_NAME, ClientName

Kind = Literal["program", "operator"]
"""``program``: sees its own jobs and pictures. ``operator``: may also pause the worker and open its page."""

NAME = CLIENT_NAME
"""A pattern."""
PREFIX = "otter_"
"""Begins every token, so that people, and programs that look for leaked secrets, see what it is."""
MOST = 100
"""Tokens of a worker."""
ID_DIGITS = 16
MOST_A_DAY = 1_000_000

PerDay = Annotated[int, Field(ge=1, le=MOST_A_DAY)]


class _Part(BaseModel):
    # A limit that this worker does not know would not be kept, so an unknown field is refused.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class Entry(_Part):
    name: ClientName
    """Of the client that has the token."""
    kind: Kind
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    made_at: int
    """Unix time, seconds."""
    per_day: PerDay | None = None
    """Pictures in 24 hours."""
    answers_per_day: PerDay | None = None
    """Turns of chat and descriptions in 24 hours."""

    @property
    def id(self) -> str:
        """As of `token_id`."""
        return self.sha256[:ID_DIGITS]


class Stored(_Part):
    version: Literal[1] = 1
    tokens: Annotated[list[Entry], Field(max_length=MOST)] = []
    revoked: Annotated[dict[ClientName, int], Field(max_length=10 * MOST)] = {}
    """Names without a token by now, and when it was revoked: what they have waiting is cancelled."""

    def find(self, name: str) -> Entry | None:
        return next((entry for entry in self.tokens if entry.name == name), None)

    def with_entry(self, entry: Entry) -> Stored:
        revoked = {name: at for name, at in self.revoked.items() if name != entry.name}
        return self.model_copy(update={"tokens": [*self.tokens, entry], "revoked": revoked})

    def without(self, name: str, now: int) -> Stored:
        rest = [entry for entry in self.tokens if entry.name != name]
        newest = sorted({**self.revoked, name: now}.items(), key=lambda item: item[1])[-10 * MOST :]
        return self.model_copy(update={"tokens": rest, "revoked": dict(newest)})


def new_token() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def token_id(sha256: bytes) -> str:
    """Names a token without being a secret."""
    return sha256.hex()[:ID_DIGITS]


def digest(token: bytes) -> bytes:
    """32 bytes, by which a token is known."""
    return hashlib.sha256(token).digest()
