"""What Ollama's models take of the card, as far as it says."""

from __future__ import annotations

import asyncio

import pytest
from talk import Talk, until

from doubles.ollama import OllamaDouble
from otterbot_worker.chat.ollama.card_use import estimate
from otterbot_worker.chat.records import ModelOptions


@pytest.mark.parametrize(
    ("file", "context", "least", "most"),
    [
        (2_000_000_000, 4096, 2_450_000_000, 3_300_000_000),
        (4_700_000_000, 4096, 5_300_000_000, 6_500_000_000),
        (4_700_000_000, 8192, 5_900_000_000, 7_000_000_000),
    ],
)
def test_an_estimate_is_rather_too_much(file: int, context: int, least: int, most: int) -> None:
    """Weights and context as they are known of models of 3 and of 8 billion parameters at 4 bits."""
    assert least <= estimate(file, context) <= most


async def test_another_context_is_another_model_to_the_card(double: OllamaDouble) -> None:
    small, large = (Talk(double, defaults=ModelOptions(num_ctx=size)) for size in (1024, 2048))
    await small.say("hello")
    wanted = await large.client.card.wanted("tiny")
    assert wanted.loaded is None
    assert wanted.replaces == double.memory.rows()[0]["size_vram"] > 0
    assert wanted.key != (await small.client.card.wanted("tiny")).key
    got = await large.client.card.load("tiny", lambda _: None)
    assert got is not None
    assert got.key == wanted.key
    for talk in (small, large):
        await talk.client.close()


async def test_a_context_that_is_not_honoured_loads_nothing_anew(double: OllamaDouble) -> None:
    double.update({"models": [{"name": "tiny", "context": 0}]})
    talk = Talk(double, defaults=ModelOptions(num_ctx=4096))
    assert (await talk.client.card.wanted("tiny")).loaded is None
    await talk.client.card.load("tiny", lambda _: None)
    wanted = await talk.client.card.wanted("tiny")
    assert wanted.loaded is not None
    assert wanted.loaded.key != wanted.key, "it got another one"
    await talk.client.close()


async def test_a_load_that_goes_on_is_told(double: OllamaDouble, talk: Talk) -> None:
    double.update({"models": [{"name": "tiny", "load_s": 60}]})
    leaving = asyncio.create_task(talk.say("hello"))
    await until(lambda: bool(double.memory.runners))
    assert (await talk.client.card.loaded()).loading
    assert (await talk.client.card.wanted("tiny")).loading
    leaving.cancel()
    await talk.client.unload(5.0)
    assert not (await talk.client.card.loaded()).loading
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_what_runs_on_another_machine_takes_nothing_here(double: OllamaDouble) -> None:
    double.update({"models": [{"name": "big:cloud", "remote": True}]})
    talk = Talk(double, allow_cloud=True)
    assert (await talk.client.card.wanted("big:cloud")).elsewhere
    await talk.client.close()


async def test_a_model_with_layers_on_the_processor_is_split(double: OllamaDouble, talk: Talk) -> None:
    for share, split in ((0.5, True), (1.0, False), (0.0, False)):
        double.update({"models": [{"name": f"at{share}", "on_card": (share,)}]})
        await talk.say("hello", model=f"at{share}")
        found = {model.name: model.split for model in (await talk.client.card.loaded()).models}
        assert found[f"at{share}:latest"] is split
