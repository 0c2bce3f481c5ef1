"""What comes from the rooms, on a rig: the real way in, with four commands at its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from homeserver_double import ROOM

from otterbot.bot.parts import build_inbox
from otterbot.commands.outcome import NewRequest, Outcome, refuse, say
from otterbot.language.message import Message

if TYPE_CHECKING:
    from plugin_rig import Rig


class Listening:
    """Events on a rig, with a command of four words: draw, say, refuse, fail. Reactions are what they are."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.heard: list[str] = []
        self.messages: list[Message] = []
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
        return refuse(message.body) if word == "refuse" else say(message.body)

    @property
    def joined(self) -> list[str]:
        return self.rig.joined

    def start(self) -> None:
        inbox = build_inbox(self.rig.parts, handle=self.handle, signed=lambda: True)
        self.rooms, self.unread, self.events = inbox.rooms, inbox.unread, inbox.events
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
