"""What every chat backend keeps to, so that the runner, the lease and the API need to know none of them.

A new backend adds a function like `ollama` to ``BACKENDS``: its client, and a server or a double of one that answers as
`ollama_answers` says and takes no more than some 250 words.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from talk import chats, until
from talking import Talking

from doubles.chat_backend import Mind, SmallBackend
from doubles.ollama import OllamaDouble
from doubles.openai_server import OpenAIDouble
from otterbot_worker.chat import ModelOptions, Unloaded
from otterbot_worker.chat.ollama import Ollama, OllamaSettings
from otterbot_worker.chat.openai import OpenAI, OpenAISettings
from otterbot_worker.chat.records import BackendSettings
from otterbot_worker.errors import JobFailed

QUICK: dict[str, Any] = {"first_byte_timeout": 0.2, "chunk_timeout": 0.2}


@dataclass(kw_only=True)
class Lab(Talking):
    """A backend at its server. ``running``: answers that the server works on; ``on_card``: models that it has there."""

    leave: Callable[[], Awaitable[None]]
    running: Callable[[], int]
    on_card: Callable[[], int]
    heard: Callable[[], int]
    """Messages of the last conversation that the server took or refused."""
    rules: Callable[[list[dict[str, Any]]], None]


@asynccontextmanager
async def ollama(**settings: Any) -> AsyncIterator[Lab]:
    async with OllamaDouble({"models": [{"name": "tiny", "capabilities": ["completion", "thinking"]}]}) as double:
        options = ModelOptions(num_ctx=256, num_predict=96, think=True)
        client = Ollama(OllamaSettings(url=double.url, defaults=options, text_interval=0.0, **settings))
        try:
            yield Lab(
                backend=client,
                leave=double.stop,
                running=lambda: sum(entry["ended"] is None for entry in chats(double)),
                on_card=lambda: len(double.memory.rows()),
                heard=lambda: len(chats(double)[-1]["body"]["messages"]),
                rules=lambda rules: double.update({"rules": rules}),
            )
        finally:
            await client.close()


@asynccontextmanager
async def small(**settings: Any) -> AsyncIterator[Lab]:
    mind = Mind()
    backend = SmallBackend(mind, BackendSettings(text_interval=0.0, **settings))

    async def leave() -> None:
        mind.here = False

    yield Lab(
        backend=backend,
        leave=leave,
        running=lambda: mind.running,
        on_card=lambda: 0,
        heard=lambda: len(mind.heard[-1]),
        rules=lambda rules: mind.rules.extend(rules),
    )


@asynccontextmanager
async def openai(**settings: Any) -> AsyncIterator[Lab]:
    async with OpenAIDouble() as double:
        client = OpenAI(OpenAISettings(url=double.url, text_interval=0.0, **settings))
        try:
            yield Lab(
                backend=client,
                leave=double.stop,
                running=lambda: double.running,
                on_card=lambda: 0,
                heard=lambda: len(double.chats[-1]["body"]["messages"]),
                rules=double.rules.extend,
            )
        finally:
            await client.close()


Make = Callable[..., AbstractAsyncContextManager[Lab]]
BACKENDS: dict[str, Make] = {"ollama": ollama, "openai": openai, "small": small}


@pytest.fixture(params=list(BACKENDS.values()), ids=list(BACKENDS))
def make(request: pytest.FixtureRequest) -> Make:
    made: Make = request.param
    return made


# ---------------------------------------------------------------- what there is


async def test_it_says_what_it_has(make: Make) -> None:
    async with make() as lab:
        status = await lab.backend.status()
        assert (status.reachable, status.problem) == (True, None)
        assert status.default in [model.name for model in status.models]
        assert [model.name for model in await lab.backend.models()] == [model.name for model in status.models]
        assert all(model.chats and model.digest for model in status.models)
        assert lab.backend.name[0].isupper(), "sentences begin with it"
        if lab.backend.capabilities.knows_context:
            assert all(model.context for model in status.models)


async def test_a_default_that_it_does_not_have_is_said_as_a_chat_would(make: Make) -> None:
    async with make(model="nope") as lab:
        status = await lab.backend.status()
        assert status.reachable
        assert status.problem == (await lab.fails("hello")).message


async def test_nobody_answers(make: Make) -> None:
    async with make() as lab:
        await lab.leave()
        status = await lab.backend.status()
        assert not status.reachable
        failure = await lab.fails("hello")
        assert failure.code == "ollama_unreachable"
        assert failure.message == status.problem
        assert lab.backend.name in failure.message
        with pytest.raises(JobFailed):
            await lab.backend.models()
        if lab.backend.card is not None:
            with pytest.raises(JobFailed):
                await lab.backend.card.loaded()
            with pytest.raises(JobFailed):
                await lab.backend.card.wanted(None)
        assert (await lab.backend.unload(1.0)).gone, "a server that is not there holds nothing"


async def test_it_is_closed_twice(make: Make) -> None:
    async with make() as lab:
        await lab.say("hello")
        await lab.backend.close()
        await lab.backend.close()


# ---------------------------------------------------------------- an answer


async def test_an_answer_streams(make: Make) -> None:
    async with make() as lab:
        await lab.say("hello")
        outcome = await lab.say("my name is Bo", "Hello Bo", "who am I?")
        assert outcome.text.startswith("Heard 3 messages.")
        assert outcome.text.endswith("You said: who am I?")
        assert outcome.complete
        assert outcome.notes == []
        assert outcome.took > 0
        assert outcome.model == (await lab.backend.status()).default
        assert len(lab.texts) > 3
        assert all(later.startswith(earlier) for earlier, later in pairwise([*lab.texts, outcome.text])), "cumulative"
        assert lab.phases == ["thinking", "streaming"]
        assert (outcome.usage is not None) is lab.backend.capabilities.counts_tokens


@pytest.mark.parametrize("word", ["#think", "#inline-think", "#open-think"])
async def test_thoughts_are_not_shown(make: Make, word: str) -> None:
    async with make() as lab:
        for _ in range(3):
            outcome = await lab.say(word)
            assert outcome.text.startswith("Heard 1 message.")
            assert not [text for text in [*lab.texts, outcome.text] if "plan" in text or "think>" in text]
            assert lab.phases[-2:] == ["thinking", "streaming"]


async def test_several_turns_at_once_do_not_mix(make: Make) -> None:
    async with make() as lab:
        first, second = await asyncio.gather(lab.say("one"), lab.say("two"))
        assert (first.text[-3:], second.text[-3:]) == ("one", "two")


# ---------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("word", ["#eof", "#stall"])
async def test_what_came_is_kept_when_it_breaks_off(make: Make, word: str) -> None:
    async with make(**QUICK) as lab:
        await lab.say("hello")
        outcome = await lab.say(word)
        assert not outcome.complete
        assert outcome.text == "Otters hold hands because they"
        await until(lambda: lab.running() == 0)


async def test_nothing_came_before_it_broke_off(make: Make) -> None:
    async with make() as lab:
        lab.rules([{"when": "now", "answer": "", "ending": "eof"}])
        assert (await lab.fails("now")).code == "chat_broke_off"


async def test_silence(make: Make) -> None:
    async with make(**QUICK) as lab:
        assert (await lab.fails("#silence")).code == "chat_timeout"
        await until(lambda: lab.running() == 0)


async def test_an_answer_without_end_is_ended(make: Make) -> None:
    async with make(total_timeout=0.8) as lab:
        await lab.say("hello")
        assert not (await lab.say("#slow")).complete
        await until(lambda: lab.running() == 0)


async def test_an_answer_that_is_too_long_is_cut_and_stops_the_server(make: Make) -> None:
    async with make() as lab:
        lab.rules([{"when": "endless", "pieces": ["x" * 999 + "\n"] * 90, "pause": 0.02}])
        await lab.say("hello")
        outcome = await lab.say("endless")
        assert 59_000 < len(outcome.text) <= 60_000, "it can come back as history"
        assert outcome.notes == ["The answer was cut because it reached its greatest length."]
        await until(lambda: lab.running() == 0, 0.5)


async def test_an_empty_answer_is_none(make: Make) -> None:
    async with make() as lab:
        for word in ("#empty", "#only-think"):
            assert (await lab.fails(word)).code == "chat_failed"


async def test_a_model_that_is_not_there(make: Make) -> None:
    async with make() as lab:
        assert (await lab.fails("hello", model="nope")).code == "chat_model_missing"


async def test_a_conversation_that_does_not_fit_is_trimmed_and_says_by_how_much(make: Make) -> None:
    async with make() as lab:
        outcome = await lab.say(*["word " * 40] * 8, "last")
        assert outcome.complete
        assert outcome.text.endswith("You said: last")
        left_out = 9 - lab.heard()
        assert 0 < left_out < 8
        assert outcome.left_out == left_out


async def test_a_message_that_does_not_fit_alone(make: Make) -> None:
    async with make() as lab:
        failure = await lab.fails("hello", "Hi!", "secret " * 1_000)
        assert failure.code == "chat_too_long"
        assert "secret" not in failure.message + str(failure.details)
        assert " 0 fit" not in failure.message


async def test_logs_hold_no_words(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with make(**QUICK) as lab:
        for word in ("", "#eof", "#stall", "#nel"):
            await lab.say(f"canary {word}")
        await lab.fails("canary " * 1_000, model=None)
        await lab.fails("canary", model="nope")
    assert "canary" not in caplog.text


# ---------------------------------------------------------------- leaving, and the card


async def test_a_cancelled_turn_stops_the_server(make: Make) -> None:
    async with make() as lab:
        await lab.say("hello")
        lab.texts.clear()
        running = asyncio.create_task(lab.say("#slow"))
        await until(lambda: bool(lab.texts))
        assert lab.running() == 1
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await until(lambda: lab.running() == 0)


async def told_of_the_card(lab: Lab) -> None:
    """Who needs the card says what is on it, and what a turn would take; then nothing is there."""
    card = lab.backend.card
    assert (card is not None) is lab.backend.capabilities.needs_card
    if card is None:
        return
    [model] = (await card.loaded()).models
    assert model.on_card > 0
    wanted = await card.wanted(None)
    assert (wanted.loaded, wanted.key) == (model, model.key)
    assert not wanted.elsewhere
    await lab.backend.unload(5.0)
    await until(lambda: lab.on_card() == 0)
    assert (await card.loaded()).models == []
    wanted = await card.wanted(None)
    assert wanted.loaded is None
    assert wanted.estimate > 0
    assert await card.load(None, lambda _: None) == model


async def test_it_leaves_the_card(make: Make) -> None:
    async with make() as lab:
        await lab.say("hello")
        assert bool(lab.on_card()) is lab.backend.capabilities.needs_card
        await told_of_the_card(lab)
        left = await lab.backend.unload(5.0)
        assert left.gone
        assert (left.on_card > 0) is lab.backend.capabilities.needs_card
        assert lab.on_card() == 0
        assert await lab.backend.unload(5.0) == Unloaded(gone=True, on_card=0)
        assert (await lab.say("again")).complete
