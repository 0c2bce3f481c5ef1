"""A language model that may draw: the picture comes beside its answer, as a request of the person who asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from doubles.ollama import OllamaDouble
from lab import Lab

FOX = {"name": "draw_picture", "arguments": {"prompt": "a red fox --steps 9, @room", "aspect": "square"}}
SCRIPT = {
    "models": [{"name": "tiny", "capabilities": ["completion", "tools"]}],
    "rules": [{"when": "fox", "answer": "Look at this one.", "calls": [FOX]}],
}


@pytest.fixture(scope="module")
async def ollama() -> AsyncIterator[OllamaDouble]:
    async with OllamaDouble(SCRIPT) as double:
        yield double


@pytest.fixture(scope="module")
async def lab(folder: Path, ollama: OllamaDouble) -> AsyncIterator[Lab]:
    chat = {"backend": "ollama", "ollama_url": ollama.url, "default_model": "tiny"}
    async with Lab(folder / "chat-draws", worker_config={"chat": chat}, plugin={"draw": {"steps": 2}}) as lab:
        yield lab


async def test_the_picture_comes_beside_the_answer(lab: Lab, room: str, ollama: OllamaDouble) -> None:
    plain = await lab.answer(room, "!chat show me a fox")
    assert "`!draw" not in plain.new_content["body"], "the room has not allowed it"
    await lab.answer(room, "!settings chat_draws on", by=lab.admin)

    mark = lab.user.mark()
    asked = await lab.user.send(room, "!chat show me a fox")
    picture = await lab.user.wait_for(lambda e: e.room_id == room and e.msgtype == "m.image", mark, 120)
    assert picture.record["used"]["prompt"] == "a red fox, room"
    assert (picture.record["used"]["steps"], picture.record["asked"]["count"]) == (2, 1)
    assert picture.thread == asked
    said = [e for e in lab.user.events[mark:] if e.sender == lab.bot and "`!draw" in str(e.new_content.get("body"))]
    assert said[-1].new_content["body"] == "Look at this one.\n\n🎨 `!draw a red fox, room --ar square`"
    assert picture.replies_to in {said[-1].event_id, said[-1].edits}
    await lab.user.wait_for(lab.reaction(str(picture.replies_to), "✅"), mark, 30)

    mark = lab.user.mark()
    second = await lab.user.send(room, "and now without hands", thread=asked)
    await lab.user.wait_for(lab.reaction(second, "✅"), mark, 60)
    heard = [entry["body"]["messages"] for entry in ollama.requests if entry["path"] == "/api/chat"][-1]
    assert heard[-2]["content"] == "Look at this one.\n\n[A picture was drawn: a red fox, room]"
    pictures = [e for e in lab.user.events if e.room_id == room and e.msgtype == "m.image"]
    assert len(pictures) == 1
