"""One line typed into the room, what comes of it, and what the person at the terminal sees meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from lab.events import Ev

from .house import House
from .screen import Screen

DRAWING = {"draw": 1, "again": 1, "vary": 4, "upscale": 1, "sweep": 1}
"""How many pictures come where nobody says."""
STREAMING = {"chat"}
ANSWER_S = 60
"""How long a command that is answered at once may take."""
SETTLE_S = 6
"""How long, after the end, the bot may take to tidy up."""
QUIET_S = 1_800
"""How long nothing at all may be heard of a picture; a first model may have to be downloaded."""


@dataclass
class Line:
    """A line that was typed."""

    text: str
    event_id: str = ""
    pictures: list[tuple[Ev, Path]] = field(default_factory=list)
    drawn: int = 0
    """How many pictures have come; a sheet has several."""
    answers: list[Ev] = field(default_factory=list)
    ended: str = ""
    """The bot's last word as a reaction: ✅ or ❌."""
    seen: str = ""
    """The event id of its first word, ⏳, which it takes back at the end."""
    said: str = ""
    """What the newest form of its last message says."""
    refusal_is_right: bool = False
    """It asks for something that is not on this machine: a sentence that says so is all that it is for."""
    tidy: bool = False
    """The bot has taken its ⏳ back."""

    @property
    def command(self) -> str:
        found = re.match(r"!(\w+)", self.text.strip())
        return found[1].lower() if found else ""

    @property
    def wanted_pictures(self) -> int:
        if self.command not in DRAWING or re.search(r"(?:--|—)(?:explain|help)\b", self.text):
            return 0
        count = re.search(r"(?:--|—)count[ =]+(\d+)", self.text)
        return int(count[1]) if count else DRAWING[self.command]

    @property
    def takes_time(self) -> bool:
        """It is not answered at once, but with pictures or a stream."""
        return self.wanted_pictures > 0 or self.command in STREAMING

    @property
    def settled(self) -> bool:
        """Whether the bot has nothing left to tidy up about this line: its ⏳ is gone, its status says how it ended."""
        return self.tidy and (not self.answers or not self.said.startswith(("⏳", "🎨", "💭")))

    @property
    def good(self) -> bool:
        """Whether everything came that this line is for."""
        if self.refusal_is_right:
            return bool(self.answers)
        if self.wanted_pictures:
            return self.drawn >= self.wanted_pictures
        return self.ended != "❌" and bool(self.answers or not self.command)


def _with_bar(text: str) -> str:
    """``Step 7/30`` with a bar before it."""
    step = re.search(r"\b(\d+)/(\d+)\b", text)
    if not step or not 0 < int(step[1]) <= int(step[2]):
        return text
    filled = round(20 * int(step[1]) / int(step[2]))
    return f"{'━' * filled}{'╌' * (20 - filled)} {text}"


class Talk:
    """The conversation of this start of the demo."""

    def __init__(self, house: House, screen: Screen) -> None:
        self.house, self.screen = house, screen
        self.visitor = house.visitor
        self.lines: list[Line] = []
        self.folder = house.root / "pictures"
        self._activity = ""
        self._heard = 0.0
        self._ended: float | None = None

    async def say(self, text: str) -> Line:
        """Types one line and waits until all that it is for has come (or plainly will not)."""
        line = Line(text)
        line.refusal_is_right = line.command in STREAMING and not self.house.chat_works
        self.lines.append(line)
        self.screen.say(f"  {self.screen.paint('visitor', 'magenta', 'bold')}   {self.screen.paint(text, 'bold')}")
        mark = self.visitor.mark()
        line.event_id = await self.visitor.send(self.house.room, text)
        if not line.command:
            return line
        follower = asyncio.create_task(self._follow(line, mark))
        try:
            await self._tick(line, follower)
        finally:
            follower.cancel()
            await asyncio.gather(follower, return_exceptions=True)
            self.screen.status()
        return line

    async def _tick(self, line: Line, follower: asyncio.Task[None]) -> None:
        """Keeps the living line alive until the answer is complete."""
        started = time.monotonic()
        self._activity, self._heard, self._ended = "sent, encrypted", started, None
        patience = QUIET_S if line.takes_time else ANSWER_S
        spinner = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
        turn = 0
        while not follower.done() and time.monotonic() - self._heard < patience:
            if self._ended is not None and time.monotonic() - self._ended > SETTLE_S:
                break
            turn += 1
            self.screen.status(f"{spinner[turn % 10]} {_with_bar(self._activity)} · {time.monotonic() - started:.0f} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(follower), 0.12)
        if follower.done():
            follower.result()

    async def _follow(self, line: Line, mark: int) -> None:
        """Takes what the bot does about ``line``, one event after the other, until it is complete."""
        about = {line.event_id}
        while True:
            event = await self.visitor.wait_for(lambda e: e.sender == self.house.bot, mark, timeout=2 * QUIET_S)
            mark = self.visitor.events.index(event, mark) + 1
            targets = {event.relates.get("event_id"), event.replies_to, event.thread, event.redacts}
            if not about & targets:
                continue
            about.add(event.event_id)
            self._heard = time.monotonic()
            await self._take(line, event)
            if not line.takes_time and line.answers:
                return
            if line.ended and self._ended is None:
                self._ended = time.monotonic()
            if line.ended and line.settled:
                return

    async def _take(self, line: Line, event: Ev) -> None:
        body = event.new_content.get("body", "")
        if event.redacts:
            line.tidy = line.tidy or event.redacts == line.seen
        elif event.reaction:
            if event.relates.get("event_id") == line.event_id and event.reaction in ("✅", "❌"):
                line.ended = event.reaction
            else:
                line.seen = event.event_id
                self._note(f"{event.reaction} the bot has seen it")
        elif event.msgtype == "m.image":
            await self._take_picture(line, event)
        elif body:
            if not event.edits:
                line.answers.append(event)
            line.said = body
            self._note(body.splitlines()[0])

    async def _take_picture(self, line: Line, event: Ev) -> None:
        part = str(event.own.get("part", ""))
        if event.edits or event.own.get("preview"):
            self._note("it is shown while it is drawn")
            return
        line.pictures.append((event, await self.save(event)))
        if part.startswith("film"):
            self._note("the film of it came and was decrypted")
        elif "sheet" in event.own:
            line.drawn = line.wanted_pictures
            self._note("all of them came on one sheet, which was decrypted")
        else:
            line.drawn += 1
            self._note(f"picture {line.drawn} of {line.wanted_pictures} came and was decrypted")

    def _note(self, text: str) -> None:
        self._activity = text
        if not self.screen.live:
            self.screen.say(f"            · {text}")

    async def save(self, event: Ev) -> Path:
        self.folder.mkdir(exist_ok=True)
        name = Path(event.content.get("filename") or event.body).name
        path = self.folder / name
        number = 1
        while path.exists():
            number += 1
            path = self.folder / f"{Path(name).stem}-{number}{Path(name).suffix}"
        path.write_bytes(await self.visitor.image_bytes(event))
        return path
