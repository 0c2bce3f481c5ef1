"""Sweeps: what is refused before anything is drawn."""

from __future__ import annotations

from lab import Lab


async def test_what_cannot_be_swept_is_said_before_anything_is_drawn(lab: Lab, room: str) -> None:
    for line, part in (
        ("!draw otter --sweep cgf=4..16", "Did you mean `cfg`?"),
        ("!draw otter --sweep seed=1..30/30", "at most 25"),
        ("!draw otter --sweep size=64,128", "`size 64x64`"),
        ("!draw otter --sweep words=boots|crown", "`boots`"),
    ):
        said = await lab.answer(room, line)
        assert part.replace("`", "") in said.body.replace("`", ""), said.body
    assert not await lab.pictures(room)
