"""A worker whose disk is full: said at once to whoever asks anew, waited for where the room was told it is kept."""

from __future__ import annotations

from lab import Lab

from .conftest import QUICK


async def test_what_was_kept_waits_for_room_on_the_disk(lab: Lab) -> None:
    room = await lab.room()
    config = dict(lab.worker.config)
    mark = lab.user.mark()
    await lab.worker.stop()
    try:
        kept = await lab.user.send(room, f"!draw otter --seed 11 {QUICK}")
        status = await lab.user.wait_for(lab.reply_to(kept, msgtype="m.notice"), mark)
        assert "💤" in status.body
        lab.worker.config = {**config, "archive": {**config.get("archive", {}), "min_free_gb": 1e9}}
        await lab.worker.start()
        await lab.user.wait_for(
            lambda event: event.edits == status.event_id and "disk is full. I keep this" in event.body, mark, timeout=60
        )
        assert "nearly full" in (await lab.answer(room, "!status")).body
        refused = await lab.user.send(room, f"!draw badger {QUICK}")
        assert "disk is full" in (await lab.user.wait_for(lab.reply_to(refused, msgtype="m.notice"), mark)).body
        await lab.user.wait_for(lab.reaction(refused, "❌"), mark)
    finally:
        lab.worker.config = config
        await lab.worker.restart()
    picture = await lab.user.wait_for(lab.reply_to(kept, msgtype="m.image"), mark, timeout=90)
    assert picture.record["used"]["seed"] == 11
    assert len(await lab.pictures(room)) == 1
    assert "nearly full" not in (await lab.answer(room, "!status")).body
