"""A turn of a chat whose room is closed, or in which the bot is muted, before the answer stands there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from chat_servers import ROOM, USER, Rig, rig_in

from otterbot import texts
from otterbot.outbox import room_watch
from otterbot.store.rows import Request

NEW = "!new:test"
NOTE = texts.asked_in_the_room_before(USER)


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_watch, "BACKOFF", (0.05,))


@pytest_asyncio.fixture(params=["whole", "none"])
async def rig(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """The placeholder comes at once, and edits as fast as they may."""
    async with rig_in(tmp_path, bundling=request.param, placeholder_after=0.0, edit_seconds=0.05, max_edits=3) as rig:
        rig.server.create(ROOM)
        yield rig


def upgrade(rig: Rig) -> None:
    rig.server.upgrade(ROOM, NEW)
    rig.server.forbidden.add(ROOM)
    rig.outbox.blocked.doubt(ROOM)


async def half_answered(rig: Rig) -> tuple[Request, dict[str, Any]]:
    request = await rig.ask(rig.server.say(ROOM, "!chat hello"))
    job = await rig.job(request)
    rig.worker.stream(job, "half")
    await rig.server.wait(lambda: [content["body"] for content in rig.server.shown()] == ["half …"])
    return request, job


def bodies(rig: Rig, room: str = NEW) -> list[str]:
    return [event["content"]["body"] for event in rig.server.of_bot(room)]


async def moved(rig: Rig, request: Request) -> None:
    end = time.monotonic() + 60
    while (found := await rig.store.request(request.key)) is None or found.room_id != NEW:
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


async def test_the_answer_comes_into_the_new_room(rig: Rig) -> None:
    request, job = await half_answered(rig)
    upgrade(rig)
    await moved(rig, request)
    rig.worker.answer(job, "The whole answer.")
    assert await rig.done(request) == "succeeded"
    assert bodies(rig) == [f"The whole answer.\n\n{NOTE}"]
    assert "m.relates_to" not in rig.server.of_bot(NEW)[0]["content"]


async def test_so_it_does_after_a_restart(rig: Rig) -> None:
    request, job = await half_answered(rig)
    await rig.stop()
    rig.worker.answer(job, "The whole answer.")
    rig.server.upgrade(ROOM, NEW)
    rig.server.forbidden.add(ROOM)
    rig.server.down = True  # until everything is there
    await rig.start()
    rig.server.down = False
    assert await rig.done(request) == "succeeded"
    assert bodies(rig) == [f"The whole answer.\n\n{NOTE}"]


async def test_a_failure_is_said_in_the_new_room(rig: Rig) -> None:
    request, job = await half_answered(rig)
    upgrade(rig)
    await moved(rig, request)
    rig.worker.break_down(job, "ollama_unreachable", "Ollama cannot be reached.")
    assert await rig.done(request) == "failed"
    await rig.server.wait(lambda: bodies(rig) == [f"{NOTE}\n\n❌ Ollama cannot be reached."])


async def test_the_next_turn_in_the_new_room_reads_no_question_from_the_old_one_as_its_own(rig: Rig) -> None:
    request, job = await half_answered(rig)
    upgrade(rig)
    await moved(rig, request)
    rig.worker.answer(job, "The whole answer.")
    await rig.done(request)
    other = rig.server.say(NEW, "!chat and now?")
    second = rig.request(other, room_id=NEW)
    await rig.accept(second)
    asked = (await rig.job(second))["request"]["messages"][1:]
    assert asked == [{"role": "user", "content": "and now?"}]


async def test_muted_and_unmuted(rig: Rig) -> None:
    request, job = await half_answered(rig)
    rig.server.forbidden.add(ROOM)
    rig.server.set_state(ROOM, "m.room.power_levels", {"events_default": 50})
    rig.worker.answer(job, "The whole answer.")
    await rig.server.wait(lambda: rig.outbox.blocked.place(ROOM) is not None)
    assert (found := await rig.store.request(request.key)) is not None
    assert found.open
    rig.server.forbidden.discard(ROOM)
    rig.server.set_state(ROOM, "m.room.power_levels", {})
    assert await rig.done(request) == "succeeded"
    await rig.server.wait(lambda: [content["body"] for content in rig.server.shown()] == ["The whole answer."])
