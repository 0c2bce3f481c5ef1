"""An OpenAI-compatible server that refuses, misbehaves and breaks, and what people are told of it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from talk import until

from doubles.openai_server import OpenAIDouble
from otterbot_worker.chat import ChatOutcome, Message, ModelOptions
from otterbot_worker.chat.openai import OpenAI, OpenAISettings
from otterbot_worker.chat.openai.failures import Asked, ServerRefused, from_answer
from otterbot_worker.chat.openai.home import HomeResolver, LeavesHome
from otterbot_worker.chat.openai.http import MAX_ERROR
from otterbot_worker.errors import JobFailed

KEY = "sk-canary-0123456789"
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class Talk:
    def __init__(self, client: OpenAI) -> None:
        self.client = client
        self.texts: list[str] = []

    async def say(self, text: str, *, images: list[str] | None = None, model: str | None = None) -> ChatOutcome:
        message: Message = {"role": "user", "content": text}
        if images is not None:
            message["images"] = images
        return await self.client.chat(model, [message], on_text=self.texts.append, on_phase=lambda _: None)

    async def fails(self, text: str = "hello", model: str | None = None) -> JobFailed:
        with pytest.raises(JobFailed) as caught:
            await self.say(text, model=model)
        return caught.value


@asynccontextmanager
async def talking(double: OpenAIDouble, **settings: Any) -> AsyncIterator[Talk]:
    client = OpenAI(OpenAISettings(**({"url": double.url, "text_interval": 0.0} | settings)))
    try:
        yield Talk(client)
    finally:
        await client.close()


def last(double: OpenAIDouble) -> dict[str, Any]:
    body = double.chats[-1]["body"]
    assert isinstance(body, dict)
    return body


# ---------------------------------------------------------------- what is asked


async def test_a_request_says_no_more_than_the_settings() -> None:
    async with OpenAIDouble() as double, talking(double) as talk:
        await talk.say("hello")
        assert last(double) == {
            "model": "tiny",
            "messages": [{"role": "user", "content": "hello"}],
            "stream": True,
            "max_tokens": 1024,
            "stream_options": {"include_usage": True},
        }
        assert "Authorization" not in double.chats[-1]["headers"]


async def test_options_of_a_model_are_sent() -> None:
    options = ModelOptions(num_predict=7, temperature=0.5, think="low", more={"top_p": 0.9, "stream": False})
    async with OpenAIDouble() as double, talking(double, models={"tiny": options}) as talk:
        await talk.say("hello")
        asked = last(double)
        assert (asked["max_tokens"], asked["temperature"], asked["top_p"]) == (7, 0.5, 0.9)
        assert asked["reasoning_effort"] == "low"
        assert asked["stream"] is True, "nobody but the worker says that"


async def test_an_address_without_a_path_means_the_usual_one() -> None:
    async with OpenAIDouble() as double, talking(double, url=f"http://localhost:{double.port}/") as talk:
        assert (await talk.say("hello")).complete


async def test_tokens_are_counted() -> None:
    async with OpenAIDouble() as double, talking(double) as talk:
        usage = (await talk.say("hello")).usage
        assert usage is not None
        assert (usage.prompt_tokens, usage.answer_tokens) == (11, 7)


# ---------------------------------------------------------------- fields and pictures that are refused


async def test_a_field_that_is_refused_is_left_out_said_once_and_remembered() -> None:
    options = ModelOptions(temperature=0.5, think=False)
    refuses = ("temperature", "chat_template_kwargs", "stream_options")
    async with OpenAIDouble(refuses=refuses) as double, talking(double, defaults=options) as talk:
        first = await talk.say("hello")
        assert first.complete
        assert len(double.chats) == 4
        assert [note for note in first.notes if "temperature" in note]
        assert len(first.notes) == 3
        second = await talk.say("hello again")
        assert len(double.chats) == 5, "what it does not take is known by now"
        assert second.notes == []
        assert set(last(double)) == {"model", "messages", "stream", "max_tokens"}


async def test_what_one_model_refuses_another_gets() -> None:
    async with OpenAIDouble(models=("tiny", "other"), refuses=("temperature",)) as double:
        async with talking(double, defaults=ModelOptions(temperature=0.5)) as talk:
            await talk.say("hello", model="tiny")
            double.refuses.clear()
            await talk.say("hello", model="other")
            assert last(double)["temperature"] == 0.5
            await talk.say("hello", model="tiny")
            assert "temperature" not in last(double)


async def test_the_length_of_an_answer_has_two_names() -> None:
    async with OpenAIDouble(refuses=("max_tokens",)) as double, talking(double) as talk:
        outcome = await talk.say("hello")
        assert outcome.notes == [], "nothing is lost"
        assert last(double)["max_completion_tokens"] == 1024
        double.refuses.add("max_completion_tokens")
        without = await talk.say("hello")
        assert without.complete
        assert not {"max_tokens", "max_completion_tokens"} & set(last(double))
        assert "max_completion_tokens" in without.notes[0]


async def test_a_picture_that_is_refused_is_left_out_and_said() -> None:
    async with OpenAIDouble() as double, talking(double) as talk:
        for turn in (1, 2):
            outcome = await talk.say("what is this?", images=[PICTURE])
            assert outcome.text.endswith("You said: what is this?")
            said = "so it answers from the words alone; none that is installed is known to."
            assert outcome.notes == [f"The chat model tiny does not see pictures, {said}"]
            assert len(double.chats) == turn + 1, "the second time it is known"
        assert (await talk.say("thanks")).notes == []


async def test_a_model_that_sees_gets_the_picture() -> None:
    async with OpenAIDouble(sees=True) as double, talking(double) as talk:
        assert (await talk.say("what is this?", images=[PICTURE])).notes == []
        text, picture = last(double)["messages"][0]["content"]
        assert text == {"type": "text", "text": "what is this?"}
        assert picture["image_url"]["url"] == f"data:image/png;base64,{PICTURE}"


async def test_refusals_without_end_end() -> None:
    """A server that names another field of the request each time."""
    async with OpenAIDouble() as double, talking(double, defaults=ModelOptions(temperature=0.5)) as talk:
        words = "temperature max_tokens max_completion_tokens stream_options model messages stream"
        double.fails(400, {"message": words})
        assert (await talk.fails()).code == "chat_failed"
        assert len(double.chats) <= 6


# ---------------------------------------------------------------- errors, each its sentence


@pytest.mark.parametrize(
    ("status", "error", "headers", "code", "said"),
    [
        (401, {"message": "bad key"}, {}, "chat_failed", "wants a key (HTTP 401)"),
        (403, {"message": "forbidden"}, {}, "chat_failed", "wants a key (HTTP 403)"),
        (404, {"message": "The model `tiny` does not exist"}, {}, "chat_model_missing", "has no model tiny"),
        (404, "404 page not found", {}, "ollama_unreachable", "address is wrong (HTTP 404)"),
        (307, {"message": "over there"}, {"Location": "http://127.0.0.1:9/"}, "ollama_unreachable", "address is wrong"),
        (429, {"message": "slow down"}, {"Retry-After": "20"}, "chat_failed", "ask again in 20 seconds."),
        (429, {"message": "slow down"}, {"Retry-After": "1800"}, "chat_failed", "ask again in 30 minutes."),
        (429, {"message": "slow down"}, {"Retry-After": "Wed, 21 Oct"}, "chat_failed", "ask again later."),
        (429, {"message": "no", "code": "insufficient_quota"}, {}, "chat_failed", "credit there is used up"),
        (500, {"message": "CUDA out of memory"}, {}, "chat_failed", "not enough memory"),
        (502, "<html>Bad gateway</html>", {}, "chat_failed", "out of order (HTTP 502)"),
        (503, {"message": "busy"}, {}, "chat_failed", "busy with others"),
        (400, {"message": "no such thing"}, {}, "chat_failed", "refused the message"),
    ],
)
async def test_each_error_has_its_sentence(
    status: int, error: Any, headers: dict[str, str], code: str, said: str
) -> None:
    async with OpenAIDouble() as double, talking(double) as talk:
        double.fails(status, error, headers)
        failure = await talk.fails()
        assert failure.code == code
        assert said in failure.message
        assert failure.message.endswith(".")


def test_a_404_of_the_list_is_a_wrong_address() -> None:
    failure = from_answer(
        ServerRefused(404, {"error": {"message": "model not found"}}), Asked(name="It", with_key=True)
    )
    assert failure.code == "ollama_unreachable"


async def test_a_wrong_key_is_said_and_never_told(caplog: pytest.LogCaptureFixture) -> None:
    """OpenAI's answer repeats the key."""
    caplog.set_level(logging.DEBUG)
    async with OpenAIDouble(key="another") as double, talking(double, key=KEY) as talk:
        status = await talk.client.status()
        failure = await talk.fails()
        assert status.reachable
        assert failure.message == status.problem
        assert "does not accept the worker's key (HTTP 401)" in failure.message
        double.key = KEY
        assert (await talk.say("hello")).complete
        double.fails(400, {"message": f"{KEY} is not allowed"})
        told = repr([(await talk.fails()).message, talk.client, OpenAISettings(url=double.url, key=KEY)])
    assert KEY not in caplog.text + told + str(failure.details) + failure.message


