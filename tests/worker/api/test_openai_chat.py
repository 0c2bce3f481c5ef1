"""OpenAI's chat completions, asked by OpenAI's own client: turns of chat like any other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from core_lab import Here, image, until, worker_here
from openai import AsyncOpenAI
from other_programs import based, on, openai_client, png

from doubles.ollama import OllamaDouble
from otterbot_worker.api.compat.openai.images import ROOM
from otterbot_worker.schemas.base import State

PLAIN = {"models": [{"name": "tiny", "prompt": "{{ .Prompt }}<think></think>"}]}
WHY: list[Any] = [{"role": "user", "content": "why do otters hold hands?"}]


@asynccontextmanager
async def chatting(folder: Path, **script: Any) -> AsyncIterator[tuple[AsyncOpenAI, Here, OllamaDouble]]:
    async with OllamaDouble(PLAIN | script) as double:
        async with worker_here(on(folder, chat={"ollama_url": double.url})) as here:
            async with openai_client(here.api.address) as client:
                yield client, here, double


def turns(double: OllamaDouble) -> list[Any]:
    """What the model was asked, the questions about its template and its loading aside."""
    asked = [entry["body"] for entry in double.requests if entry["path"] == "/api/chat"]
    return [body for body in asked if body.get("messages") and "_debug_render_only" not in body]


async def test_an_answer_comes_whole(tmp_path: Path) -> None:
    async with chatting(tmp_path) as (client, here, double):
        messages: list[Any] = [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "my name is Bo"}]},
            {"role": "assistant", "content": "Hello Bo"},
            {"role": "user", "content": "what is my name?"},
        ]
        answer = await client.chat.completions.create(model="tiny", messages=messages)
        choice = answer.choices[0]
        assert choice.message.content is not None
        assert choice.message.content.startswith("Heard 3 messages.\n- user: my name is Bo")
        assert turns(double)[-1]["messages"][0] == {"role": "system", "content": "Be brief."}
        assert (choice.finish_reason, answer.model) == ("stop", "tiny")
        assert answer.usage is not None
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
        (job,) = await here.parts.store.jobs("otterbot", room=ROOM, only_open=False, limit=9)
        assert (job.kind, job.private) == ("chat", True)


async def test_an_answer_streams(tmp_path: Path) -> None:
    async with chatting(tmp_path, token_s=0.02) as (client, _, _):
        stream = await client.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "#markdown please"}], stream=True,
            stream_options={"include_usage": True},
        )  # fmt: skip
        chunks = [chunk async for chunk in stream]
        pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
        assert sum(bool(piece) for piece in pieces) > 1
        assert "".join(pieces).startswith("**Otters** hold hands")
        assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
        assert chunks[-1].choices == []
        assert chunks[-1].usage is not None
        assert len({chunk.id for chunk in chunks}) == 1


async def test_how_words_are_chosen_reaches_the_model(tmp_path: Path) -> None:
    async with chatting(tmp_path) as (client, _, double):
        await client.chat.completions.create(
            model="tiny", messages=WHY, temperature=0.25, top_p=0.5, presence_penalty=1, frequency_penalty=-1, seed=5,
            max_completion_tokens=77,
        )  # fmt: skip
        options = turns(double)[-1]["options"]
        wanted = {"temperature": 0.25, "top_p": 0.5, "presence_penalty": 1, "frequency_penalty": -1, "seed": 5}
        assert wanted.items() <= options.items()
        assert options["num_predict"] == 77


async def test_pictures_of_a_conversation_are_shown(tmp_path: Path) -> None:
    async with chatting(tmp_path, models=[{**PLAIN["models"][0], "capabilities": ["completion", "vision"]}]) as lab:
        client, _, double = lab
        url = f"data:image/png;base64,{based(png())}"
        parts: list[Any] = [{"type": "text", "text": "what is it?"}, {"type": "image_url", "image_url": {"url": url}}]
        await client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": parts}])
        assert len(turns(double)[-1]["messages"][-1]["images"]) == 1
        for wrong in ("http://127.0.0.1/otter.png", "data:image/png;base64,bm8="):
            parts[1]["image_url"]["url"] = wrong
            with pytest.raises(openai.BadRequestError) as caught:
                await client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": parts}])
            assert caught.value.body["param"] == "messages"  # type: ignore[index]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "tools": ({"tools": [{"type": "function", "function": {"name": "x"}}]}, "tools"),
    "several answers": ({"n": 2}, "n"),
    "a form": ({"response_format": {"type": "json_object"}}, "response_format"),
    "an end": ({"stop": ["\n"]}, "stop"),
    "an unknown field": ({"extra_body": {"colour": "red"}}, "colour"),
    "a hot model": ({"temperature": 3}, "temperature"),
    "a tool's answer": ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]}, "messages"),
    "its own last word": ({"messages": [{"role": "assistant", "content": "x"}]}, "messages"),
    "no words": ({"messages": []}, "messages"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_cannot_be_is_refused_by_name(tmp_path: Path, case: str) -> None:
    fields, param = REFUSED[case]
    async with chatting(tmp_path) as (client, here, _):
        with pytest.raises(openai.BadRequestError) as caught:
            await client.chat.completions.create(**{"model": "tiny", "messages": WHY, **fields})
        assert caught.value.body["param"] == param  # type: ignore[index]
        assert await here.parts.store.open_counts() == (0, 0)


async def test_an_unknown_model_is_not_found(tmp_path: Path) -> None:
    async with chatting(tmp_path) as (client, _, _):
        with pytest.raises(openai.NotFoundError) as caught:
            await client.chat.completions.create(model="gpt-5", messages=WHY)
        assert caught.value.body["code"] == "model_not_found"  # type: ignore[index]


async def test_what_breaks_off_is_told(tmp_path: Path) -> None:
    async with chatting(tmp_path) as (client, _, double):
        said: list[Any] = [{"role": "user", "content": "#eof"}]
        answer = await client.chat.completions.create(model="tiny", messages=said)
        assert answer.choices[0].finish_reason == "length"
        await double.stop()
        with pytest.raises(openai.InternalServerError) as caught:
            await client.chat.completions.create(model="tiny", messages=WHY)
        assert caught.value.status_code == 503
        stream = await client.chat.completions.create(model="tiny", messages=WHY, stream=True)
        with pytest.raises(openai.APIError):
            _ = [chunk async for chunk in stream]


async def test_who_leaves_stops_the_model(tmp_path: Path) -> None:
    async with chatting(tmp_path, token_s=0.05) as (client, here, _):
        stream = await client.chat.completions.create(
            model="tiny", messages=[{"role": "user", "content": "#long"}], stream=True
        )
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                break
        await stream.close()

        async def cancelled() -> bool:
            jobs = await here.parts.store.jobs("otterbot", room=ROOM, only_open=False, limit=9)
            return [job.state for job in await here.parts.views.jobs(jobs)] == [State.CANCELLED]

        await until(cancelled)


async def test_it_has_its_turn_in_the_queue(tmp_path: Path) -> None:
    """Ollama needs the card: while a picture is drawn, the turn waits as the bot's would."""
    async with chatting(tmp_path) as (client, here, _):
        picture = await here.api.submit(image(prompt="slow otter", steps=20))
        await here.api.running(picture["id"])
        asked = asyncio.create_task(client.chat.completions.create(model="tiny", messages=WHY))

        async def waits() -> bool:
            jobs = await here.parts.store.jobs("otterbot", room=ROOM, only_open=True, limit=9)
            return len(jobs) == 1

        await until(waits)
        assert (await asked).choices[0].message.content
        assert (await here.api.job(picture["id"]))["state"] == "succeeded"
