"""From an accepted request to its picture in the room."""

from __future__ import annotations

from conftest import ROOM, Rig


async def test_a_picture_comes_as_a_reply_with_all_that_belongs_to_it(rig: Rig) -> None:
    request = await rig.ask()
    [event] = await rig.server.wait(lambda: rig.server.pictures(ROOM))
    content = event["content"]
    assert content["m.relates_to"] == {"m.in_reply_to": {"event_id": request.event_id}}
    assert content["info"]["w"] == content["info"]["h"] == 8
    assert content["info"]["mimetype"] == "image/png"
    assert content["info"]["xyz.amorgan.blurhash"]
    assert content["info"]["thumbnail_info"]["w"] == 8
    assert rig.server.media[content["url"]].startswith(b"\x89PNG")
    assert rig.server.media[content["info"]["thumbnail_url"]]
    assert content["filename"].endswith(".png")
    assert content["body"].startswith("an otter")
    assert content["m.mentions"] == {}
    assert content["org.otterbot"]["key"] == request.key
    assert content["org.otterbot"]["part"] == "picture/0"
    assert content["org.otterbot"]["record"]["used"]["seed"] == 7
    assert (await rig.done(request)).outcome == "succeeded"
    await rig.server.wait(lambda: rig.worker_server.delivered)
    await rig.server.wait(lambda: rig.reactions() == ["⏳", "✅"])
    await rig.server.wait(lambda: rig.server.of_bot(ROOM, "m.room.redaction"))
