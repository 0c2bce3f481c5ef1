"""A conversation that fits: whole turns are left out from the oldest on, the system prompt and the last message stay.

Ollama would drop old messages by itself, in silence and one by one, which leaves answers without their questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

PER_MESSAGE = 8
"""Tokens that a chat template spends around each message, on the safe side."""
MARGIN = 32


class Message(TypedDict):
    """As it goes to the server."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, kw_only=True)
class Fitted:
    messages: list[Message]
    left_out: int
    """Messages of the conversation that had no room."""


def estimate(text: str) -> int:
    """Tokens of ``text``, rather too many than too few: models count differently, and only the server knows."""
    ascii_count = sum(character < "\x80" for character in text)
    astral = sum(character > "\uffff" for character in text)
    other = len(text) - ascii_count - astral
    return -(-ascii_count // 3) + -(-other * 3 // 2) + astral * 3


def fit(messages: Sequence[Message], *, context: int, answer: int) -> Fitted:
    """The newest whole turns (a user's message and what was answered) that fit into ``context`` tokens beside
    ``answer`` tokens for the reply. The last turn always stays: whether it fits alone, the server decides.
    """
    system = [message for message in messages if message["role"] == "system"]
    turns: list[list[Message]] = []
    for message in messages:
        if message["role"] == "system":
            continue
        if message["role"] == "user" or not turns:
            turns.append([message])
        else:
            turns[-1].append(message)
    # Half the context at least is for the conversation, whatever the answer may take.
    room = max(context - answer, context // 2) - MARGIN - sum(map(_cost, system))
    kept: list[list[Message]] = []
    for place, turn in enumerate(reversed(turns)):
        room -= sum(map(_cost, turn))
        if place and room < 0:
            break
        kept.append(turn)
    kept.reverse()
    fitted = [message for turn in kept for message in turn]
    return Fitted(messages=system + fitted, left_out=sum(map(len, turns)) - len(fitted))


def _cost(message: Message) -> int:
    return estimate(message["content"]) + PER_MESSAGE
