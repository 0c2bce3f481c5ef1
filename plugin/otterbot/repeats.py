"""Equal answers of one room within seconds are one: whoever asks the same again is pointed to it by a reaction.

A homeserver lets one message through in some seconds. What is asked again and again would hold up everything else
that has to be said, and tell nobody anything new. Only plain answers are meant: what is accepted, cancelled or set is
always said.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from .message import Message
from .outcome import Outcome

PART = "reply"
SECONDS = 10.0
"""For so long after it was given an answer is taken for the answer to an equal question."""
PLACES, EACH = 500, 20
"""How many places (a room, a thread), and answers of each, are remembered."""


@dataclass(frozen=True, kw_only=True)
class _Answer:
    key: str
    text: str
    sender: str
    body: str
    at: float


class Repeats:
    """One per plugin instance; in memory, since a repeated answer does no harm after a start."""

    def __init__(self, waiting: Callable[[str, str], bool]) -> None:
        """``waiting``: does that part still wait to be sent?"""
        self._waiting = waiting
        self._places: OrderedDict[tuple[str, str | None], list[_Answer]] = OrderedDict()

    def covers(self, message: Message, outcome: Outcome) -> bool:
        """Is the same said there already, or about to be?

        The same is the same text; and as long as the first answer has not gone out, the same question of the same
        person, whatever has changed meanwhile.
        """
        if outcome.reply is None or not _only_says(outcome):
            return False
        text = outcome.reply.text
        asked = message.sender, message.body
        return any(
            answer.text == text or ((answer.sender, answer.body) == asked and self._waiting(answer.key, PART))
            for answer in self._standing(message)
        )

    def said(self, message: Message, outcome: Outcome, key: str) -> None:
        """It is stored: from now on it stands for its equals."""
        if outcome.reply is None or not _only_says(outcome):
            return
        answer = _Answer(
            key=key, text=outcome.reply.text, sender=message.sender, body=message.body, at=time.monotonic()
        )
        place = message.room_id, message.thread_root
        self._places[place] = [*self._standing(message)[-EACH + 1 :], answer]
        self._places.move_to_end(place)
        while len(self._places) > PLACES:
            self._places.popitem(last=False)

    def _standing(self, message: Message) -> list[_Answer]:
        """The answers of that place that are fresh, or have not gone out yet."""
        since = time.monotonic() - SECONDS
        found = self._places.get((message.room_id, message.thread_root), [])
        return [answer for answer in found if answer.at > since or self._waiting(answer.key, PART)]


def _only_says(outcome: Outcome) -> bool:
    return outcome.request is None and not outcome.cancel and outcome.setting is None
