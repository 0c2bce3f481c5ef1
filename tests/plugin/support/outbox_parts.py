"""Parts for the outbox, and how far they got."""

from __future__ import annotations

import asyncio
import time

from plugin_rig import ROOM, Rig

from otterbot.matrix import event_content
from otterbot.store.rows import Part, PartState, Rank


def note(name: str, text: str = "hello", *, rank: Rank = Rank.REFUSAL, key: str = "k", room: str = ROOM) -> Part:
    ours = {event_content.OUR_KEY: event_content.ours(key, name)}
    content = {"msgtype": "m.notice", "body": text, "m.mentions": {}, **ours}
    return Part(key=key, part=name, room_id=room, rank=rank, content=content)


async def state(rig: Rig, part: Part) -> PartState:
    found = await rig.store.part(*part.id)
    assert found is not None
    return found.state


async def sent(rig: Rig, part: Part, timeout: float = 60) -> None:
    end = time.monotonic() + timeout
    while await state(rig, part) is not PartState.SENT:
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


async def failed(rig: Rig, key: str, name: str) -> None:
    """Until that part is marked so."""
    end = time.monotonic() + 60
    while (part := await rig.store.part(key, name)) is None or part.state is not PartState.FAILED:
        assert time.monotonic() < end
        await asyncio.sleep(0.02)
