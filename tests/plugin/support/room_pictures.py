"""Pictures in a room, the bot's and people's, and messages that are about them."""

from __future__ import annotations

from typing import Any

from command_rig import BOB, ROOM, Rig

USED = {
    "prompt": "otter", "negative_prompt": "ugly", "model": "ssd-1b", "model_hash": "x", "sampler": "UniPC", "steps": 30,
    "guidance_scale": 12.0, "width": 768, "height": 768, "seed": 7, "parser": "otterbot-1", "versions": {},
}  # fmt: skip
RECORD = {"v": 1, "asked": {"prompt": "otter", "steps": 30}, "used": USED, "took": 3.0}
FROM_ONE = {**RECORD, "used": {**USED, "init_image": "f" * 64, "strength": "0.35"}}
URL = "mxc://test/abc"


def reply(event_id: str) -> dict[str, Any]:
    return {"m.relates_to": {"m.in_reply_to": {"event_id": event_id}}}


def thread(root: str) -> dict[str, Any]:
    return {"m.relates_to": {"rel_type": "m.thread", "event_id": root, "is_falling_back": True,
                             "m.in_reply_to": {"event_id": root}}}  # fmt: skip


def image(rig: Rig, sender: str = BOB, **content: Any) -> str:
    whole = {"msgtype": "m.image", "body": "cat.png", "url": URL, "info": {"mimetype": "image/png"}, **content}
    return str(rig.homeserver.add(ROOM, sender, "m.room.message", whole)["event_id"])
