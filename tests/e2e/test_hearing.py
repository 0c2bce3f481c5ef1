"""Who is heard: since the invitation, past a homeserver that stumbles and clocks that are set; and who is too fast."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from doubles.ollama import OllamaDouble
from lab import Ev, Lab

from .conftest import QUICK

DAY = 86_400.0


@pytest.fixture(scope="module")
async def lab(folder: Path) -> AsyncIterator[Lab]:
    async with OllamaDouble({"models": [{"name": "tiny"}]}) as ollama:
        config = {"chat": {"backend": "ollama", "ollama_url": ollama.url, "default_model": "tiny"}}
        async with Lab(folder / "hearing", worker_config=config) as lab:
            yield lab


@pytest.fixture(autouse=True)
async def as_it_was(lab: Lab) -> AsyncIterator[None]:
    yield
    lab.maubot.set_clock(0)
    for rule in [*lab.matrix_proxy.rules, *lab.worker_proxy.rules]:
        rule.remove()


async def answered(lab: Lab, room: str, words: str, mark: int) -> Ev:
    """What the bot says about those words, edits included."""
    from_bot = lab.from_bot(room)
    return await lab.user.wait_for(lambda e: from_bot(e) and words in str(e.new_content["body"]), mark, 40)


async def direct(lab: Lab, *, encrypted: bool = False) -> str:
    """A room of the member and the bot, quiet again."""
    room = await lab.user.create_room([lab.bot], encrypted=encrypted)
    await lab.user.wait_member(room, lab.bot)
    await lab.user.wait_for(lab.says(room))
    return room


async def test_the_first_message_of_a_new_room(lab: Lab, encrypted: bool) -> None:
    """Element creates the room with it: it stands before the bot's coming."""
    with lab.matrix_proxy.hold_before("POST", r"/join") as coming:
        mark = lab.user.mark()
        room = await lab.user.create_room([lab.bot], encrypted=encrypted, is_direct=True)
        await coming.reached()
        await lab.user.send(room, "why do otters hold hands?")
        typed = await lab.user.send(room, f"!draw otter {QUICK}")
    await answered(lab, room, "why do otters hold hands?", mark)
    await lab.user.wait_for(lab.reply_to(typed, msgtype="m.image"), mark, 60)


async def test_a_homeserver_that_stumbles_loses_no_word(lab: Lab) -> None:
    room = await direct(lab)
    for status in (503, 429, 502):
        with lab.matrix_proxy.fail("GET", r"/joined_members", status, times=2) as failing:
            mark = lab.user.mark()
            await lab.user.send(room, f"hello after {status}")
            await failing.times_seen(2)
            await answered(lab, room, f"hello after {status}", mark)


@pytest.mark.parametrize("by", [3 * DAY, -3 * DAY])
async def test_the_clock_is_set(lab: Lab, by: float) -> None:
    """Everybody is heard, and what was kept for a worker that is off is still kept."""
    room = await lab.room()
    with lab.worker_proxy.fail("POST", r"/v1/jobs", 503):
        mark = lab.user.mark()
        kept = await lab.user.send(room, f"!draw otter {QUICK}")
        await lab.user.wait_for(lab.reaction(kept, "⏳"), mark)
        lab.maubot.set_clock(by)
        await lab.answer(room, "!help")
        await lab.answer(room, "!queue")
    await lab.user.wait_for(lab.reply_to(kept, msgtype="m.image"), mark, 60)
    await lab.maubot.restart()
    await lab.answer(room, "!help")


async def test_two_bots_end(lab: Lab) -> None:
    """The other one answers everything at once, notices apart."""
    room = await direct(lab)
    mark = lab.user.mark()
    await lab.user.send(room, "hello, I am a bot")
    answers, from_bot = 0, lab.from_bot(room)
    while True:
        event = await lab.user.wait_for(lambda e: from_bot(e) and not e.edits, mark, 40)
        mark = lab.user.events.index(event) + 1
        if event.msgtype == "m.notice":
            break
        answers += 1
        assert answers < 40
        await lab.user.send(room, f"I am a bot too ({answers})", reply=event.event_id)
    assert "two bots" in event.body
    await lab.user.send(room, "but I am a bot too")
    await lab.user.never(lab.from_bot(room), mark)
