"""What comes from the rooms, on a rig: the real way in, with three commands at its end."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from homeserver_double import BOT, ROOM

from otterbot.commands.outcome import NewRequest, Outcome, say
from otterbot.inbox.backfill import CatchUp
from otterbot.inbox.events import Events
from otterbot.inbox.membership import Rooms
from otterbot.inbox.unread import Unread
from otterbot.language.message import Message

if TYPE_CHECKING:
    from conftest import Rig

LOG = logging.getLogger("test.otterbot")


class Listening:
    """Events on a rig, with a command of three words: draw, say, fail."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.heard: list[str] = []
        self.messages: list[Message] = []
        self.joined: list[str] = []
        self.slow = 0.0

    async def handle(self, message: Message) -> Outcome | None:
        if not message.body.startswith("!"):
            return None
        self.heard.append(message.body)
        self.messages.append(message)
        await asyncio.sleep(self.slow)
        word = message.body[1:].split(" ")[0]
        if word == "draw":
            body = {"prompt": message.body[6:], "seed": 7, "count": 1}
            return Outcome(request=NewRequest(kind="image", body=body, asked={"prompt": message.body[6:]}))
        if word == "fail":
            raise RuntimeError(message.body)
        return say(message.body)

    async def join(self, room: str) -> None:
        self.joined.append(room)

    def start(self) -> None:
        rig = self.rig
        self.rooms = Rooms(
            rig.store, rig.http, rig.outbox, bot=BOT, join=self.join, allowed=lambda user: user.endswith(":test"),
            prefix=lambda: "!", log=LOG,
        )  # fmt: skip
        self.unread = Unread(
            rig.store, rig.outbox, bot=BOT, allowed=lambda user: user.endswith(":test"),
            signed=lambda: True, log=LOG,
        )  # fmt: skip
        self.events = Events(
            rig.client, rig.http, rig.store, rig.encryption, rig.outbox, rig.delivery, self.rooms,
            partial(CatchUp, rig.http), handle=self.handle, unread=self.unread, values=lambda: rig.values,
            restart_sync=lambda: None, heard_state=rig.upgrades.heard, log=LOG,
        )  # fmt: skip
        self.events.start()

    async def sync(self, *events: dict[str, Any], limited: bool = False, room: str = ROOM, **rooms: Any) -> None:
        timeline = {"events": list(events), "limited": limited}
        data = {"rooms": {"join": {room: {"timeline": timeline}}, **rooms}}
        await self.events.on_sync({"data": data})

    async def sync_left(self, room: str, *events: dict[str, Any]) -> None:
        """What happened in a room up to when the bot was put out of it."""
        left = {"state": {"events": []}, "timeline": {"events": list(events), "limited": False}}
        await self.events.on_sync({"data": {"rooms": {"leave": {room: left}}}})

    async def hear(self, *bodies: str) -> None:
        await self.rig.until(lambda: self.heard == list(bodies) if len(self.heard) >= len(bodies) else None)
