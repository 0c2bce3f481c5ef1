"""``!chat``: an answer that grows in a thread, with the history that stands in the room."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from doubles.ollama import OllamaDouble
from lab import Ev, Lab
from lab.pictures import png

KNOWN = "{{ .Prompt }}<think></think>"
"""A prompt by which it shows that an answer begins with itself, so that the first one grows, too."""
SEEING = {"name": "llava:7b", "prompt": KNOWN, "capabilities": ["completion", "vision"]}
MODELS = {"models": [{"name": "tiny", "prompt": KNOWN}, {"name": "other"}, SEEING]}
CHAT = {"placeholder_after": 1, "edit_seconds": 1}


@pytest.fixture(scope="module")
async def ollama() -> AsyncIterator[OllamaDouble]:
    async with OllamaDouble(MODELS) as double:
        yield double


@pytest.fixture(scope="module")
async def lab(folder: Path, ollama: OllamaDouble) -> AsyncIterator[Lab]:
    config = {"chat": {"backend": "ollama", "ollama_url": ollama.url, "default_model": "tiny", "chunk_timeout": 3}}
    async with Lab(folder / "chat", plugin={"chat": CHAT}, worker_config=config) as lab:
        yield lab


@pytest.fixture(autouse=True)
async def as_it_was(ollama: OllamaDouble, lab: Lab) -> AsyncIterator[None]:
    yield
    lab.matrix_proxy.bundles = True
    ollama.update(MODELS | {"rules": [], "token_s": 0.0, "first_token_s": 0.0})


@pytest.fixture
async def room(lab: Lab, encrypted: bool) -> str:
    """A plain room of a homeserver that bundles edits, and an encrypted one of a homeserver that bundles nothing."""
    lab.matrix_proxy.bundles = not encrypted
    return await lab.room(encrypted=encrypted)


def about(asked: str, lab: Lab) -> Callable[[Ev], bool]:
    """What the bot says in the thread of ``asked``, or as a reply to it, edits included."""

    def wanted(event: Ev) -> bool:
        if event.sender != lab.bot or event.type != "m.room.message":
            return False
        return event.thread == asked or event.replies_to == asked or bool(event.edits)

    return wanted


async def final(lab: Lab, room: str, asked: str, mark: int, *, end: str = "✅", timeout: float = 40) -> str:
    """What the thread says once the bot has ended with ``end``: the newest text of its messages, in order."""
    await lab.user.wait_for(lab.reaction(asked, end), mark, timeout)
    texts: dict[str, str] = {}
    for event in lab.user.events[mark:]:
        if about(asked, lab)(event) and event.room_id == room:
            texts[event.edits or event.event_id] = str(event.new_content["body"])
    return "\n".join(texts.values())


async def ask(lab: Lab, room: str, text: str, **how: Any) -> tuple[str, int]:
    mark = lab.user.mark()
    return await lab.user.send(room, text, **how), mark


async def test_the_thread_goes_on_with_its_history(lab: Lab, room: str, ollama: OllamaDouble) -> None:
    ollama.update({"first_token_s": 1.5})
    asked, mark = await ask(lab, room, "!chat my name is Bo")
    await final(lab, room, asked, mark)
    own = [event for event in lab.user.events[mark:] if about(asked, lab)(event)]
    assert own[-1].edits, "the answer took the placeholder's place"
    await lab.user.send(room, "!chat my name is Ann", edit=asked)
    more, mark = await ask(lab, room, "what is my name?", thread=asked)
    await lab.user.wait_for(lab.reaction(more, "✅"), mark, 40)
    said = [event.new_content["body"] for event in lab.user.events[mark:] if event.sender == lab.bot and event.body]
    heard = ("Heard 3 messages", "user: my name is Ann", "assistant: Heard 1 message.")
    assert any(all(part in text for part in heard) for text in said), said


async def test_history_respects_edits_and_deletions(lab: Lab, room: str) -> None:
    asked, mark = await ask(lab, room, "!chat my cat is red")
    await final(lab, room, asked, mark)
    gone, mark = await ask(lab, room, "a secret that is taken back", thread=asked)
    await lab.user.wait_for(lab.reaction(gone, "✅"), mark, 40)
    await lab.user.redact(room, gone)
    more, mark = await ask(lab, room, "what do you know?", thread=asked)
    await lab.user.wait_for(lab.reaction(more, "✅"), mark, 40)
    said = "\n".join(str(e.new_content.get("body")) for e in lab.user.events[mark:] if e.sender == lab.bot)
    assert "my cat is red" in said
    assert "a secret" not in said


async def test_it_grows_by_edits_and_ends_whole(lab: Lab, room: str) -> None:
    asked, mark = await ask(lab, room, "!chat #slow one two three four five six seven eight nine ten eleven twelve")
    said = await final(lab, room, asked, mark, timeout=60)
    assert "eleven twelve" in said
    own = [event for event in lab.user.events[mark:] if about(asked, lab)(event)]
    edits = [event for event in own if event.edits]
    assert len(own) - len(edits) == 1, "one message that grows"
    assert 2 <= len(edits) <= 20
    assert all(event.content["m.mentions"] == {} for event in own)


async def test_a_slow_load_shows_a_placeholder(lab: Lab, room: str, ollama: OllamaDouble) -> None:
    ollama.update({"first_token_s": 2.5})
    asked, mark = await ask(lab, room, "!chat hello")
    placeholder = await lab.user.wait_for(about(asked, lab), mark)
    assert "💭" in placeholder.body
    said = await final(lab, room, asked, mark)
    assert "You said: hello" in said
    assert "💭" not in said


async def test_markdown_is_rendered_and_harmless(lab: Lab, room: str) -> None:
    asked, mark = await ask(lab, room, "!chat #markdown please")
    await final(lab, room, asked, mark)
    last = [event for event in lab.user.events[mark:] if about(asked, lab)(event)][-1]
    html = last.new_content["formatted_body"]
    assert "<strong>Otters</strong>" in html
    assert "<img" not in html
    assert last.content["m.mentions"] == {}


async def test_code_and_long_answers(lab: Lab, room: str) -> None:
    asked, mark = await ask(lab, room, "!chat #long story")
    said = await final(lab, room, asked, mark, timeout=60)
    for part in range(1, 9):
        assert f"Part {part}" in said
    ids = {event.edits or event.event_id for event in lab.user.events[mark:] if about(asked, lab)(event)}
    assert len(ids) >= 2, "20 kB do not fit into one event"


@pytest.mark.parametrize("word", ["#think", "#inline-think", "#open-think"])
async def test_thinking_is_hidden(lab: Lab, word: str) -> None:
    room = await lab.room(encrypted=True)
    asked, mark = await ask(lab, room, f"!chat {word} about it")
    said = await final(lab, room, asked, mark)
    assert "You said" in said
    for event in lab.user.events[mark:]:
        if event.sender == lab.bot:
            assert "Secret plan" not in str(event.content)
            assert "think>" not in str(event.content)


@pytest.mark.parametrize("word", ["#error", "#killed", "#eof", "#cut", "#stall"])
async def test_what_broke_off_keeps_what_came_and_says_so(lab: Lab, word: str) -> None:
    room = await lab.room(encrypted=True)
    asked, mark = await ask(lab, room, f"!chat {word}")
    await lab.user.wait_for(
        lambda e: e.sender == lab.bot and e.reaction in ("✅", "❌") and e.relates["event_id"] == asked, mark, 40
    )
    said = "\n".join(str(e.new_content["body"]) for e in lab.user.events[mark:] if about(asked, lab)(e))
    assert "Otters hold hands because they" in said
    assert "broke off" in said


async def test_line_separators_travel(lab: Lab) -> None:
    room = await lab.room(encrypted=True)
    asked, mark = await ask(lab, room, "!chat #nel")
    said = await final(lab, room, asked, mark)
    for word in ("before", "between", "after"):
        assert word in said


async def test_a_missing_model_comes_with_the_command_that_pulls_it(lab: Lab, room: str, ollama: OllamaDouble) -> None:
    ollama.update({"models": [{"name": "other"}]})
    asked, mark = await ask(lab, room, "!chat hello")
    said = await final(lab, room, asked, mark, end="❌")
    assert "ollama pull tiny" in said


async def test_ollama_is_off(lab: Lab, room: str, ollama: OllamaDouble) -> None:
    await ollama.stop()
    try:
        asked, mark = await ask(lab, room, "!chat hello")
        said = await final(lab, room, asked, mark, end="❌")
        assert "Ollama" in said
    finally:
        await ollama.start()


async def test_two_who_are_alone_have_one_conversation(lab: Lab, encrypted: bool) -> None:
    lab.matrix_proxy.bundles = not encrypted
    room = await lab.user.create_room([lab.bot], encrypted=encrypted, is_direct=True)
    await lab.user.wait_member(room, lab.bot)
    asked, mark = await ask(lab, room, "my name is Ann, otter")
    assert "You said: my name is Ann, otter" in await final(lab, room, asked, mark)
    for event in lab.user.events[mark:]:
        assert not about(asked, lab)(event) or event.thread is None, "a reply, no thread"
    await lab.user.send(room, "my name is Bo, otter", edit=asked)
    await lab.user.send(room, "!unknown command")
    await lab.user.send(room, "in a thread of its own", thread=asked)
    asked, mark = await ask(lab, room, "!chat what is my name?")
    said = await final(lab, room, asked, mark)
    assert "Heard 3 messages" in said
    assert "user: my name is Bo, otter" in said
    assert "assistant: Heard 1 message." in said
    more, mark = await ask(lab, room, "and what else?")
    assert "Heard 5 messages" in await final(lab, room, more, mark)


def images(ollama: OllamaDouble) -> list[bytes]:
    """Every picture that the model was shown."""
    bodies = [entry["body"] for entry in ollama.requests if entry["path"] == "/api/chat"]
    messages = [message for body in bodies for message in body.get("messages") or []]
    return [base64.b64decode(image) for message in messages for image in message.get("images") or []]


async def until_listed(lab: Lab, name: str) -> None:
    """The worker looks every few seconds which models there are, and an earlier test may have taken them away."""
    async with asyncio.timeout(30):
        while name not in {model["name"] for model in (await lab.worker.api("GET", "/v1/models"))["models"]}:  # noqa: ASYNC110  nothing else tells
            await asyncio.sleep(0.2)


async def test_a_caption_is_shown_to_a_model_that_sees(lab: Lab, room: str, ollama: OllamaDouble) -> None:
    await until_listed(lab, "llava:7b")
    before, mark = len(images(ollama)), lab.user.mark()
    asked = await lab.user.send_image(room, png(96, 64), caption="!chat --model llava:7b what is this?")
    assert "You said: what is this?" in await final(lab, room, asked, mark)
    shown = images(ollama)[before:]
    assert len(shown) == 1
    assert shown[0].startswith(b"\xff\xd8\xff"), "as it is made anew for the model"


async def test_a_model_that_does_not_see_says_so_and_which_does(lab: Lab, room: str, ollama: OllamaDouble) -> None:
    posted = await lab.admin.send_image(room, png(96, 64))
    before = len(images(ollama))
    asked, mark = await ask(lab, room, "!chat what is this?", reply=posted)
    said = await final(lab, room, asked, mark)
    assert "tiny does not see pictures, so it answers from the words alone" in said
    assert "`!chat --model llava:7b …` asks that one." in said
    assert images(ollama)[before:] == []


async def test_a_reply_with_a_question_is_about_that_message(lab: Lab, room: str) -> None:
    said = await lab.admin.send(room, "Guten Tag, wie geht es?")
    asked, mark = await ask(lab, room, "!chat translate this", reply=said)
    heard = await final(lab, room, asked, mark)
    assert "moderator wrote:" in heard
    assert "Guten Tag, wie geht es?" in heard
    assert "translate this" in heard


async def test_who_speaks_and_a_new_conversation(lab: Lab, room: str) -> None:
    asked, mark = await ask(lab, room, "!chat I have a boat, otter")
    await final(lab, room, asked, mark)
    mark = lab.user.mark()
    other = await lab.admin.send(room, "I have none, otter", thread=asked)
    heard = await final(lab, room, other, mark)
    assert "user: member: I have a boat, otter" in heard
    assert "You said: moderator: I have none, otter" in heard
    new, mark = await ask(lab, room, "!chat --new what do I have?", thread=asked)
    heard = await final(lab, room, new, mark)
    assert "boat" not in heard
    assert "You said: what do I have?" in heard
