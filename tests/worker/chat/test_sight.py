"""Models that see pictures and models that do not: what they get, and what is said."""

from __future__ import annotations

import pytest
from talk import PLAIN, Talk, chats

from doubles.ollama import OllamaDouble
from otterbot_worker.chat import ChatOutcome, Message
from otterbot_worker.errors import JobFailed

PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
LLAVA = PLAIN | {"name": "llava:7b", "capabilities": ["completion", "vision"]}
MODELS = {"models": [PLAIN, LLAVA]}


async def say(talk: Talk, *messages: Message, model: str = "tiny", needs_sight: bool = False) -> ChatOutcome:
    return await talk.client.chat(
        model, messages, on_text=lambda _: None, on_phase=lambda _: None, needs_sight=needs_sight
    )


def shown(text: str, count: int = 1) -> Message:
    return {"role": "user", "content": text, "images": [PICTURE] * count}


async def test_a_model_that_sees_gets_the_pictures() -> None:
    async with OllamaDouble(MODELS) as double:
        talk = Talk(double)
        outcome = await say(talk, shown("what is this?", 2), model="llava:7b")
        assert outcome.notes == []
        assert chats(double)[-1]["body"]["messages"] == [shown("what is this?", 2)]
        await talk.client.close()


async def test_a_model_that_does_not_answers_from_the_words_and_names_one_that_does() -> None:
    async with OllamaDouble(MODELS) as double:
        talk = Talk(double)
        outcome = await say(talk, shown("what is this?"))
        assert outcome.text.endswith("You said: what is this?")
        assert outcome.notes == [
            "The chat model tiny does not see pictures, so it answers from the words alone; of the installed ones "
            "llava:7b does."
        ]
        sent = [message for chat in chats(double) for message in chat["body"].get("messages", [])]
        assert sent
        assert not any("images" in message for message in sent), "it is not even tried"
        await talk.client.close()


async def test_where_there_is_only_a_picture_one_sentence_is_the_answer() -> None:
    async with OllamaDouble(MODELS) as double:
        talk = Talk(double)
        for messages, needs_sight in (([shown(" ")], False), ([shown("what is this?")], True)):
            with pytest.raises(JobFailed) as caught:
                await say(talk, *messages, needs_sight=needs_sight)
            assert caught.value.code == "chat_blind"
            assert caught.value.message == (
                "The chat model tiny does not see pictures; of the installed ones llava:7b does."
            )
            assert caught.value.details["seeing"] == ["llava:7b"]
        assert not chats(double)
        await talk.client.close()


async def test_pictures_of_before_are_left_out_without_a_word() -> None:
    async with OllamaDouble(MODELS) as double:
        talk = Talk(double)
        answered: Message = {"role": "assistant", "content": "An otter."}
        outcome = await say(talk, shown(""), answered, {"role": "user", "content": "and now?"})
        assert outcome.notes == [], "it was said then"
        assert "(a picture)" in outcome.text, "but that there was one, it is told"
        await talk.client.close()


async def test_a_server_that_does_not_say_is_asked_once() -> None:
    """An old one lists no capabilities, and refuses."""
    async with OllamaDouble({"models": [PLAIN | {"capabilities": []}]}) as double:
        talk = Talk(double)
        for _ in range(2):
            outcome = await say(talk, shown("what is this?"))
            assert "does not see pictures" in outcome.notes[0]
        tried = [chat for chat in chats(double) if any("images" in one for one in chat["body"].get("messages", []))]
        assert len(tried) == 1, "what it refused is remembered"
        await talk.client.close()


async def test_pictures_fill_a_context_and_the_oldest_go_first() -> None:
    models = [LLAVA | {"context": 2048}]
    async with OllamaDouble({"models": models}) as double:
        talk = Talk(double)
        answered: Message = {"role": "assistant", "content": "I see."}
        outcome = await say(talk, shown("one"), answered, shown("two"), answered, shown("three"), model="llava:7b")
        sent = chats(double)[-1]["body"]["messages"]
        assert sent[-1] == shown("three")
        assert len(sent) < 5
        assert outcome.left_out == 5 - len(sent), "that is said once in a conversation, by the runner"
        with pytest.raises(JobFailed) as caught:
            await say(talk, shown("all of them", 4), model="llava:7b")
        assert caught.value.code == "chat_too_long"
        assert "with its pictures" in caught.value.message
        assert "fewer pictures" in caught.value.message
        await talk.client.close()


async def test_others_models_are_not_named() -> None:
    """One of somebody else's machines sees, but is not to be used."""
    cloud = LLAVA | {"name": "see:cloud", "remote": True}
    async with OllamaDouble({"models": [PLAIN, cloud]}) as double:
        talk = Talk(double)
        outcome = await say(talk, shown("what is this?"))
        assert outcome.notes[0].endswith("; none that is installed is known to.")
        await talk.client.close()
