"""Reports unreadable messages: a sentence in their room, a line in ``!status``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .. import texts
from ..language.message import event_id_in, relations
from ..matrix import event_content
from ..matrix.sync_answer import seconds
from ..outbox.queue import Outbox
from ..store.part_names import UNREAD
from ..store.rows import Part, Rank, key_of
from ..store.store import Store
from ..waiting import surely
from .parked import Parked, Waiting
from .withheld import Withheld

EVERY = 3600.0
"""Seconds between two such sentences in one room."""


@dataclass(frozen=True)
class _Asked:
    """The unreadable message, as far as it is readable: its relation stands outside the encryption."""

    event_id: str
    thread_root: str | None


class Unread:
    """One per plugin instance; owns the parked events and the withheld codes."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        *,
        bot: str,
        allowed: Callable[[str], bool],
        signed: Callable[[], bool | None],
        log: logging.Logger,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._bot = bot
        self._signed = signed
        self._log = log
        self.allowed = allowed
        self.parked = Parked()
        self.withheld = Withheld(allowed)

    async def tell(self, waiting: Waiting) -> None:
        """Say in its room that a message could not be read, at most once an hour.

        Messages sent before the last such sentence are covered by it, or each start would repeat it.
        """
        code = self.withheld.code(waiting.sender, waiting.room, waiting.session)
        event_id = event_id_in(waiting.raw.get("event_id"))
        if event_id is None or not self.allowed(waiting.sender):
            return
        last = await surely(lambda: self._store.last_part(waiting.room, UNREAD), self._log)
        if last is not None and (0 <= self._store.clock.now() - last < EVERY or seconds(waiting.raw) <= last):
            return
        text = texts.unread(code, signed=self._signed())
        key = key_of(self._bot, waiting.room, event_id, UNREAD)
        content = await event_content.notice(text, key, UNREAD, _Asked(event_id, _thread(waiting)))
        part = Part(key=key, part=UNREAD, room_id=waiting.room, rank=Rank.REFUSAL, content=content)
        if await surely(lambda: self._store.add_part(part), self._log):
            self._log.warning("A message cannot be read: %s", code or "its room key has not come")
            self._outbox.enqueue([part])

    def report(self, room: str) -> list[str]:
        """Sentences for ``!status`` in that room."""
        here = list(self.parked.of(room))
        codes = {self.withheld.code(one.sender, one.room, one.session) for one in here}
        said = [texts.unread_here(len(here), sorted(code for code in codes if code))] if here else []
        if self.parked.strangers or self.parked.pushed_out:
            said.append(texts.unread_dropped(self.parked.strangers, self.parked.pushed_out))
        return said


def _thread(waiting: Waiting) -> str | None:
    content = waiting.raw.get("content")
    related = content.get("m.relates_to") if isinstance(content, Mapping) else None
    return relations(related)[0] if isinstance(related, Mapping) else None
