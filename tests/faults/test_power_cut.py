"""The power fails under Maubot right after an answer: encryption goes on where it was, for both sides.

A kill cannot show this. What a program has written survives it, synced or not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab import Lab
from lab.power import why_not
from lab.timeline import timeline

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "-")

CUTS = 2


@pytest.fixture
async def lab(folder: Path) -> AsyncIterator[Lab]:
    async with Lab(folder / "power-cut", disks=True) as lab:
        yield lab


async def test_keys_are_used_once_and_kept(lab: Lab) -> None:
    """Before each cut both sides have new keys that only the last seconds know: the member's, and the bot's."""
    room = await lab.room(encrypted=True)
    for _ in range(CUTS):
        lab.user.nio.invalidate_outbound_session(room)
        mark = lab.user.mark()
        asked = await lab.user.send(room, "!draw otter --steps 1")
        await lab.user.wait_for(lab.reaction(asked, "✅"), mark, 60)
        await lab.cut_power("maubot")
        await lab.answer(room, "!help", timeout=60)
        await lab.draw(room, "!draw otter --steps 1")
    unreadable = [event.event_id for event in await timeline(lab.user, room) if event.undecryptable]
    assert unreadable == []
