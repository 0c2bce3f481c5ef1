"""Answers that stand in a thread, and what the model is told of them."""

from __future__ import annotations

from typing import Any

from chat_servers import BOT, ROOM, Rig

from otterbot.chat import formatting
from otterbot.store.rows import key_of


def answered(
    rig: Rig, question: dict[str, Any], root: str, *texts: str, edit: str | None = None
) -> list[dict[str, Any]]:
    """An answer of the bot's in the thread."""
    key = key_of(BOT, ROOM, question["event_id"], edit)
    relation = formatting.thread_relation(root, question["event_id"])
    return [
        rig.server.add(
            ROOM, BOT, "m.room.message", formatting.message(text, key, f"chat/{n}") | {"m.relates_to": relation}
        )
        for n, text in enumerate(texts, 1)
    ]


async def told(rig: Rig, event: dict[str, Any], **more: Any) -> list[tuple[str, str]]:
    messages = await rig.history.build_messages(rig.request(event, **more))
    return [(message["role"], message["content"]) for message in messages]
