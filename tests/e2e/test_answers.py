"""What answers look like in rooms: tables and maths, files, thoughts; and what reactions on them do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from doubles.ollama import OllamaDouble
from lab import Ev, Lab

KNOWN = "{{ .Prompt }}<think></think>"
"""A prompt by which it shows that an answer begins with itself, so that the first one grows, too."""
TABLE = (
    "Two otters:\n\n| name | size |\n|:---|---:|\n| ~~Bo~~ Ann | $x^2$ |\n| `a\\|b` | 2 <br> 3 |\n\n"
    "So:\n\n$$\nE = mc^2\n$$\n\n- [x] swim\n- [ ] sleep\n\n```python\nprint('$x$')\n```"
)
SIXTY = [f"Otter {number} swims, and otter {number} sleeps.\n\n" for number in range(1_250)]
"""About 55 kB."""
RULES = [
    {"when": "table", "pieces": list(TABLE)},
    {"when": "everything", "pieces": SIXTY},
    {"when": "ponder", "answer": "Four.", "thinking": "They ask for two and two. Secret <plan>."},
    {"when": "dawdle", "pieces": [f"word{number} " for number in range(400)], "pause": 0.2},
]
TINY = {"name": "tiny", "prompt": KNOWN, "capabilities": ["completion", "thinking"], "context": 65_536}
MODELS = {"models": [TINY], "rules": RULES}
CHAT = {"placeholder_after": 1, "edit_seconds": 1}


@pytest.fixture(scope="module")
async def ollama() -> AsyncIterator[OllamaDouble]:
    async with OllamaDouble(MODELS) as double:
        yield double


@pytest.fixture(scope="module")
async def lab(folder: Path, ollama: OllamaDouble) -> AsyncIterator[Lab]:
    config = {
        "chat": {
            "backend": "ollama",
            "ollama_url": ollama.url,
            "default_model": "tiny",
            "reasoning": "fold",
            "options": {"think": True, "num_ctx": 65_536, "num_predict": 32_768},
        }
    }
    async with Lab(folder / "answers", plugin={"chat": CHAT}, worker_config=config) as lab:
        yield lab


@pytest.fixture
async def room(lab: Lab, encrypted: bool) -> str:
    return await lab.room(encrypted=encrypted)


def about(lab: Lab, asked: str) -> Callable[[Ev], bool]:
    """What the bot says in the thread of ``asked``, edits included."""
    return lambda e: e.sender == lab.bot and e.type == "m.room.message" and (e.thread == asked or bool(e.edits))


async def answered(lab: Lab, room: str, text: str, *, end: str = "✅", **how: Any) -> tuple[str, list[Ev]]:
    """The question, and each message of the answer as it stands in the end."""
    mark = lab.user.mark()
    asked = await lab.user.send(room, text, **how)
    await lab.user.wait_for(lab.reaction(asked, end), mark, 60)
    return asked, standing(lab, how.get("thread") or asked, mark)


def standing(lab: Lab, root: str, mark: int) -> list[Ev]:
    """The bot's messages of that thread since then, by the newest event of each."""
    newest: dict[str, Ev] = {}
    for event in lab.user.events[mark:]:
        if about(lab, root)(event):
            newest[event.edits or event.event_id] = event
    return list(newest.values())


async def test_a_table_and_maths_stand_in_the_room(lab: Lab, room: str, encrypted: bool) -> None:
    _, [event] = await answered(lab, room, "!chat a table")
    assert event.encrypted is encrypted
    html = event.new_content["formatted_body"]
    assert "<thead><tr>\n<th>name</th><th>size</th></tr></thead>" in html
    assert '<td><del>Bo</del> Ann</td><td><span data-mx-maths="x^2"><code>x^2</code></span></td>' in html
    assert "<td><code>a|b</code></td><td>2 <br />" in html
    assert '<div data-mx-maths="E = mc^2"><code>E = mc^2</code></div>' in html
    assert "<li>☑ swim</li>\n<li>☐ sleep</li>" in html
    assert "<pre><code class=\"language-python\">print('$x$')" in html
    assert event.new_content["body"].startswith(TABLE[:40])


