"""``!status`` about chat: ready only where one can work."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from command_rig import Rig


@pytest.mark.parametrize(
    ("about", "own", "said"),
    [
        ({}, None, "ready, with `llama3.2:3b`"),
        ({"chat_problem": "The chat model nope is not installed."}, None, "nope is not installed"),
        ({"chat_problem": "No chat model is installed.", "chat_model": None}, None, "No chat model is installed"),
        (
            {"ollama": "unreachable", "chat_problem": "The address is wrong (HTTP 404)."},
            None,
            "is wrong (HTTP 404)",
        ),
        (
            {"ollama": "unreachable", "chat_problem": "The address is wrong (HTTP 404)."},
            "x",
            "is wrong (HTTP 404)",
        ),
        ({"ollama": "unreachable", "chat_backend": "The chat server"}, None, "The chat server does not answer"),
        ({"chat_notice": "It is tiny."}, None, "ready, with `llama3.2:3b`. It is tiny."),
        ({"chat_backend": "The built-in model"}, "llama3.2", "The operator can name another one"),
        ({}, "LLAMA3.2:3b", "ready, with `LLAMA3.2:3b`"),
        ({"chat_problem": "The chat model nope is not installed."}, "llama3.2:3b", "ready, with `llama3.2:3b`"),
        ({}, "llama3.2", "`ollama pull llama3.2`"),
        ({}, "ssd-1b", "is not among the worker's chat models"),
    ],
)
async def test_status_says_ready_only_where_a_chat_can_work(
    rig: Rig, about: dict[str, Any], own: str | None, said: str
) -> None:
    rig.worker.info |= about
    values = rig.services.config.current
    rig.services.config.current = replace(values, chat=replace(values.chat, model=own))
    line = next(line for line in (await rig.answer("!status")).splitlines() if line.startswith("- Chat:"))
    assert said in line.replace("\\", "")
    assert ("ready" in line) == ("ready" in said)


async def test_a_list_that_cannot_be_had_is_no_list_without_the_model(rig: Rig) -> None:
    values = rig.services.config.current
    rig.services.config.current = replace(values, chat=replace(values.chat, model="llama3.2:3b"))
    rig.services.worker._models = None
    rig.worker.catalogue = None
    said = await rig.answer("!status")
    assert "did not say whether it is installed" in said


async def test_a_model_on_somebody_elses_machines_is_not_offered(rig: Rig) -> None:
    away = {"name": "far:cloud", "kind": "chat", "about": "", "available": False, "problem": "It runs elsewhere."}
    rig.worker.catalogue = {**rig.worker.catalogue, "models": [*rig.worker.catalogue["models"], away]}
    rig.services.worker._models = None
    assert "far:cloud" not in await rig.answer("!models")
    values = rig.services.config.current
    rig.services.config.current = replace(values, chat=replace(values.chat, model="far:cloud"))
    assert "It runs elsewhere" in await rig.answer("!status")


async def test_a_long_list_of_chat_models_is_cut(rig: Rig) -> None:
    many = [{"name": f"chat-{number}", "kind": "chat", "about": "", "available": True} for number in range(100)]
    rig.worker.catalogue = {**rig.worker.catalogue, "models": [*rig.worker.catalogue["models"], *many]}
    rig.services.worker._models = None
    said = await rig.answer("!models")
    assert "chat-1" in said.replace("\\", "")
    assert "chat-99" not in said.replace("\\", "")
    assert " more." in said
