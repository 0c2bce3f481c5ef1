"""From a reaction on a picture to its request at the worker. Goal: median <= 0.3 s beside the homeserver's own time.

    scripts/setup --dev && PYTHONPATH=tests .venvs/test/bin/python benchmarks/reaction_latency.py [--reactions 20]

A real Synapse, Maubot, worker and independent clients, all on this machine. A person puts 🔁 under the newest picture;
the clock runs from when another person's client sees the reaction (what the homeserver takes to bring it is over by
then) until a proxy before the worker gets `POST /v1/jobs` of that reaction. In between are the bot's own sync, the
picture's event read from the homeserver and decrypted, permissions, settings, and the transaction that stores the
request. One at a time, warm; plain and encrypted room in turn.
"""

from __future__ import annotations

import asyncio
import json
import time

from room_rounds import Once, measure

from lab import Ev, Lab
from lab.lab import key_of
from lab.proxy import Seen

LINE = "!draw otter, cowboy hat --steps 2 --size 96x96"


class Submissions:
    """When each request came to the worker, by its key."""

    def __init__(self, lab: Lab) -> None:
        self.at: dict[str, float] = {}
        self._news = asyncio.Event()
        self._rule = lab.worker_proxy.counting("POST", r"/v1/jobs$", also=self._note)

    def _note(self, seen: Seen) -> bool:
        self.at.setdefault(json.loads(seen.body)["key"], time.monotonic())
        self._news.set()
        return True

    async def of(self, key: str) -> float:
        while key not in self.at:
            self._news.clear()
            await self._news.wait()
        return self.at[key]


async def once(lab: Lab, room: str, picture: Ev, submissions: Submissions) -> tuple[Ev, float, float]:
    """The picture that came of a reaction on that one; seconds from the reaction's sending to the request, and of them
    those after another client has seen it."""
    mark, seen_from = lab.user.mark(), lab.admin.mark()
    started = time.monotonic()
    reaction = await lab.user.react(room, picture.event_id, "🔁")
    seen = await lab.admin.wait_for(lambda event: event.event_id == reaction, seen_from)
    submitted = await submissions.of(key_of(lab.bot, room, reaction))
    again = await lab.user.wait_for(lab.reply_to(picture.event_id, msgtype="m.image"), mark, 60)
    return again, submitted - started, submitted - seen.seen


async def prepare(lab: Lab, rooms: dict[str, str]) -> Once:
    submissions = Submissions(lab)
    newest = {kind: (await lab.draw(room, LINE))[0] for kind, room in rooms.items()}

    async def react(kind: str, room: str) -> tuple[float, float]:
        newest[kind], total, own = await once(lab, room, newest[kind], submissions)
        return total, own

    return react


if __name__ == "__main__":
    measure(
        prepare,
        description="Reaction to request, beside the homeserver's own time.",
        rounds="--reactions",
        way="reaction → request",
        ours="after it was seen",
        goal=0.3,
    )
