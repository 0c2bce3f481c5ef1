from __future__ import annotations

import asyncio
import logging
import socket

import pytest
from talk import Talk, chats, until

from doubles.ollama import OllamaDouble
from otterbot_worker.chat import ModelOptions, Unloaded
from otterbot_worker.chat.ollama import Ollama, OllamaSettings
from otterbot_worker.errors import JobFailed

# ---------------------------------------------------------------- an answer


async def test_an_answer_streams(double: OllamaDouble, talk: Talk) -> None:
    outcome = await talk.say("hello", "Hi!", "who am I?")
    assert outcome.complete
    assert outcome.model == "tiny"
    assert outcome.notes == []
    assert outcome.took > 0
    assert outcome.text == (
        "Heard 3 messages.\n- user: hello\n- assistant: Hi!\n- user: who am I?\n\nYou said: who am I?"
    )
    assert len(talk.texts) > 3
    assert all(outcome.text.startswith(text) for text in talk.texts)
    assert talk.phases == ["loading", "thinking", "streaming"]
    talk.phases.clear()
    await talk.say("again")
    assert talk.phases == ["thinking", "streaming"]
    assert double.memory.loads == ["tiny"]


async def test_the_options_are_the_same_for_every_request(double: OllamaDouble) -> None:
    talk = Talk(
        double, models={"tiny": ModelOptions(num_ctx=2048, num_predict=-1, temperature=0.5, more={"num_gpu": 9})}
    )
    for _ in range(2):
        await talk.say("hello")
    bodies = [entry["body"] for entry in chats(double)]
    assert {str(body["options"]) for body in bodies} == {
        str({"num_gpu": 9, "num_ctx": 2048, "num_predict": 2048, "temperature": 0.5})
    }
    assert {body["keep_alive"] for body in bodies} == {"300s"}
    assert [body["think"] for body in bodies if body["messages"]] == [False, False]
    assert double.memory.loads == ["tiny"]
    await talk.client.close()


async def test_the_text_is_reported_with_restraint(double: OllamaDouble) -> None:
    talk = Talk(double, text_interval=60.0)
    await talk.say("#long")
    assert len(talk.texts) == 1
    await talk.client.close()


async def test_line_separators_that_are_none(talk: Talk) -> None:
    outcome = await talk.say("#nel")
    assert outcome.text == "before\u0085between\u2028x\u2029after"
    assert outcome.complete


async def test_a_cut_answer_says_so(double: OllamaDouble) -> None:
    talk = Talk(double, defaults=ModelOptions(num_predict=3))
    outcome = await talk.say("hello")
    assert outcome.complete
    assert outcome.text == "Heard 1 message."
    assert outcome.notes == ["The answer was cut because it reached its greatest length."]
    await talk.client.close()


# ---------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("word", ["#error", "#killed", "#eof", "#cut"])
async def test_what_came_is_kept_when_it_breaks_off(talk: Talk, word: str) -> None:
    outcome = await talk.say(word)
    assert not outcome.complete
    assert outcome.text == "Otters hold hands because they"


@pytest.mark.parametrize("ending", ["error", "killed", "eof", "cut"])
async def test_nothing_came_before_it_broke_off(double: OllamaDouble, talk: Talk, ending: str) -> None:
    double.update({"rules": [{"when": "", "answer": "", "ending": ending}]})
    failure = await talk.fails("hello")
    assert failure.code == "chat_broke_off"


async def test_a_killed_server_keeps_what_came(double: OllamaDouble, talk: Talk) -> None:
    running = asyncio.create_task(talk.say("#slow"))
    await until(lambda: bool(talk.texts))
    await double.stop()
    outcome = await running
    assert not outcome.complete
    assert outcome.text.startswith("Heard")


async def test_silence_after_some_words(double: OllamaDouble) -> None:
    talk = Talk(double, chunk_timeout=0.2)
    outcome = await talk.say("#stall")
    assert not outcome.complete
    assert outcome.text == "Otters hold hands because they"
    await talk.client.close()


