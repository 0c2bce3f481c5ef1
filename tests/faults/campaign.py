"""Rounds of people and faults: some type, something breaks all the time, and at the end of a round all is counted."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

import aiohttp

from lab import Lab
from lab.client import User
from lab.proc import until

from .judge import Fault, Said, Tally, judge
from .kinds import KINDS, Place, Scene

TROUBLES = (RuntimeError, OSError, TimeoutError, ValueError, aiohttp.ClientError)
AT_A_TIME = 2
"""Faults of different lanes that may be under way together."""
PATIENCE = 180.0
"""Seconds for which a fault is tried again that another one is in the way of: a homeserver that was stopped may take
long to start on a busy machine."""
MOST_OPEN = 14
"""Lines without an end after which people wait: a machine for tests draws slowly."""


@dataclass
class Round:
    """One round in rooms of its own."""

    scene: Scene
    names: list[str]
    seconds: float
    enough: Callable[[], bool] = lambda: False
    said: list[Said] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def lab(self) -> Lab:
        return self.scene.lab

    async def run(self) -> Tally:
        end = time.monotonic() + self.seconds
        lanes: dict[str, list[str]] = {}
        for name in self.names:
            lanes.setdefault(KINDS[name].lane, []).append(name)
        together = asyncio.Semaphore(AT_A_TIME)
        people = [self._person(user, random.Random(self.scene.dice.random()), end) for user in self._people()]
        await asyncio.gather(*people, *(self._lane(kinds, together, end) for kinds in lanes.values()))
        await self._settled()
        return await judge(self.lab, self.scene.places, self.said, self.faults)

    def _people(self) -> list[User]:
        return [self.lab.user, self.lab.admin]

    # ------------------------------------------------------------ people

    async def _person(self, user: User, dice: random.Random, end: float) -> None:
        """Types without waiting for anything but too long a queue."""
        while time.monotonic() < end:
            if len(self._open()) < MOST_OPEN:
                with contextlib.suppress(*TROUBLES):
                    await self._types(user, dice)
            await asyncio.sleep(dice.uniform(0.8, 3.5))

    async def _types(self, user: User, dice: random.Random) -> None:
        place = dice.choice(self.scene.places)
        own = [one for one in self.said if one.by is user and one.place is place and one.room == place.id]
        what = dice.choices(("draw", "ask", "edit", "redact", "cancel"), (10, 2, 1, 1, 1))[0]
        if what in ("draw", "ask") or not own:
            await self._asks(user, place, dice, what)
        elif what == "edit":
            one = dice.choice(own)
            one.touched = True
            await user.send(place.id, f"!draw otter --steps 1 --seed {dice.randrange(10**6)}", edit=one.event_id)
        elif what == "redact":
            one = dice.choice(own)
            one.touched = True
            await user.redact(place.id, one.event_id)
        else:
            for one in self.said:
                if one.by is user and one.place is place:  # with what has moved here from the rooms before
                    one.touched = True
            await user.send(place.id, "!cancel")

    async def _asks(self, user: User, place: Place, dice: random.Random, what: str) -> None:
        if place.encrypted and dice.random() < 0.2:
            user.nio.invalidate_outbound_session(place.id)  # as clients do now and then: the bot gets a new key
        seed, count = dice.randrange(10**6), dice.choice((1, 1, 1, 2))
        flags = f"--steps {dice.choice((1, 2, 8))} --seed {seed} --count {count} --separate"
        line, seeds = (f"!draw otter {flags}", range(seed, seed + count)) if what != "ask" else ("!queue", range(0))
        at, deaf, room = time.monotonic(), place.deaf, place.id
        event_id = await user.send(room, line)
        touched = deaf or place.deaf or place.id != room
        self.said.append(Said(room, place, user, event_id, seeds, at, touched=touched))

    def _open(self) -> list[tuple[object, ...]]:
        with contextlib.suppress(sqlite3.Error):
            return rows(self.lab, "SELECT key FROM requests WHERE state <> 'done'")
        return []

    # ------------------------------------------------------------ faults

    async def _lane(self, names: list[str], together: asyncio.Semaphore, end: float) -> None:
        dice = random.Random(self.scene.dice.random())
        while time.monotonic() < end and not self.enough():
            await asyncio.sleep(dice.uniform(0.5, 6))
            async with together:
                if time.monotonic() >= end or self.enough():
                    return
                name = dice.choices(names, [KINDS[name].weight for name in names])[0]
                fault = Fault(name, time.monotonic(), float("inf"))
                self.faults.append(fault)
                try:
                    await self._do(name)
                finally:
                    fault.ended = time.monotonic()

    async def _do(self, name: str) -> None:
        """A fault may be in another one's way (the homeserver is down while somebody is kicked): tried again."""
        patience = time.monotonic() + PATIENCE
        while True:
            try:
                await KINDS[name].run(self.scene)
            except TROUBLES as error:
                if time.monotonic() >= patience:
                    raise RuntimeError(f"the fault {name} cannot be done: {error}") from error
                await self._up()
                await asyncio.sleep(1)
            else:
                return

    async def _up(self) -> None:
        for part in (self.lab.maubot, self.lab.worker):
            if not part.proc.alive():
                with contextlib.suppress(*TROUBLES):
                    await (part.start(instances=False) if part is self.lab.maubot else part.start())  # type: ignore[call-arg]

    # ------------------------------------------------------------ the end

    async def _settled(self) -> None:
        """Everything is up again, and nothing is open any more, on either side."""
        for place in self.scene.places:
            await self._heard(place)
        pending = "SELECT key, part, state FROM parts WHERE state IN ('ready', 'sending')"
        opened = "SELECT key, state, job_id, kind FROM requests WHERE state <> 'done' OR cancel_owed = 1"
        try:
            await until(lambda: not rows(self.lab, opened) and not rows(self.lab, pending), "the end", timeout=240)
        except TimeoutError:
            left = f"still open: {rows(self.lab, opened)} {rows(self.lab, pending)}"
            raise AssertionError(f"{left}\n{self.evidence()}") from None
        await asyncio.sleep(1)

    async def _heard(self, place: Place) -> None:
        """It answers again, so everything before this was seen."""
        try:
            await self.lab.answer(place.id, "!help", timeout=180)
        except TimeoutError as error:
            where = f"{place.id} ({'encrypted' if place.encrypted else 'plain'})"
            raise AssertionError(f"the bot is deaf in {where}\n{error}\n{self.evidence()}") from None

    def evidence(self) -> str:
        """What happened, and the last of Maubot's log."""
        start = min((fault.began for fault in self.faults), default=0.0)
        told = [f"{fault.began - start:7.1f}–{fault.ended - start:.1f} {fault.kind}" for fault in self.faults]
        handled = {row[0]: row[1] for row in rows(self.lab, "SELECT event_id, at FROM handled")}
        told += [f"{one.at - start:7.1f} {one.by.id} {one.event_id} {list(one.seeds)} {one.touched=} "
                 f"handled {handled.get(one.event_id)}" for one in self.said]  # fmt: skip
        requests = "SELECT key, state, outcome, room_id, asked_in, created_at, done_at FROM requests ORDER BY 6"
        told += map(str, rows(self.lab, requests))
        told += map(str, rows(self.lab, "SELECT key, part, state, reason, room_id, updated_at FROM parts ORDER BY 6"))
        log = [line for line in self.lab.maubot.proc.log_text().splitlines() if "[DEBUG@maubot.client" not in line]
        return "\n".join([*told, *log[-400:]])


def rows(lab: Lab, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{lab.plugin_database}?mode=ro", uri=True, timeout=20)) as database:
        return list(database.execute(query))
