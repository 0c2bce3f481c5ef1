"""How far the walks go, and that none of them stops another."""

from __future__ import annotations

from conftest import ROOM, Rig
from listening import Listening


async def test_rooms_that_cannot_be_read_hold_up_no_other(rig: Rig, listening: Listening) -> None:
    rig.server.read_limits = [60_000] * 3
    for name in ("!a:test", "!b:test", "!c:test"):
        await listening.sync(rig.server.say(name, "hello"), limited=True, room=name)
    await rig.until(lambda: not rig.server.read_limits)
    rig.server.say(ROOM, "!say missed")
    await listening.sync(rig.server.say(ROOM, "!say last"), limited=True)
    await listening.hear("!say missed", "!say last")
