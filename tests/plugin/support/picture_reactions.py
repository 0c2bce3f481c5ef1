"""Reactions on pictures that a rig has drawn, and what they lead to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from homeserver_double import ROOM

from otterbot.store.rows import Request

if TYPE_CHECKING:
    from listening import Listening
    from plugin_rig import Rig

ANNA, BERT, STRANGER = "@anna:test", "@bert:test", "@eve:elsewhere"


async def drawn(rig: Rig, **more: Any) -> str:
    """A picture that stands in the room."""
    await rig.done(await rig.ask(sender=ANNA, **more))
    return str(rig.server.pictures(ROOM)[-1]["event_id"])


def react(rig: Rig, target: str, emoji: str, sender: str = BERT) -> dict[str, Any]:
    relation = {"rel_type": "m.annotation", "event_id": target, "key": emoji}
    return rig.server.add(ROOM, sender, "m.reaction", {"m.relates_to": relation})


def take_back(rig: Rig, reaction: dict[str, Any], sender: str = BERT) -> dict[str, Any]:
    return rig.server.add(ROOM, sender, "m.room.redaction", {"redacts": reaction["event_id"]})


async def passed(listening: Listening, word: str = "!say on") -> None:
    """Until everything before it has been handled."""
    listening.heard.clear()
    await listening.sync(listening.rig.server.say(ROOM, word))
    await listening.hear(word)


async def jobs(rig: Rig, count: int) -> list[dict[str, Any]]:
    await rig.until(lambda: len(rig.worker_server.jobs) >= count, timeout=8)
    await asyncio.sleep(0.05)
    found = list(rig.worker_server.jobs.values())
    assert len(found) == count
    return found


async def by_reaction(rig: Rig, target: str, emoji: str, sender: str = BERT) -> Request:
    for _ in range(400):
        if (found := await rig.store.request_by_reaction(target, sender, emoji.rstrip("\ufe0f"))) is not None:
            return found
        await asyncio.sleep(0.02)
    raise AssertionError("no request")