async def test_silence(double: OllamaDouble) -> None:
    talk = Talk(double, first_byte_timeout=0.2)
    failure = await talk.fails("#silence")
    assert failure.code == "chat_timeout"
    await until(lambda: chats(double)[-1]["ended"] == "gone")
    await talk.client.close()


async def test_a_slow_load_is_shown_as_loading(double: OllamaDouble, talk: Talk) -> None:
    double.update({"models": [{"name": "tiny", "load_s": 0.3}]})
    running = asyncio.create_task(talk.say("hello"))
    await until(lambda: "loading" in talk.phases)
    await asyncio.sleep(0.1)
    assert talk.phases == ["loading"]
    assert (await running).took >= 0.3


async def test_an_answer_without_end_is_ended(double: OllamaDouble) -> None:
    talk = Talk(double, total_timeout=0.7)
    outcome = await talk.say("#slow")
    assert not outcome.complete
    assert outcome.text.startswith("Heard")
    await talk.client.close()


async def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = Ollama(OllamaSettings(url=f"http://127.0.0.1:{taken.getsockname()[1]}/"))
        assert not (await client.status()).reachable
        assert (await client.unload(1.0)).gone, "a server that is not there holds nothing"
        with pytest.raises(JobFailed) as caught:
            await client.chat(None, [{"role": "user", "content": "x"}], on_text=print, on_phase=print)
        assert caught.value.code == "ollama_unreachable"
        await client.close()


