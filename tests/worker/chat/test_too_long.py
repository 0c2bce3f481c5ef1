"""Conversations that are too long: nothing is cut in silence, and what is left out is said."""

from __future__ import annotations

import pytest
from talk import PLAIN, Talk, chats

from doubles.ollama import OllamaDouble
from otterbot_worker.chat import ModelOptions

NUMBERS = "".join(f"{n * 7919 % 9973},{n * 104729 % 99991}\n" for n in range(20))
"""Some 240 tokens in which nearly every character is one."""
CHINESE = "水獭为什么在睡觉时手牵着手?" * 12


async def test_an_old_conversation_is_trimmed_and_says_so(double: OllamaDouble) -> None:
    talk = Talk(double, defaults=ModelOptions(num_ctx=1024, num_predict=256))
    outcome = await talk.say(*["word " * 300] * 4, "last")
    assert "You said: last" in outcome.text
    assert outcome.left_out > 0
    sent = chats(double)[-1]["body"]["messages"]
    assert sent[-1]["content"] == "last"
    assert len(sent) < 5
    await talk.client.close()


async def test_every_request_forbids_to_cut_and_to_shift(double: OllamaDouble, talk: Talk) -> None:
    await talk.say("hello")
    assert [(entry["body"]["truncate"], entry["body"]["shift"]) for entry in chats(double)] == [(False, False)] * 2
    assert double.memory.loads == ["tiny"], "the load and the turn have the same options"


@pytest.mark.parametrize("template", ["go", "gguf"])
@pytest.mark.parametrize("text", [NUMBERS, CHINESE, "a;b;" * 150, "deadbeef0123 " * 40], ids=lambda text: text[:8])
async def test_what_the_estimate_gets_wrong_the_servers_numbers_put_right(
    double: OllamaDouble, talk: Talk, template: str, text: str
) -> None:
    double.update({"models": [{"name": "tiny", "template": template, "context": 2048}]})
    outcome = await talk.say("my name is Bo", *[text] * 8, "what is my name?")
    assert outcome.text.endswith("You said: what is my name?"), "the question was heard whole"
    left_out = 10 - len(chats(double)[-1]["body"]["messages"])
    assert left_out > 0
    assert (outcome.left_out, outcome.notes) == (left_out, [])
    assert f"Heard {10 - left_out} message" in outcome.text


async def test_the_ratio_of_a_model_is_learned(double: OllamaDouble, talk: Talk) -> None:
    double.update({"models": [{"name": "tiny", "tokens": 3.0}]})
    history = ["word " * 200] * 8
    await talk.say(*history, "one")
    refused = [entry for entry in chats(double) if entry["ended"] == 400]
    assert refused, "nobody knew yet how this model counts"
    await talk.say(*history, "two")
    assert [entry for entry in chats(double) if entry["ended"] == 400] == refused, "now it is known"


async def test_a_learned_ratio_leaves_out_no_more_than_has_to_be(double: OllamaDouble, talk: Talk) -> None:
    for _ in range(3):
        assert (await talk.say("word " * 400)).left_out == 0
    outcome = await talk.say(*["word " * 500] * 4, "two")
    assert outcome.left_out == 0, "2,600 tokens and the answer fit into 4,096"


@pytest.mark.parametrize("named", ["both", "context", "none"])
async def test_what_is_refused_without_numbers_is_trimmed_and_teaches_nothing(double: OllamaDouble, named: str) -> None:
    double.update({"models": [{"name": "tiny", "tokens": 1.11}], "names": named})
    talk = Talk(double, defaults=ModelOptions(num_predict=256))
    outcome = await talk.say(*["word " * 457] * 8, "one")
    assert outcome.text.endswith("You said: one")
    assert outcome.left_out > 0
    assert (await talk.fails("word " * 9_000)).code == "chat_too_long"
    learned = talk.client._turns.ratios.of(double.models["tiny:latest"].digest)
    assert 1 < learned < 1.15, "from what was counted, and from nothing made up"
    await talk.client.close()


async def test_one_conversation_of_signs_costs_no_other_one_its_memory(double: OllamaDouble, talk: Talk) -> None:
    for _ in range(2):
        await talk.say("word " * 400)
    double.update({"models": [PLAIN | {"tokens": 4.0}]})  # as another script would be counted
    await talk.say("word " * 400)
    double.update({"models": [PLAIN]})
    assert (await talk.say(*["word " * 500] * 4, "two")).left_out == 0, "2,600 tokens and the answer fit into 4,096"


@pytest.mark.parametrize("before", [(), ("hello", "Hi!")])
async def test_a_message_that_is_too_long(double: OllamaDouble, before: tuple[str, ...]) -> None:
    talk = Talk(double, defaults=ModelOptions(num_ctx=256))
    failure = await talk.fails(*before, "secret " * 1_000)
    assert failure.code == "chat_too_long"
    assert "256 fit" in failure.message
    assert "secret" not in failure.message + str(failure.details)
    await talk.client.close()


async def test_an_answer_that_the_context_ends_says_so(double: OllamaDouble) -> None:
    talk = Talk(double, defaults=ModelOptions(num_ctx=256, num_predict=200))
    outcome = await talk.say("1 " * 240)
    assert outcome.notes == ["The answer was cut because it and the conversation fill the model's 256 tokens."]
    double.update({"counts": False})
    assert (await talk.say("1 " * 240)).notes == outcome.notes, "nor where the server had read the conversation before"
    double.update({"counts": True})
    assert (await talk.fails("1 " * 252)).code == "chat_too_long", "no room for any answer"
    await talk.client.close()


@pytest.mark.parametrize("listed", [True, False])
async def test_a_context_beyond_the_models_own_is_lowered_to_it(
    double: OllamaDouble, caplog: pytest.LogCaptureFixture, listed: bool
) -> None:
    double.update({"models": [{"name": "tiny", "context": 512, "lists_context": listed}]})
    talk = Talk(double, defaults=ModelOptions(num_ctx=8192))
    for _ in range(3):
        await talk.say("hello")
    assert {entry["body"]["options"]["num_ctx"] for entry in chats(double)} == {512}
    assert {entry["body"]["options"]["num_predict"] for entry in chats(double)} == {512}
    assert [len(entry["body"]["messages"]) for entry in chats(double)] == [0, 1, 1, 1], "loaded once"
    assert double.count("/api/show") == (0 if listed else 1), "asked once, where the list does not say it"
    assert caplog.text.count("the model was made for 512") == 1, "said to the operator, once"
    await talk.client.close()


async def test_an_unknown_context_loads_nothing_with_every_turn(double: OllamaDouble) -> None:
    double.update({"models": [{"name": "tiny", "context": 0}]})
    talk = Talk(double, defaults=ModelOptions(num_ctx=8192))
    for _ in range(3):
        await talk.say("hello")
    assert [len(entry["body"]["messages"]) for entry in chats(double)] == [0, 1, 1, 1]
    long = await talk.say(*["word " * 300] * 4, "last")
    assert long.left_out > 0, "it has the context that the server gave it, not the one asked for"
    await talk.client.close()