async def test_a_very_long_answer_ends_in_a_file(lab: Lab, room: str, encrypted: bool) -> None:
    asked, events = await answered(lab, room, "!chat everything")
    assert [event.new_content["msgtype"] for event in events] == ["m.text"] * (len(events) - 1) + ["m.file"]
    file = events[-1]
    assert file.encrypted is encrypted
    assert ("file" in file.content) is encrypted
    assert file.content["filename"] == "answer.md"
    said = [event.new_content["body"][: event.new_content["org.otterbot"]["length"]] for event in events[:-1]]
    rest = (await lab.user.image_bytes(file)).decode()
    assert "".join("".join([*said, rest]).split()) == "".join("".join(SIXTY).split()), "nothing is cut"
    assert 40_000 < len("".join(said).encode()) <= 50_000
    assert file.thread == asked
    mark = lab.user.mark()
    await lab.user.send(room, "what did you hear?", thread=asked)
    heard = await lab.user.wait_for(
        lambda e: about(lab, asked)(e) and "Heard 3 messages" in str(e.new_content), mark, 40
    )
    assert "assistant: Otter 0 swims" in heard.new_content["body"]


async def test_the_worker_and_the_plugin_die_around_the_file(lab: Lab) -> None:
    room = await lab.room(encrypted=True)
    mark = lab.user.mark()
    asked = await lab.user.send(room, "!chat everything")
    await lab.user.wait_for(lambda e: about(lab, asked)(e) and e.own.get("part") == "chat/3", mark, 40)
    await lab.maubot.restart(hard=True)
    await lab.user.wait_for(lab.reaction(asked, "✅"), mark, 60)
    parts = [event.new_content["org.otterbot"]["part"] for event in standing(lab, asked, mark)]
    assert parts == [f"chat/{number}" for number in range(1, len(parts) + 1)], "each once"
    assert standing(lab, asked, mark)[-1].msgtype == "m.file"


async def test_thoughts_are_folded(lab: Lab, room: str) -> None:
    asked, [event] = await answered(lab, room, "!chat ponder")
    content = event.new_content
    assert content["formatted_body"].startswith(
        "<details><summary>Thoughts</summary>They ask for two and two. Secret &lt;plan&gt;.</details>"
    )
    assert content["body"].startswith("Four.\n\n💭")
    assert "Secret" not in content["body"]
    _, events = await answered(lab, room, "what did I ask?", thread=asked)
    assert "assistant: Four." in events[-1].new_content["body"]
    assert "Secret" not in events[-1].new_content["body"]


async def test_an_answer_is_stopped_while_it_grows(lab: Lab, room: str) -> None:
    mark = lab.user.mark()
    asked = await lab.user.send(room, "!chat dawdle")
    first = await lab.user.wait_for(lambda e: about(lab, asked)(e) and "word1" in str(e.new_content), mark, 30)
    await lab.user.react(room, first.edits or first.event_id, "❌")
    await lab.user.wait_for(lab.reaction(asked, "❌"), mark, 30)
    [event] = standing(lab, asked, mark)
    assert event.new_content["body"].startswith("word0 word1")
    assert "🛑" in event.new_content["body"]
    assert "word399" not in event.new_content["body"]
    _, events = await answered(lab, room, "what did you say?", thread=asked)
    assert "assistant: word0 word1" in events[-1].new_content["body"]


async def test_cancelling_keeps_what_came(lab: Lab, room: str) -> None:
    mark = lab.user.mark()
    asked = await lab.user.send(room, "!chat dawdle")
    await lab.user.wait_for(lambda e: about(lab, asked)(e) and "word1" in str(e.new_content), mark, 30)
    await lab.user.send(room, "!cancel")
    await lab.user.wait_for(lab.reaction(asked, "❌"), mark, 30)
    [event] = standing(lab, asked, mark)
    assert event.new_content["body"].startswith("word0 word1")
    assert "🛑" in event.new_content["body"]


async def test_an_answer_is_made_anew_and_deleted(lab: Lab, room: str) -> None:
    asked, [old] = await answered(lab, room, "!chat why?")
    mark = lab.user.mark()
    await lab.user.react(room, old.edits or old.event_id, "🔁")
    new = await lab.user.wait_for(lambda e: about(lab, asked)(e) and "You said: why?" in str(e.new_content), mark, 40)
    assert new.own["question"] == asked
    assert "Heard 1 message." in new.new_content["body"], "as if it had not been answered"
    await lab.user.wait_for(lambda e: e.sender == lab.bot and e.redacts, mark, 30)
    _, events = await answered(lab, room, "and then?", thread=asked)
    assert "Heard 3 messages." in events[-1].new_content["body"], "the newest answer counts, and only that"
    for event in (new, old):
        gone, mark = event.edits or event.event_id, lab.user.mark()
        await lab.user.react(room, gone, "❌")
        await lab.user.wait_for(lambda e, gone=gone: e.sender == lab.bot and e.redacts == gone, mark, 30)
    _, events = await answered(lab, room, "what now?", thread=asked)
    said = events[-1].new_content["body"]
    assert "Heard 3 messages." in said
    assert "\n- user: why?" not in said, "forgotten with its question"
    assert "\n- user: and then?" in said
