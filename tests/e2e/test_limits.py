"""A homeserver with its default rate limits: ten events at once, then one in five seconds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab import Lab

from .conftest import QUICK


@pytest.fixture(scope="module")
async def lab(folder: Path) -> AsyncIterator[Lab]:
    async with Lab(folder / "limits", limits=True) as lab:
        yield lab


async def test_every_picture_comes_though_the_homeserver_says_429(lab: Lab) -> None:
    """Twelve pictures are more than the burst; the homeserver's refusals are obeyed and nothing is lost."""
    room = await lab.room(encrypted=True)
    mark = lab.user.mark()
    first = await lab.user.send(room, f"!draw otter --seed 100 {QUICK} --count 6 --separate")
    second = await lab.user.send(room, f"!draw badger --seed 200 {QUICK} --count 6 --separate")
    await lab.user.wait_all(lab.from_bot(room, msgtype="m.image"), 12, mark, timeout=120)
    pictures = await lab.pictures(room)
    seeds = sorted(picture.seed for picture in pictures)
    assert seeds == [*range(100, 106), *range(200, 206)]
    assert {picture.event.replies_to for picture in pictures} == {first, second}
    sends = [line for line in lab.matrix_proxy.log if line.startswith("PUT") and "/send/" in line]
    assert len(sends) < 60, "refusals are waited out, not hammered at"


async def test_what_an_operator_does_against_it(lab: Lab) -> None:
    operator = await lab.synapse.register("operator", admin=True)
    await lab.synapse.lift_limits(lab.bot, operator)
    room = await lab.room()
    mark = lab.user.mark()
    asked = await lab.user.send(room, f"!draw otter {QUICK} --count 8 --separate")
    await lab.user.wait_all(lab.reply_to(asked, msgtype="m.image"), 8, mark, timeout=60)
    await lab.user.wait_for(lab.reaction(asked, "✅"), mark, timeout=10)
