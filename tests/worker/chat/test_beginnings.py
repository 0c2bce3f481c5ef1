"""Thoughts stay out of rooms: apart from the answer, marked in it, or with only their end marked.

What has grown in a room stays in its history. So what is shown while an answer streams counts as much as the answer.
"""

from __future__ import annotations

from typing import Any

import pytest
from talk import PLAIN, Talk, chats, renders

from doubles.ollama import OllamaDouble
from otterbot_worker.chat import Beginnings, ModelOptions
from otterbot_worker.chat.beginnings import HELD, MOST, Beginning, Leaves
from otterbot_worker.chat.chosen import Chosen
from otterbot_worker.chat.records import ChatModel

OPEN = "<|im_start|>user\n{{ .Prompt }}<|im_end|>\n<|im_start|>assistant\n<think>\n"
SILENT = "<|im_start|>user\n{{ .Prompt }}<|im_end|>\n<|im_start|>assistant\n"
NEVER_DONE = {"when": "hmm", "answer": "Secret plan and Secret plan and more"}
LONG = {"when": "long", "answer": "one two three four five six seven eight"}


def tiny(prompt: str = SILENT, **more: Any) -> dict[str, Any]:
    return {"models": [{"name": "tiny", "prompt": prompt, **more}]}


def grew(talk: Talk) -> bool:
    """Whether the answer was shown in pieces; forgets what was shown."""
    shown, talk.texts = [text for text in talk.texts if text], []
    return len(shown) > 1


def hid(talk: Talk) -> bool:
    return not any("plan" in text for text in talk.texts)


@pytest.mark.parametrize("word", ["#inline-think", "#open-think"])
async def test_thoughts_in_the_answer_are_hidden(double: OllamaDouble, talk: Talk, word: str) -> None:
    double.update(tiny())
    outcome = await talk.say(word)
    assert outcome.text.startswith("Heard 1 message.")
    assert "plan" not in outcome.text
    assert "think>" not in outcome.text
    assert hid(talk)
    assert talk.phases == ["loading", "thinking", "streaming"]
    assert grew(talk), "as soon as the thought has ended"


@pytest.mark.parametrize("prompt", [OPEN, SILENT])
@pytest.mark.parametrize("capabilities", [["completion"], ["completion", "thinking"]])
@pytest.mark.parametrize("renders", [True, False])
async def test_no_thought_is_shown_whichever_answer_it_is(
    double: OllamaDouble, talk: Talk, prompt: str, capabilities: list[str], renders: bool
) -> None:
    """A server that keeps thoughts apart does so where thinking was asked for; told not to think, a model may."""
    double.update(tiny(prompt, capabilities=capabilities, renders=renders))
    for word in ["#open-think", "#open-think", "hello", "#open-think"]:
        assert (await talk.say(word)).text.startswith("Heard 1 message.")
        assert hid(talk), "the first answer, too, and one after a plain one"


async def test_the_first_answer_of_a_model_nobody_knows_comes_whole(double: OllamaDouble, talk: Talk) -> None:
    double.update(tiny())
    await talk.say("hello")
    assert not grew(talk)
    await talk.say("hello")
    assert grew(talk)
    assert len(renders(double)) == 1


async def test_a_prompt_that_ended_the_thought_says_enough(double: OllamaDouble, talk: Talk) -> None:
    await talk.say("hello")
    assert grew(talk)
    await talk.say("hello")
    assert len(renders(double)) == 1
    assert double.memory.loads == ["tiny"], "the question loads nothing anew"


async def test_a_model_that_thought_once_is_held_for_some_answers(double: OllamaDouble, talk: Talk) -> None:
    await talk.say("#open-think")
    grew(talk)
    for _ in range(HELD):
        await talk.say("hello")
        assert not grew(talk)
    await talk.say("hello")
    assert grew(talk), "any model may once write the end of a thought"


async def test_it_is_remembered_over_restarts_by_the_files_digest(double: OllamaDouble) -> None:
    double.update(tiny())
    stored: list[dict[str, Any]] = []

    async def keep(seen: dict[str, Any]) -> None:
        stored.append(seen)

    async def first_answer(kept: object, model: str = "tiny") -> bool:
        talk = Talk(double, beginnings=Beginnings(kept, keep))
        await talk.say("hello", model=model)
        await talk.client.close()
        return grew(talk)

    assert not await first_answer(None)
    assert await first_answer(stored[-1])
    assert len(stored) == 1, "what changes nothing is not stored again"
    double.update({"models": [{"name": "other", "content": "tiny"}]})
    assert await first_answer(stored[-1], "other"), "the same file under another name"
    double.update({"models": [{"name": "tiny", "version": 2}]})
    assert not await first_answer(stored[-1]), "another file under the same name"


@pytest.mark.parametrize("think", [False, None])
async def test_what_a_model_was_told_about_thinking_counts(double: OllamaDouble, think: bool | None) -> None:
    double.update(tiny(capabilities=["completion", "thinking"]))
    beginnings = Beginnings()
    for options in (ModelOptions(think=True), ModelOptions(think=think)):
        talk = Talk(double, beginnings=beginnings, defaults=options)
        await talk.say("#think")
        assert hid(talk)
        assert grew(talk) is (options.think is True), "told apart by the server, it streams behind the thought"
        await talk.client.close()


