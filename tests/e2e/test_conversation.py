"""Chats with a real small language model, the built-in one: several people, names, mentions, personas.

What a model of this size says is not judged; ``test_chat.py`` has a double where the words matter. With ``OTTER_TURNS``
the long conversation has so many turns, and ``OTTER_TRANSCRIPT`` names a file that it is written into, to be read.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Callable
from itertools import cycle, islice
from pathlib import Path
from urllib.parse import quote

import pytest

from lab import Ev, Lab
from lab.client import User

TURNS = int(os.environ.get("OTTER_TURNS", "6"))
CHAT = {"placeholder_after": 1, "edit_seconds": 1}
SAID = (
    "!chat my name is Ann and I like otters",
    "Hello Otter, I am Bo. Where do otters live?",
    "and what do they eat?",
    "I have seen one in a river yesterday",
    "how large can they become?",
    "tell us one more thing, please",
    "what are their enemies?",
    "do they sleep at night?",
    "what is a raft of otters?",
    "how do they keep warm?",
    "who of us has seen one?",
    "do they use tools?",
    "how long do they live?",
    "can one keep an otter at home?",
    "write a short poem about them",
    "what is the German word for otter?",
    "how many kinds are there?",
    "what have we talked about?",
)


@pytest.fixture(scope="module")
async def lab(folder: Path) -> AsyncIterator[Lab]:
    config = {"chat": {"backend": "builtin", "options": {"num_predict": 96}}}
    async with Lab(folder / "conversation", plugin={"chat": CHAT}, worker_config=config) as lab:
        yield lab


@pytest.fixture(scope="module")
async def third(lab: Lab) -> User:
    return await lab.new_user("third")


def answers_in(lab: Lab, room: str, thread: str) -> Callable[[Ev], bool]:
    return lambda event: (
        event.sender == lab.bot
        and event.room_id == room
        and event.type == "m.room.message"
        and (event.thread == thread or bool(event.edits))
    )


async def turn(lab: Lab, by: User, room: str, text: str, timeout: float = 120, **how: object) -> tuple[str, str]:
    """Somebody says something to the bot; its event and the whole answer."""
    mark = by.mark()
    asked = await by.send(room, text, **how)
    await by.wait_for(lab.reaction(asked, "✅"), mark, timeout)
    texts: dict[str, str] = {}
    for event in by.events[mark:]:
        if event.sender == lab.bot and event.room_id == room and event.type == "m.room.message" and event.body:
            texts[event.edits or event.event_id] = str(event.new_content["body"])
    return asked, "\n".join(texts.values())


async def test_several_people_in_an_encrypted_room(lab: Lab, third: User) -> None:
    room = await lab.room(encrypted=True)
    await lab.admin.api("POST", f"/_matrix/client/v3/rooms/{quote(room)}/invite", {"user_id": third.id})
    await third.join(room)
    people = (lab.user, third, lab.admin)
    for person, name in zip(people, ("Ann", "Bo", "Cleo"), strict=True):
        await person.api("PUT", f"/_matrix/client/v3/profile/{quote(person.id)}/displayname", {"displayname": name})
        await person.wait_member(room, third.id)
    written: list[str] = []
    thread = None
    for number, (person, text) in enumerate(islice(zip(cycle(people), cycle(SAID)), TURNS)):
        line = text if number < len(SAID) or not text.startswith("!chat") else "what have we talked about?"
        asked, said = await turn(lab, person, room, line, **({"thread": thread} if thread else {}))
        thread = thread or asked
        assert said.strip()
        assert not any(mark in said for mark in ("<|im_", "</s>", "Traceback"))
        written.append(f"{person.id}: {line}\n\n{lab.bot}: {said}\n")
    own = [event for event in lab.user.events if answers_in(lab, room, str(thread))(event)]
    assert all(event.encrypted for event in own)
    if path := os.environ.get("OTTER_TRANSCRIPT"):
        Path(path).write_text("\n".join(written), "utf-8")


async def test_an_answer_comes_in_a_thread(lab: Lab, encrypted: bool) -> None:
    room = await lab.room(encrypted=encrypted)
    asked, said = await turn(lab, lab.user, room, "!chat why do otters hold hands?")
    assert said.strip()
    first = next(event for event in lab.user.events if answers_in(lab, room, asked)(event) and event.thread == asked)
    assert first.msgtype == "m.text"
    assert first.encrypted is encrypted
    assert first.content["m.mentions"] == {}


async def test_a_mention_anywhere_is_a_turn(lab: Lab, encrypted: bool) -> None:
    room = await lab.room(encrypted=encrypted)
    pill = f'well, <a href="https://matrix.to/#/{lab.bot}">otterbot</a>, what do you think?'
    asked, said = await turn(lab, lab.user, room, "well, otterbot, what do you think?", html=pill)
    assert said.strip()
    more, said = await turn(lab, lab.user, room, "and why?", thread=asked)
    assert said.strip()
    assert asked != more
    mark = lab.user.mark()
    await lab.user.send(room, "otterbots are nice")
    await lab.user.never(lab.says(room), mark)


async def test_plain_text_is_no_chat_among_others(lab: Lab, encrypted: bool) -> None:
    room = await lab.room(encrypted=encrypted)
    mark = lab.user.mark()
    await lab.user.send(room, "hello there, otter")
    await lab.user.never(lab.says(room), mark)


async def test_a_persona_is_set_and_shown(lab: Lab) -> None:
    room = await lab.room(encrypted=True)
    assert "power level 50" in (await lab.answer(room, "!persona You are {bot}, a pirate.")).body
    said = (await lab.answer(room, "!persona You are {bot}, a pirate.", by=lab.admin)).body
    assert "You are {bot}, a pirate." in said
    assert "You are {bot}, a pirate." in (await lab.answer(room, "!persona")).body
    assert re.search(r"persona.*: You are .*\(room\)", (await lab.answer(room, "!settings all")).body)
    _, said = await turn(lab, lab.user, room, "!chat who are you?")
    assert said.strip()


async def test_models_and_the_rooms_choice(lab: Lab) -> None:
    room = await lab.room()
    listed = (await lab.answer(room, "!models")).body
    name = listed.partition("For chat: ")[2].split("\n")[0].strip("`. ").split("`")[0]
    assert name
    assert name in (await lab.answer(room, f"!settings chat {name}", by=lab.admin)).body
    _, said = await turn(lab, lab.user, room, f"!chat --model {name} hello")
    assert said.strip()
    assert "I do not know the chat model" in (await lab.answer(room, "!chat --model nope hello")).body


async def test_usage(lab: Lab, encrypted: bool) -> None:
    room = await lab.room(encrypted=encrypted)
    assert "!chat" in (await lab.answer(room, "!chat")).body


@pytest.mark.parametrize("who", ["worker", "maubot"])
async def test_a_turn_that_is_interrupted_is_answered_once(lab: Lab, encrypted: bool, who: str) -> None:
    room = await lab.room(encrypted=encrypted)
    mark = lab.user.mark()
    asked = await lab.user.send(room, "!chat tell me a long story about an otter")
    await lab.user.wait_for(answers_in(lab, room, asked), mark, 60)
    await (lab.worker if who == "worker" else lab.maubot).restart(hard=True)
    await lab.user.wait_for(lab.reaction(asked, "✅"), mark, 120)
    own = [event for event in lab.user.events[mark:] if answers_in(lab, room, asked)(event)]
    assert len({event.edits or event.event_id for event in own}) == 1
    assert "💭" not in str(own[-1].new_content["body"])


async def test_maubot_comes_back_while_the_worker_is_off(lab: Lab, encrypted: bool) -> None:
    room = await lab.room(encrypted=encrypted)
    mark = lab.user.mark()
    asked = await lab.user.send(room, "!chat tell me a long story about an otter")
    about = answers_in(lab, room, asked)
    await lab.user.wait_for(about, mark, 60)
    await lab.worker.stop()
    restarted = lab.user.mark()
    await lab.maubot.restart(hard=True)
    try:
        off = await lab.user.wait_for(lambda e: about(e) and "is off" in str(e.new_content), restarted, 30)
        assert "for up to" in str(off.new_content["body"])
    finally:
        await lab.worker.start()
    await lab.user.wait_for(lab.reaction(asked, "✅"), mark, 120)
    last = [event for event in lab.user.events[mark:] if about(event)][-1]
    assert "is off" not in str(last.new_content["body"])
