"""Deduplicates equal answers in a room for everybody who asked before the first was visible.

Homeservers let through one message in some seconds. Repeated answers would delay everything else and say nothing new,
so later askers get a reaction instead. Only plain answers are deduplicated: accepting, cancelling and setting are
always confirmed. Who asks after the answer became visible gets it again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ..commands.outcome import Outcome
from ..language.message import Message
from ..store.rows import Part, PartState
from ..store.store import Store

PART = "reply"
SECONDS = 600.0
"""Seconds for which an answer is remembered."""
PLACES, EACH = 500, 20
"""Limits of remembered places (rooms, threads), and of answers per place."""


@dataclass(frozen=True, kw_only=True)
class _Answer:
    key: str
    text: str
    sender: str
    words: str
    at: float


class Repeats:
    """One per plugin instance; in memory, since a repeated answer does no harm after a start."""

    def __init__(
        self, store: Store, begun: Callable[[str, str], float], stands: Callable[[Part], Awaitable[bool]]
    ) -> None:
        """``begun``: when the sending of a part began, in the homeserver's time. ``stands``: whether it was sent before
        this start, whatever the database says; then nobody waits for it."""
        self._store = store
        self._begun = begun
        self._stands = stands
        self._places: OrderedDict[tuple[str, str | None], list[_Answer]] = OrderedDict()

    async def covers(self, message: Message, outcome: Outcome) -> bool:
        """Whether an equal answer is waiting, or was not visible yet when this was asked.

        Equal means the same text to the same words (two drawings refused for one reason are different); and while the
        first answer is unsent, the same words of the same person.
        """
        if outcome.reply is None or not _only_says(outcome):
            return False
        words = _words(message)
        for answer in self._known(message):
            equal = answer.text == outcome.reply.text
            if answer.words == words and (equal or answer.sender == message.sender):
                part = await self._store.part(answer.key, PART)
                if part is None or await self._stands(part):
                    continue
                if part.state in (PartState.READY, PartState.SENDING):
                    return True
                unread = message.timestamp / 1000 < self._begun(answer.key, PART)
                if equal and unread and part.state is PartState.SENT:
                    return True
        return False

    def said(self, message: Message, outcome: Outcome, key: str) -> None:
        """Record a stored answer for later comparisons."""
        if outcome.reply is None or not _only_says(outcome):
            return
        answer = _Answer(
            key=key, text=outcome.reply.text, sender=message.sender, words=_words(message), at=time.monotonic()
        )
        place = message.room_id, message.thread_root
        self._places[place] = [*self._known(message)[-EACH + 1 :], answer]
        self._places.move_to_end(place)
        while len(self._places) > PLACES:
            self._places.popitem(last=False)

    def _known(self, message: Message) -> list[_Answer]:
        since = time.monotonic() - SECONDS
        found = self._places.get((message.room_id, message.thread_root), [])
        return [answer for answer in found if answer.at > since]


def _words(message: Message) -> str:
    return " ".join(message.body.casefold().split())


def _only_says(outcome: Outcome) -> bool:
    changes = (outcome.request, outcome.setting, outcome.style, outcome.unstyle)
    return not outcome.cancel and all(one is None for one in changes)