async def test_somebody_else_listens() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    client = Ollama(OllamaSettings(url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"))
    assert not (await client.status()).reachable
    await client.close()
    server.close()


async def test_a_restarted_server_is_reached_again(double: OllamaDouble, talk: Talk) -> None:
    await talk.say("hello")
    await double.stop()
    assert (await talk.fails("hello")).code == "ollama_unreachable"
    await double.start()
    assert (await talk.say("hello")).complete


async def test_a_missing_model_comes_with_its_pull_command(talk: Talk) -> None:
    failure = await talk.fails("hello", model="llama3.2:3b")
    assert failure.code == "chat_model_missing"
    assert "`ollama pull llama3.2:3b`" in failure.message


async def test_no_model_at_all(double: OllamaDouble, talk: Talk) -> None:
    double.update({"models": []})
    assert (await talk.fails("hello", model=None)).code == "chat_model_missing"


async def test_a_name_that_is_none_is_not_repeated(talk: Talk) -> None:
    failure = await talk.fails("hello", model="tiny`; rm -rf /")
    assert failure.code == "chat_model_missing"
    assert "rm" not in failure.message


@pytest.mark.parametrize(("how", "reason"), [("oom", "out_of_memory"), ("crash", None)])
async def test_a_load_that_fails(double: OllamaDouble, talk: Talk, how: str, reason: str | None) -> None:
    double.update({"models": [{"name": "tiny", "load_fails": how}]})
    failure = await talk.fails("hello")
    assert failure.code == "chat_failed"
    assert failure.details.get("reason") == reason


async def test_a_full_queue(double: OllamaDouble, talk: Talk) -> None:
    double.update({"max_queue": 0})
    failure = await talk.fails("hello")
    assert failure.code == "chat_failed"
    assert "busy" in failure.message


async def test_logs_hold_no_words(double: OllamaDouble, talk: Talk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for word in ("#error", "#cut", "#nel", "canary"):
        await talk.say(f"canary {word}")
    await talk.fails("canary" * 9_000, model="nope")
    assert "canary" not in caplog.text


# ---------------------------------------------------------------- models


async def test_the_model_is_the_one_asked_for_the_configured_one_or_the_first(double: OllamaDouble) -> None:
    double.update(
        {
            "models": [
                {"name": "embed", "capabilities": ["embedding"]},
                {"name": "far", "remote": True},
                {"name": "big:120b-cloud"},
                {"name": "first"},
                {"name": "second:3b"},
            ]
        }
    )
    free, configured = Talk(double), Talk(double, model="second:3b")
    assert await free.client.resolve(None) == "first:latest"
    assert await configured.client.resolve(None) == "second:3b"
    assert await configured.client.resolve("first") == "first"
    for name in ("far", "FAR:latest", "big:120b-cloud", "unknown:cloud"):
        with pytest.raises(JobFailed) as caught:
            await free.client.resolve(name)
        assert caught.value.details["reason"] == "cloud_model"
    cloudy = Talk(double, allow_cloud=True)
    assert await cloudy.client.resolve("far") == "far"
    models = await free.client.models()
    assert [(model.name, model.remote) for model in models] == [
        ("far:latest", True),
        ("big:120b-cloud", True),
        ("first:latest", False),
        ("second:3b", False),
    ]
    assert double.count("/api/chat") == 0
    for talk in (free, configured, cloudy):
        await talk.client.close()


async def test_a_model_that_does_not_fit_is_loaded_again_alone(double: OllamaDouble, talk: Talk) -> None:
    double.update({"models": [{"name": "tiny", "on_card": [0.4, 1.0]}, {"name": "other"}]})
    await talk.say("hello", model="other")
    outcome = await talk.say("hello")
    assert double.memory.loads == ["other", "tiny", "tiny"]
    assert [row["name"] for row in double.memory.rows()] == ["tiny:latest"]
    assert outcome.notes == []


async def test_a_model_that_does_not_fit_at_all_says_so(double: OllamaDouble, talk: Talk) -> None:
    double.update({"models": [{"name": "tiny", "on_card": [0.4]}]})
    outcome = await talk.say("hello")
    assert double.memory.loads == ["tiny", "tiny"]
    assert outcome.notes == ["Only 40 % of the chat model fit on the card, so it answers slowly."]
    assert (await talk.say("hello")).notes == [], "once for each load"
    processor = Talk(double, on_gpu=False)
    await talk.client.unload(5.0)
    assert (await processor.say("hello")).notes == []
    await processor.client.close()


async def test_a_model_that_somebody_else_loaded_otherwise_is_loaded_anew(double: OllamaDouble, talk: Talk) -> None:
    other = Talk(double, defaults=ModelOptions(num_ctx=1024))
    await other.say("hello")
    await talk.say("hello")
    assert talk.phases[0] == "loading"
    assert double.memory.rows()[0]["context_length"] == 4096
    await other.client.close()


# ---------------------------------------------------------------- leaving, and the card


async def test_a_cancelled_turn_stops_the_server(double: OllamaDouble, talk: Talk) -> None:
    running = asyncio.create_task(talk.say("#slow"))
    await until(lambda: bool(talk.texts))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await until(lambda: chats(double)[-1]["ended"] == "gone", 1.0)
    assert double.memory.rows(), "the model stays"


async def test_unload(double: OllamaDouble, talk: Talk) -> None:
    double.update({"models": [{"name": "tiny"}, {"name": "other"}]})
    await talk.say("hello")
    await talk.say("hello", model="other")
    on_card = sum(row["size_vram"] for row in double.memory.rows())
    assert on_card > 0
    assert await talk.client.unload(5.0) == Unloaded(gone=True, on_card=on_card)
    assert double.memory.rows() == []
    assert await talk.client.unload(5.0) == Unloaded(gone=True, on_card=0)


async def test_unload_waits_for_the_end_of_a_stream(double: OllamaDouble, talk: Talk) -> None:
    double.update({"rules": [{"when": "x", "answer": "a b c d", "pause": 0.1}]})
    running = asyncio.create_task(talk.say("x"))
    await until(lambda: bool(talk.texts))
    assert (await talk.client.unload(5.0)).gone
    assert (await running).complete