@pytest.mark.parametrize("ending", ["cut", "error", "length"])
@pytest.mark.parametrize(
    "model",
    [
        {"prompt": OPEN},
        {"prompt": SILENT, "capabilities": ["completion", "thinking"]},
        {"name": "hf.co/someone/deepseek-r1-distill:q4", "prompt": SILENT},
    ],
    ids=["by its prompt", "by its capabilities", "by its name"],
)
async def test_a_thought_that_broke_off_is_no_answer(double: OllamaDouble, model: dict[str, Any], ending: str) -> None:
    rule = NEVER_DONE | ({} if ending == "length" else {"ending": ending})
    double.update({"models": [{"name": "tiny"} | model], "rules": [rule]})
    talk = Talk(double, defaults=ModelOptions(num_predict=4))
    failure = await talk.fails("hmm", model=model.get("name", "tiny"))
    assert failure.code == ("chat_failed" if ending == "length" else "chat_broke_off")
    assert ("thinking" in failure.message) is (ending == "length")
    assert hid(talk)
    await talk.client.close()


@pytest.mark.parametrize(
    "model", [PLAIN, PLAIN | {"capabilities": ["completion", "thinking"]}, {"name": "tiny", "prompt": SILENT}]
)
async def test_a_long_first_answer_is_kept_where_nothing_speaks_of_a_thought(
    double: OllamaDouble, model: dict[str, Any]
) -> None:
    double.update({"models": [model], "rules": [LONG]})
    talk = Talk(double, defaults=ModelOptions(num_predict=4))
    outcome = await talk.say("long")
    assert outcome.text == "one two three four"
    assert outcome.notes == ["The answer was cut because it reached its greatest length."]
    await talk.client.close()


async def test_a_long_answer_of_a_thinking_model_is_kept_once_it_gave_a_plain_one(double: OllamaDouble) -> None:
    double.update(tiny(capabilities=["completion", "thinking"]) | {"rules": [LONG, {"when": "hi", "answer": "Hi!"}]})
    talk = Talk(double, defaults=ModelOptions(num_predict=4))
    await talk.say("hi")
    assert (await talk.say("long")).text == "one two three four"
    await talk.client.close()


async def test_gpt_oss_is_told_to_think_little_whatever_it_is_called(double: OllamaDouble) -> None:
    thinking = {"capabilities": ["completion", "thinking"]}
    models = [{"name": "gpt-oss:20b"}, {"name": "mine", "family": "gptoss"}, {"name": "hf.co/x/GPT-OSS-20B-GGUF"}]
    double.update({"models": [model | thinking for model in models]})
    for model in models:
        talk = Talk(double)
        outcome = await talk.say("#think", model=model["name"])
        assert chats(double)[-1]["body"]["think"] == "low"
        assert outcome.text.startswith("Heard 1 message.")
        assert hid(talk)
        await talk.client.close()


async def test_only_thoughts_are_no_answer(double: OllamaDouble, talk: Talk) -> None:
    said = {word: await talk.fails(word) for word in ("#only-think", "#empty")}
    assert {failure.code for failure in said.values()} == {"chat_failed"}
    assert "thought, and gave no answer" in said["#only-think"].message
    assert "an empty answer" in said["#empty"].message
    short = Talk(double, defaults=ModelOptions(num_predict=4))
    failure = await short.fails("#inline-think")
    assert failure.code == "chat_failed"
    assert "thinking" in failure.message
    await short.client.close()


# ---------------------------------------------------------------- what is remembered


def chosen(digest: str = "d") -> Chosen:
    listed = ChatModel(name="m", size=1, parameters="", capabilities=(), remote=False, digest=digest)
    return Chosen(name="m", model=listed, options=ModelOptions(), context=4096)


async def unsaid() -> Leaves:
    return "unsaid"


async def test_a_model_without_a_digest_is_held_and_not_remembered() -> None:
    beginnings = Beginnings()
    await beginnings.learn(chosen(""), inside=False, whole=True, apart=False)
    assert await beginnings.of(chosen(""), unsaid) == Beginning()


async def test_no_more_models_are_remembered_than_anybody_has() -> None:
    kept: list[dict[str, Any]] = []

    async def keep(seen: dict[str, Any]) -> None:
        kept.append(seen)

    beginnings = Beginnings(None, keep)
    for number in range(MOST + 5):
        await beginnings.learn(chosen(f"d{number}"), inside=False, whole=True, apart=False)
        await beginnings.learn(chosen("d0"), inside=False, whole=True, apart=False)
    assert len(kept[-1]) == MOST
    assert (await beginnings.of(chosen("d0"), unsaid)).held is False
    assert (await beginnings.of(chosen("d1"), unsaid)).held is True


@pytest.mark.parametrize("kept", [5, [1], {"d False": 3}, {"d False": {"held": "x", "inside": None}}, {"": {}}])
async def test_what_was_stored_otherwise_is_no_reason_to_fail(kept: object) -> None:
    await Beginnings(kept).of(chosen(), unsaid)
