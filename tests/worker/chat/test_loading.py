"""A load goes on, whoever leaves; it ends where the card is needed."""

from __future__ import annotations

import asyncio

import pytest
from talk import PLAIN, Talk, chats, until

from doubles.ollama import OllamaDouble


async def test_a_load_longer_than_the_first_tokens_time_is_waited_for(double: OllamaDouble) -> None:
    double.update({"models": [PLAIN | {"load_s": 0.8}]})
    talk = Talk(double, first_byte_timeout=0.2, total_timeout=0.6)
    outcome = await talk.say("hello")
    assert outcome.complete
    assert talk.phases == ["loading", "thinking", "streaming"]
    assert double.memory.loads == ["tiny"]
    await talk.client.close()


async def test_a_load_goes_on_when_whoever_waited_has_left(double: OllamaDouble, talk: Talk) -> None:
    double.update({"models": [{"name": "tiny", "load_s": 0.5}]})
    leaving = asyncio.create_task(talk.say("hello"))
    await until(lambda: bool(double.memory.runners))
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert (await talk.say("again")).complete
    assert double.memory.loads == ["tiny"], "the one load served the second"
    assert chats(double)[0]["ended"] == "done"


async def test_two_who_wait_share_a_load(double: OllamaDouble, talk: Talk) -> None:
    double.update({"models": [{"name": "tiny", "load_s": 0.3}]})
    first, second = await asyncio.gather(talk.say("one"), talk.say("two"))
    assert (first.complete, second.complete) == (True, True)
    assert sum(not entry["body"]["messages"] for entry in chats(double)) == 1


async def test_the_card_being_needed_ends_a_load(double: OllamaDouble, talk: Talk) -> None:
    double.update({"models": [{"name": "tiny", "load_s": 60}]})
    leaving = asyncio.create_task(talk.say("hello"))
    await until(lambda: bool(double.memory.runners))
    leaving.cancel()
    left = await talk.client.unload(5.0)
    assert (left.gone, left.load_stopped) == (True, True)
    await until(lambda: not double.memory.runners)
    assert (await talk.client.unload(5.0)).load_stopped is False
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_a_load_without_end_has_one(double: OllamaDouble) -> None:
    double.update({"models": [{"name": "tiny", "load_s": 60}]})
    talk = Talk(double, load_timeout=0.2)
    failure = await talk.fails("hello")
    assert failure.code == "chat_timeout"
    assert "may still be" not in failure.message
    await until(lambda: not double.memory.runners)
    await talk.client.close()


async def test_a_model_that_left_before_its_turn_is_loaded_by_itself(double: OllamaDouble) -> None:
    """Silence before the first token can be a load, and leaving that would abort it."""
    double.update({"models": [{"name": "tiny", "load_s": 0.6}]})
    talk = Talk(double, first_byte_timeout=0.3)
    await talk.say("hello")
    real = talk.client._preload.ready

    async def gone_meanwhile(*arguments: object) -> list[str]:
        notes = await real(*arguments)  # type: ignore[arg-type]
        talk.client._preload.ready = real  # type: ignore[method-assign]
        await double.memory.unload(double.models["tiny:latest"])
        return notes

    talk.client._preload.ready = gone_meanwhile  # type: ignore[method-assign, assignment]
    assert (await talk.say("again")).complete
    await talk.client.close()


async def test_a_load_that_fails_fails_for_all_and_is_tried_again(double: OllamaDouble, talk: Talk) -> None:
    double.update({"models": [{"name": "tiny", "load_s": 0.1, "load_fails": "crash"}]})
    assert (await talk.fails("hello")).code == "chat_failed"
    double.update({"models": [{"name": "tiny"}]})
    assert (await talk.say("hello")).complete
