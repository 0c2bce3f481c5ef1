"""What somebody gets who has just installed it, has no graphics card and no other model: a real picture."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab import Ev, Lab
from lab.judge import look


@pytest.fixture(scope="module")
async def lab(folder: Path) -> AsyncIterator[Lab]:
    async with Lab(folder / "first-run") as lab:
        yield lab


@pytest.fixture(params=[False, True], ids=["plain", "encrypted"])
async def room(lab: Lab, request: pytest.FixtureRequest) -> str:
    return await lab.room(encrypted=bool(request.param))


async def test_nothing_is_chosen(lab: Lab, room: str) -> None:
    (picture,) = await lab.draw(room, "!draw otter, cowboy hat")
    used = picture.record["used"]
    assert (used["model"], used["steps"], used["width"], used["height"]) == ("otter-mini", 20, 128, 128)
    said = (await lab.answer(room, "!status")).body
    assert "the small model that ships with Otterbot, because" in said
    assert "images.downloads" in said, "what to do for a better one"
    said = (await lab.answer(room, "!status")).body
    assert "images.downloads" not in said, "once a day is enough"
    assert "as before: `!status all`" in said


async def test_an_otter_in_a_cowboy_hat_is_to_be_seen(lab: Lab, room: str) -> None:
    """The bytes as a client decrypts them, judged by something that has never seen a picture of the model's."""
    lines = ("!draw otter, cowboy hat --count 2", "!draw owl")
    wanted = [("otter", "cowboy hat"), ("otter", "cowboy hat"), ("owl", "none")]
    pictures: list[Ev] = []
    for line in lines:
        pictures += await lab.draw(room, f"{line} --seed 1", count=2 if "--count" in line else 1)
    seen = await asyncio.to_thread(look, [await lab.user.image_bytes(picture) for picture in pictures])
    assert [(one["animal"], one["hat"]) for one in seen] == wanted, [str(one) for one in seen]