async def test_a_load_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otterbot_worker.chat.openai.session.LOAD_LOOK_SECONDS", 0.01)
    async with OpenAIDouble() as double, talking(double) as talk:
        double.fails(503, {"message": "Loading model", "type": "unavailable_error"})
        turn = asyncio.create_task(talk.say("hello"))
        await until(lambda: len(double.chats) > 2)
        double.fault = None
        assert (await turn).complete


async def test_a_load_without_end_is_given_up() -> None:
    async with OpenAIDouble() as double, talking(double, load_timeout=0.0) as talk:
        double.fails(503, {"message": "Loading model"})
        failure = await talk.fails()
        assert failure.code == "chat_timeout"
        assert "still loading" in failure.message


@pytest.mark.parametrize("word", ["#error", "#killed", "#cut"])
async def test_a_stream_that_breaks_keeps_what_came(word: str) -> None:
    async with OpenAIDouble() as double, talking(double) as talk:
        outcome = await talk.say(word)
        assert (outcome.complete, outcome.text) == (False, "Otters hold hands because they")
        assert "/home/ann" not in repr(outcome)


@pytest.mark.parametrize("garbage", ["<html>", "[1]", '"x"', "1" * 5_000, "[" * 100_000])
async def test_a_stream_that_is_none(garbage: str) -> None:
    async with raw_server(f"data: {garbage}\n\n".encode()) as url, talking(OpenAIDouble(), url=url) as talk:
        assert (await talk.fails()).code == "chat_broke_off"


