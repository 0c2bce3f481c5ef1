"""``--expand``: a language model writes the prompt around the words, and what it wrote is drawn again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from doubles.ollama import OllamaDouble
from lab import Lab

SAID = "an old otter in a cowboy hat, desert at sunset, watercolor"
SCRIPT = {"models": [{"name": "tiny"}], "rules": [{"when": "otter", "answer": SAID}]}


@pytest.fixture(scope="module")
async def ollama() -> AsyncIterator[OllamaDouble]:
    async with OllamaDouble(SCRIPT) as double:
        yield double


@pytest.fixture(scope="module")
async def lab(folder: Path, ollama: OllamaDouble) -> AsyncIterator[Lab]:
    chat = {"backend": "ollama", "ollama_url": ollama.url, "default_model": "tiny"}
    async with Lab(folder / "expand", worker_config={"chat": chat}) as lab:
        yield lab


def asked(double: OllamaDouble) -> list[str]:
    chats = [entry["body"] for entry in double.requests if entry["path"] == "/api/chat"]
    return [body["messages"][-1]["content"] for body in chats if body["messages"] and body.get("stream")]


async def test_the_prompt_is_written_once_and_both_are_shown(lab: Lab, room: str, ollama: OllamaDouble) -> None:
    before = len(asked(ollama))
    (first,) = await lab.draw(room, "!draw otter, cowboy hat --expand --steps 2 --seed 5")
    assert first.record["used"]["prompt"] == SAID
    assert first.record["used"]["expansion"] == {"prompt": "otter, cowboy hat", "model": "tiny"}
    assert SAID in first.body
    assert "Written by tiny from: otter, cowboy hat" in first.body
    said = (await lab.answer(room, "!info", reply=first.event_id)).body
    assert f"Prompt: {SAID}" in said
    assert "Expanded from: otter, cowboy hat" in said
    assert "Expanded by: tiny" in said

    (again,) = await lab.draw(room, "!again --seed same")
    assert again.record["used"] == first.record["used"]
    assert asked(ollama)[before:] == ["otter, cowboy hat"], "nothing is written twice"

    ollama.update({"rules": [{"when": "otter", "answer": "otter, cowboy hat, at the sea"}]})
    (anew,) = await lab.draw(room, "!again --expand")
    assert anew.record["used"]["prompt"] == "otter, cowboy hat, at the sea"
    assert anew.record["used"]["expansion"]["prompt"] == "otter, cowboy hat"
    ollama.update(SCRIPT)


async def test_a_room_that_wants_it_and_a_model_that_is_not_there(lab: Lab, room: str, ollama: OllamaDouble) -> None:
    await lab.answer(room, "!settings expand on", by=lab.admin)
    (one,) = await lab.draw(room, "!draw otter --steps 2")
    assert one.record["used"]["prompt"] == SAID
    (plain,) = await lab.draw(room, "!draw otter --verbatim --steps 2")
    assert (plain.record["used"]["prompt"], plain.record["used"].get("expansion")) == ("otter", None)
    ollama.update({"rules": [{"when": "otter", "ending": "killed"}]})
    (own,) = await lab.draw(room, "!draw otter --steps 2")
    assert own.record["used"]["prompt"] == "otter"
    assert "The prompt was not expanded: The chat model broke off before it said anything." in own.body
    ollama.update(SCRIPT)
