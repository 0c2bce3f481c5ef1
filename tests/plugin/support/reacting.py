"""Reactions on a chat's rig, by the real way in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from chat_servers import ROOM, USER, Rig
from homeserver_double import BOT

from otterbot.bot.parts import build_inbox
from otterbot.commands.outcome import Outcome
from otterbot.language.message import Message
from otterbot.store.rows import Request, key_of


async def _nothing(message: Message) -> Outcome | None:
    return None


class Reacting:
    """``async with Reacting(rig) as reacting``."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    async def __aenter__(self) -> Reacting:
        self.events = build_inbox(self.rig.parts, handle=_nothing, signed=lambda: True).events
        self.events.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.events.stop()

    async def hear(self, *events: dict[str, Any]) -> None:
        timeline = {"events": list(events), "limited": False}
        await self.events.on_sync({"data": {"rooms": {"join": {ROOM: {"timeline": timeline}}}}})

    async def react(self, event_id: str, emoji: str, sender: str = USER) -> dict[str, Any]:
        relation = {"rel_type": "m.annotation", "event_id": event_id, "key": emoji}
        event = self.rig.server.add(ROOM, sender, "m.reaction", {"m.relates_to": relation})
        await self.hear(event)
        return event

    async def asked_by(self, reaction: dict[str, Any]) -> Request:
        """The request that the reaction led to."""
        key = key_of(BOT, ROOM, reaction["event_id"])
        return await self.until(key, lambda request: True)

    async def until(self, key: str, test: Callable[[Request], bool]) -> Request:
        """The request of that key, once ``test`` holds of it."""
        deadline = time.monotonic() + 60
        while (found := await self.rig.store.request(key)) is None or not test(found):
            assert time.monotonic() < deadline, "it did not come to that"
            await asyncio.sleep(0.02)
        return found

    def on(self, body: str) -> str:
        """The message of the bot's with that text, or with an edit of it."""
        server = self.rig.server
        for event in server.of_bot(ROOM):
            relates = event["content"].get("m.relates_to", {})
            if event["content"].get("body", "").removeprefix("* ").startswith(body):
                return str(relates["event_id"] if relates.get("rel_type") == "m.replace" else event["event_id"])
        raise AssertionError(f"nobody said {body}")