async def test_keeping_a_connection_alive_is_no_answer() -> None:
    async with OpenAIDouble() as double, talking(double, first_byte_timeout=0.3, chunk_timeout=0.3) as talk:
        assert (await talk.fails("#silence")).code == "chat_timeout"
        assert not (await talk.say("#stall")).complete
        await until(lambda: double.running == 0)


# ---------------------------------------------------------------- what comes in other shapes


@asynccontextmanager
async def raw_server(answer: bytes, content_type: str = "text/event-stream") -> AsyncIterator[str]:
    """Answers every chat with these bytes."""

    async def chat(_: web.Request) -> web.Response:
        return web.Response(body=answer, content_type=content_type)

    async def models(_: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": "tiny", "max_model_len": 512}]})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_get("/v1/models", models)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


def event(**choice: Any) -> str:
    return "data: " + json.dumps({"choices": [choice]}) + "\n\n"


@pytest.mark.parametrize(
    "stream",
    [
        event(delta={"content": "Otters."}) + event(delta={}, finish_reason="stop"),
        event(delta={"content": "Otters."}, finish_reason="stop").rstrip("\n"),
        event(delta={"content": "Otters."}, finish_reason="stop").replace("\n", "\r\n") + "data: [DONE]\r\n\r\n",
        ": hello\n\nevent: message\n" + event(delta={"content": "Otters.", "reasoning": None}, finish_reason="stop"),
        event(delta={"reasoning": "Hm."}) + event(delta={"content": "Otters."}, finish_reason="stop"),
        event(delta={"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]})
        + event(delta={"content": [{"type": "text", "text": "Otters."}]}, finish_reason="stop"),
        event(delta={"content": "<think>Hm.</think>Otters."}, finish_reason="stop"),
        event(delta=None) + 'data: {"choices": []}\n\n' + event(delta={"content": "Otters."}, finish_reason="stop"),
    ],
)
async def test_dialects_of_streams(stream: str) -> None:
    async with raw_server(stream.encode()) as url, talking(OpenAIDouble(), url=url) as talk:
        outcome = await talk.say("hello")
        assert (outcome.text, outcome.complete) == ("Otters.", True)


async def test_a_server_that_does_not_stream() -> None:
    answer = {"choices": [{"message": {"role": "assistant", "content": "Otters."}, "finish_reason": "stop"}]}
    async with raw_server(json.dumps(answer).encode(), "application/json") as url:
        async with talking(OpenAIDouble(), url=url) as talk:
            assert (await talk.say("hello")).text == "Otters."


async def test_an_answer_that_is_kept_back() -> None:
    async with raw_server(event(delta={}, finish_reason="content_filter").encode()) as url:
        async with talking(OpenAIDouble(), url=url) as talk:
            assert "as its rules say" in (await talk.fails()).message


async def test_an_error_without_end_is_not_read_to_its_end() -> None:
    async with OpenAIDouble() as double, talking(double) as talk:
        double.fails(400, "x" * (10 * MAX_ERROR))
        assert (await talk.fails()).code == "chat_failed"


@pytest.mark.parametrize(
    "words",
    [
        "This model's maximum context length is 256 tokens. However, your messages resulted in 300 tokens.",
        "This model's maximum context length is 256 tokens. However, you requested 1300 tokens (300 in the messages, "
        "1000 in the completion).",
    ],
)
async def test_openais_words_for_what_is_too_long(words: str) -> None:
    async with OpenAIDouble() as double, talking(double) as talk:
        double.fails(400, {"message": words, "code": "context_length_exceeded"})
        failure = await talk.fails()
        assert failure.code == "chat_too_long"
        assert "(300 tokens, and 256 fit)" in failure.message


# ---------------------------------------------------------------- models


async def test_models_that_do_not_chat_are_not_listed() -> None:
    names = ("text-embedding-3-small", "gpt-5", "whisper-1", "gpt-image-1", "llama3.1:latest")
    async with OpenAIDouble(models=names) as double, talking(double) as talk:
        assert [model.name for model in await talk.client.models()] == ["gpt-5", "llama3.1:latest"]
        assert (await talk.say("hello")).model == "gpt-5"
        assert (await talk.say("hello", model="llama3.1")).model == "llama3.1:latest"
        assert "is not made for chat" in (await talk.fails(model="whisper-1")).message


async def test_a_long_list_is_not_asked_for_before_each_turn() -> None:
    async with OpenAIDouble() as double, talking(double, model="tiny") as talk:
        for _ in range(3):
            await talk.say("hello")
        assert double.listed == 1
        assert (await talk.fails(model="new")).code == "chat_model_missing"
        double.models.append("new")
        assert (await talk.say("hello", model="new")).complete


# ---------------------------------------------------------------- staying at home


async def test_a_name_that_leads_outside_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def outside(*_: object) -> list[dict[str, str]]:
        return [{"host": "93.184.216.34"}]

    monkeypatch.setattr("aiohttp.resolver.ThreadedResolver.resolve", outside)
    with pytest.raises(LeavesHome):
        await HomeResolver().resolve("llm.lan")
    async with talking(OpenAIDouble(), url="http://llm.lan:8080/v1") as talk:
        failure = await talk.fails()
        assert "leads out of the operator's network" in failure.message
        assert failure.code == "ollama_unreachable"
