"""A language model that asks for a picture: whatever its arguments are, the client is told plain words, or nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from core_lab import Here, Json, chat, settings, worker_here

from doubles.ollama import OllamaDouble
from doubles.openai_server import OpenAIDouble
from otterbot_worker.chat import ToolCall
from otterbot_worker.runner import drawings

FOX: Json = {"name": "draw_picture", "arguments": {"prompt": "a red fox in the snow", "aspect": "landscape"}}
CAN: Json = {"models": [{"name": "tiny", "capabilities": ["completion", "tools"]}]}
CANNOT: Json = {"models": [{"name": "tiny", "capabilities": ["completion"]}]}


def may_draw(key: str = "key-00001", text: str = "show me a fox") -> Json:
    body = chat(key, text)
    body["request"]["draws"] = True
    return body


@asynccontextmanager
async def with_ollama(folder: Path, script: Json, **rule: Any) -> AsyncIterator[tuple[Here, OllamaDouble]]:
    async with OllamaDouble(script | {"rules": [{"when": "fox", **rule}]}) as double:
        async with worker_here(settings(folder, chat={"ollama_url": double.url})) as here:
            yield here, double


def tools_of(double: OllamaDouble) -> list[Any]:
    bodies = [entry["body"] for entry in double.requests if entry["path"] == "/api/chat"]
    return [body.get("tools") for body in bodies if body["messages"] and body.get("stream")]


async def test_what_it_asks_for_is_told_with_its_answer(tmp_path: Path) -> None:
    async with with_ollama(tmp_path, CAN, answer="Here it comes.", calls=[FOX]) as (here, double):
        turn = (await here.api.done((await here.api.submit(may_draw()))["id"]))["turn"]
        assert turn["result"]["text"] == "Here it comes."
        assert turn["result"]["draws"] == {
            "prompt": "a red fox in the snow", "negative_prompt": None, "aspect": "landscape",
        }  # fmt: skip
        [[tool]] = tools_of(double)
        assert tool["function"]["name"] == "draw_picture"
        assert tool["function"]["parameters"]["required"] == ["prompt"]
        other = (await here.api.done((await here.api.submit(chat("key-00002", "a fox?")))["id"]))["turn"]
        assert other["result"]["draws"] is None
        assert tools_of(double)[1] is None, "a room that does not allow it"


async def test_it_may_ask_without_a_word(tmp_path: Path) -> None:
    async with with_ollama(tmp_path, CAN, answer="", calls=[FOX]) as (here, _):
        job = await here.api.done((await here.api.submit(may_draw()))["id"])
        assert (job["state"], job["turn"]["result"]["text"]) == ("succeeded", "")
        assert job["turn"]["result"]["draws"]["prompt"] == "a red fox in the snow"


async def test_a_model_that_has_not_learned_it_is_told_of_no_tools(tmp_path: Path) -> None:
    async with with_ollama(tmp_path, CANNOT, answer="No hands.", calls=[FOX]) as (here, double):
        turn = (await here.api.done((await here.api.submit(may_draw()))["id"]))["turn"]
        assert (turn["result"]["text"], turn["result"]["draws"], turn["result"]["notes"]) == ("No hands.", None, [])
        assert tools_of(double) == [None]


async def test_a_call_in_pieces_and_a_server_that_takes_no_tools(tmp_path: Path) -> None:
    async with OpenAIDouble(fits=5_000) as double:
        double.rules = [{"when": "fox", "answer": "Look:", "calls": [FOX]}]
        async with worker_here(
            settings(tmp_path, chat={"backend": "openai", "url": double.url, "ollama_url": None})
        ) as here:
            turn = (await here.api.done((await here.api.submit(may_draw()))["id"]))["turn"]
            assert turn["result"]["draws"]["prompt"] == "a red fox in the snow"
            double.refuses = {"tools"}
            for key, notes in (("key-00002", 1), ("key-00003", 0)):
                turn = (await here.api.done((await here.api.submit(may_draw(key)))["id"]))["turn"]
                assert (turn["result"]["text"], turn["result"]["draws"]) == ("Look:", None)
                assert len(turn["result"]["notes"]) == notes, "said once"
            assert [("tools" in one["body"]) for one in double.chats] == [True, True, False, False]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
        (500, "tools param requires --jinja flag"),
        (404, "No endpoints found that support tool use"),
        (400, "registry.ollama.ai/library/tiny:latest does not support tools"),
    ],
)
async def test_refusals_of_tools_as_servers_put_them(tmp_path: Path, status: int, words: str) -> None:
    async with OpenAIDouble(fits=5_000) as double:
        double.rules = [{"when": "fox", "answer": "Words only."}]
        double.refused_tools = status, words
        async with worker_here(
            settings(tmp_path, chat={"backend": "openai", "url": double.url, "ollama_url": None})
        ) as here:
            turn = (await here.api.done((await here.api.submit(may_draw()))["id"]))["turn"]
            assert turn["result"]["text"] == "Words only."
            assert len(double.chats) == 2


async def test_a_call_that_broke_off_draws_nothing(tmp_path: Path) -> None:
    async with with_ollama(tmp_path, CAN, answer="I will", calls=[FOX], ending="eof") as (here, _):
        turn = (await here.api.done((await here.api.submit(may_draw()))["id"]))["turn"]
        assert (turn["result"]["complete"], turn["result"]["draws"]) == (False, None)


async def test_it_is_forgotten_as_the_text_is(tmp_path: Path) -> None:
    async with with_ollama(tmp_path, CAN, answer="", calls=[FOX]) as (here, _):
        job = await here.api.done((await here.api.submit(may_draw()))["id"])
        await here.parts.store.forget(job["created_at"] + 7_200)
        assert (await here.api.job(job["id"]))["turn"]["result"]["draws"] is None


@pytest.mark.parametrize(
    ("arguments", "prompt"),
    [
        ({"prompt": "fox --steps 200 --count 8 !draw @room"}, "fox draw room"),
        ({"prompt": "fox <lora:evil:2> (huge:9), [a|b]"}, "fox huge, a b"),
        ({"prompt": "x" * 50_000}, "x" * 1_000),
        ({"prompt": "fox", "aspect": "9:1", "negative_prompt": "--no", "steps": 5, "model": "x"}, "fox"),
        ({"prompt": ["fox"]}, None),
        ({"prompt": "\u202e\x00"}, None),
        ({}, None),
    ],
)
def test_arguments_are_hostile(arguments: Json, prompt: str | None) -> None:
    found, notes = drawings.asked([ToolCall(name="draw_picture", arguments=arguments)])
    assert (found.prompt if found is not None else None) == prompt
    assert notes == ([] if found is not None else [drawings.UNUSABLE])
    if found is not None:
        assert (found.aspect, found.negative_prompt) == (None, None)


def test_one_picture_at_most_and_no_other_tool() -> None:
    fox, owl = (ToolCall(name="draw_picture", arguments={"prompt": word}) for word in ("fox", "owl"))
    found, notes = drawings.asked([ToolCall(name="rm", arguments={"prompt": "all"}), fox, owl])
    assert found is not None
    assert (found.prompt, notes) == ("fox", [drawings.MORE])
    assert drawings.asked([ToolCall(name="rm", arguments={"prompt": "all"})]) == (None, [drawings.UNUSABLE])
    assert drawings.asked([]) == (None, [])
