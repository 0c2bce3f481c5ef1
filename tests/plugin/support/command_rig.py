"""Commands on real SQLite and a real mautrix client; small HTTP programs are homeserver and worker."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest_asyncio
from lang_servers import BOT, CATALOGUE, TOKEN, Homeserver, Worker
from plugin_parts import build_parts, config_of, stop_parts

from otterbot.bot.parts import Parts
from otterbot.commands import handle
from otterbot.commands.outcome import NewRequest, Outcome, say
from otterbot.commands.services import Services
from otterbot.config import Values
from otterbot.errors import AnswerLost, RateLimited, Unanswered
from otterbot.language.message import Message, from_raw
from otterbot.store.room_store import told_as
from otterbot.store.rows import Request, key_of
from otterbot.store.store import Commit
from otterbot.worker.client import Address

ROOM = "!room:test"
ALICE, BOB, MOD = "@alice:test", "@bob:test", "@mod:test"
LOG = logging.getLogger("test.otterbot")

__all__ = ["ALICE", "BOB", "BOT", "CATALOGUE", "MOD", "ROOM"]


@dataclass(eq=False, kw_only=True)
class Rig:
    """The commands' surroundings; :meth:`say` types something into the room."""

    homeserver: Homeserver
    worker: Worker
    services: Services
    parts: Parts
    open: list[Request] = field(default_factory=list)

    def values(self, **changes: Any) -> None:
        self.services.config.current = Values(**changes)

    def message(self, body: str, sender: str = ALICE, room: str = ROOM, **content: Any) -> Message:
        raw = self.homeserver.say(room, sender, body, **content)
        message = from_raw(raw, encrypted=False, own_id=BOT)
        assert message is not None
        return message

    async def say(self, body: str, sender: str = ALICE, room: str = ROOM, **content: Any) -> Outcome | None:
        """Handle it and store what follows, as ``events`` does."""
        message = self.message(body, sender, room, **content)
        try:
            outcome = await handle(self.services, message)
        except (Unanswered, AnswerLost, RateLimited) as unknown:  # after it was asked again for a minute
            sentence = getattr(unknown, "sentence", None)
            outcome = None if sentence is None else say(sentence)
        if outcome is not None:
            request = self._request(message, outcome.request) if outcome.request is not None else None
            setting = (outcome.setting.name, outcome.setting.value) if outcome.setting is not None else None
            await self.services.store.commit(
                Commit(
                    mark=message.mark,
                    room_id=room,
                    request=request,
                    cancel=outcome.cancel,
                    setting=setting,
                    style=outcome.style,
                    unstyle=outcome.unstyle,
                    told=[told_as(warning) for warning in outcome.told],
                )
            )
            if request is not None:
                self.open.append(request)
        return outcome

    async def answer(self, body: str, sender: str = ALICE, room: str = ROOM, **content: Any) -> str:
        outcome = await self.say(body, sender, room, **content)
        assert outcome is not None
        assert outcome.reply is not None
        return outcome.reply.text

    async def drawn(self, body: str, sender: str = ALICE, room: str = ROOM, **content: Any) -> dict[str, Any]:
        """The body of the request that it leads to."""
        outcome = await self.say(body, sender, room, **content)
        assert outcome is not None
        assert outcome.reply is None, outcome.reply
        assert outcome.request is not None
        assert outcome.request.body is not None
        return outcome.request.body

    async def chatted(self, body: str, sender: str = ALICE, room: str = ROOM, **content: Any) -> dict[str, Any]:
        """What is stored with the turn of chat that it leads to."""
        outcome = await self.say(body, sender, room, **content)
        assert outcome is not None
        assert outcome.reply is None, outcome.reply
        assert outcome.request is not None
        assert outcome.request.kind == "chat"
        return outcome.request.asked

    @staticmethod
    def _request(message: Message, new: NewRequest) -> Request:
        return Request(
            key=key_of(BOT, message.room_id, message.event_id, message.edit_id),
            room_id=message.room_id,
            event_id=message.event_id,
            sender=message.sender,
            kind=new.kind,
            body=new.body,
            asked=new.asked,
            notes=new.notes,
            thread_root=message.thread_root,
            reply_to=message.reply_to,
            sent_at=message.timestamp / 1000,
            created_at=1000.0 + message.timestamp,
            expires_at=9e9,
        )


@pytest_asyncio.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with Homeserver() as homeserver, Worker() as worker:
        parts = await build_parts(
            tmp_path / "plugin.db", bot=BOT, homeserver=homeserver.url, config=config_of(Values()), log=LOG,
            address=lambda: Address(url=worker.url, token=TOKEN),
        )  # fmt: skip
        homeserver.join(ROOM, BOT, ALICE, BOB, MOD)
        homeserver.create(ROOM, "@founder:test", "11", {MOD: 50})
        yield Rig(homeserver=homeserver, worker=worker, services=parts.services, parts=parts)
        await stop_parts(parts)
