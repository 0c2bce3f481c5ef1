"""A conversation that fits: whole turns are left out from the oldest on, the system prompt and the last message stay.

Servers would cut what is too long by themselves, in silence and in the middle of a message, the system prompt first.
So a backend tells its server not to, and asks with less when that says by how much there is too much.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from .records import Message

PER_MESSAGE = 8
"""Tokens that a chat template spends around each message, on the safe side."""
MARGIN = 32
_PIECES = re.compile(r"(?P<word>[A-Z]?[a-z]+|[A-Z]+)|[\x21-\x7e]|[\r\n]+[ \t]*")
"""What tokenizers count in ASCII: words, and every digit and sign by itself."""
LOWEST, HIGHEST = 0.5, 6.0
"""Below the lowest, what was counted is no whole conversation: some servers leave out what they had read before."""
REMEMBERED = 7
"""Conversations whose middle counts: one that is all numbers, or in another script, says little about the next."""
ENOUGH = 200
"""Estimated tokens from which on a conversation tells something: in a short one the template's own words weigh most."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    messages: list[Message]
    left_out: int
    """Messages of the conversation that had no room."""

    @property
    def alone(self) -> bool:
        """Whether the last message is all that is left of the conversation."""
        return sum(message["role"] != "system" for message in self.messages) <= 1


def left_out_note(count: int) -> str:
    """What is said, once in a conversation, when ``count`` messages at its beginning are left out."""
    if count == 1:
        return "The oldest message of this conversation no longer fits and is left out from now on."
    return f"The oldest {count} messages of this conversation no longer fit; what is oldest is left out from now on."


def estimate(text: str) -> int:
    """Tokens of ``text``, roughly: models count differently, and only the server knows."""
    ascii_count = 0
    for piece in _PIECES.finditer(text):
        word = piece["word"]
        ascii_count += 1 if word is None else -(-len(word) // 4)
    astral = sum(character > "\uffff" for character in text)
    other = sum("\x80" <= character <= "\uffff" for character in text)
    return ascii_count + -(-other * 3 // 2) + astral * 3


def estimate_all(messages: Sequence[Message]) -> int:
    return sum(map(_cost, messages))


def fit(messages: Sequence[Message], *, context: int, answer: int, ratio: float = 1.0, least: int = 0) -> Fitted:
    """The newest whole turns (a user's message and what was answered) that fit into ``context`` tokens beside
    ``answer`` tokens for the reply, a token of the estimate being ``ratio`` of the model's; ``least`` messages are left
    out in any case. The last turn always stays: whether it fits alone, the server decides. ``context`` 0: nobody knows
    how much fits, so everything does until the server refuses it.
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
    room = max(context - answer, context // 2) - MARGIN - ratio * estimate_all(system)
    kept: list[list[Message]] = []
    for place, turn in enumerate(reversed(turns)):
        room -= ratio * estimate_all(turn)
        if place and context and room < 0:
            break
        kept.append(turn)
    while len(kept) > 1 and sum(map(len, turns)) - sum(map(len, kept)) < least:
        kept.pop()
    kept.reverse()
    fitted = [message for turn in kept for message in turn]
    return Fitted(messages=system + fitted, left_out=sum(map(len, turns)) - len(fitted))


def _cost(message: Message) -> int:
    return estimate(message["content"]) + PER_MESSAGE


class Ratios:
    """How many tokens of its own each model makes of an estimated one, learned from what the server counts.

    Kept in memory: the first answers after a start teach it anew.
    """

    def __init__(self) -> None:
        self._seen: dict[str, deque[float]] = {}

    def of(self, model: str) -> float:
        return median(self._seen.get(model, [1.0]))

    def learn(self, model: str, estimated: int, counted: int) -> None:
        """Takes in that ``estimated`` tokens were ``counted`` in truth."""
        ratio = counted / max(1, estimated)
        if estimated >= ENOUGH and ratio >= LOWEST:
            self._seen.setdefault(model, deque(maxlen=REMEMBERED)).append(min(HIGHEST, ratio))
