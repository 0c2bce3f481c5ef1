"""A worker that is off or has forgotten while an answer is made, and the typing notice over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from chat_servers import ROOM, Rig, rig_in

from otterbot import texts
from otterbot.store.rows import PartState, Request

LONG = "\n\n".join("Otters swim and otters sleep. " * 20 for _ in range(40))


@pytest_asyncio.fixture(params=["whole", "none"])
async def rig(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    """The placeholder comes late: what is tested is the answer."""
    async with rig_in(tmp_path, bundling=request.param, placeholder_after=60.0) as rig:
        yield rig


def bodies(rig: Rig) -> list[str]:
    return [content["body"] for content in rig.server.shown()]


# ---------------------------------------------------------------- the worker is off


async def test_the_plugin_comes_back_while_the_worker_is_off(tmp_path: Path) -> None:
    async with rig_in(tmp_path, placeholder_after=0.0, edit_seconds=0.05) as rig:
        request = await rig.ask(rig.server.say(ROOM, "!chat hello"))
        job = await rig.job(request)
        rig.worker.stream(job, "half")
        await rig.server.wait(lambda: bodies(rig) == ["half …"])
        await rig.stop()
        await rig.worker.stop()
        await rig.start()
        await rig.server.wait(lambda: bodies(rig) == [texts.kept(request.expires_at, now=request.created_at)])
        assert not any("Passing" in edit["body"] for edit in rig.server.edits()), "half an answer is more than that"
        await rig.worker.start()
        await rig.server.wait(lambda: rig.worker_client.stream.connected)
        rig.worker.stream(job, "half of it")
        await rig.server.wait(lambda: bodies(rig) == ["half of it …"])
        rig.worker.answer(job, "All of it.")
        assert await rig.done(request) == "succeeded"
        assert bodies(rig) == ["All of it."]


async def test_a_worker_that_goes_away_under_half_an_answer(tmp_path: Path) -> None:
    async with rig_in(tmp_path, placeholder_after=0.0, edit_seconds=0.05) as rig:
        request = await rig.ask(rig.server.say(ROOM, "!chat hello"))
        job = await rig.job(request)
        rig.worker.stream(job, "half")
        await rig.server.wait(lambda: bodies(rig) == ["half …"])
        await rig.worker.stop()
        kept = f"half …\n\n{texts.kept(request.expires_at, now=request.created_at)}"
        await rig.server.wait(lambda: bodies(rig) == [kept])
        await rig.worker.start()
        rig.worker.answer(job, "All of it.")
        assert await rig.done(request) == "succeeded"
        assert bodies(rig) == ["All of it."]


async def first_piece_only(rig: Rig) -> Request:
    """One piece of a long answer stands, and the homeserver lets no more through for a while."""
    request = await rig.ask(rig.server.say(ROOM, "!chat hello"))
    job = await rig.job(request)
    rig.server.later_limits = [60_000]
    rig.worker.answer(job, LONG)
    await rig.server.wait(lambda: len(bodies(rig)) == 1)
    await rig.server.wait(lambda: not rig.server.later_limits)
    return request


async def test_the_worker_forgets_between_two_pieces(rig: Rig) -> None:
    request = await first_piece_only(rig)
    await rig.stop()
    await rig.worker.stop()
    rig.worker.forget()
    await rig.worker.start()
    await rig.start()
    assert await rig.done(request) == "refused"
    await rig.server.wait(lambda: len(bodies(rig)) == 2)
    first, last = rig.server.shown()
    assert first["org.otterbot"]["part"] == "chat/1"
    assert last["body"] == texts.CHAT_REST_FORGOTTEN
    assert last["m.relates_to"] == first["m.relates_to"], "where the answer stands"
    assert not rig.worker.jobs, "another answer would not fit on to the first piece"
    await rig.restart()
    await asyncio.sleep(0.3)
    assert len(bodies(rig)) == 2
    states = {name: part.state for name, part in (await rig.store.parts_of(request.key)).items()}
    assert states["chat/1"] == states["final"] == PartState.SENT
    assert states["chat/2"] == PartState.FAILED


async def test_an_answer_that_is_here_needs_no_worker(rig: Rig) -> None:
    rig.server.pace = 0.2
    request = await rig.ask(rig.server.say(ROOM, "!chat hello"))
    job = await rig.job(request)
    rig.worker.answer(job, LONG)
    await rig.server.wait(lambda: bodies(rig))
    await rig.worker.stop()
    rig.worker.forget()
    await rig.worker.start()
    assert await rig.done(request) == "succeeded"
    assert "".join("".join(bodies(rig)).split()) == "".join(LONG.split())
    assert not rig.worker.jobs


# ---------------------------------------------------------------- typing


async def test_it_types_while_an_answer_is_made(rig: Rig) -> None:
    request = await rig.ask(rig.server.say(ROOM, "!chat hello"))
    job = await rig.job(request)
    await asyncio.sleep(0.1)
    assert rig.server.typed == [], "nobody types while it waits"
    rig.worker.run(job)
    await rig.server.wait(lambda: rig.server.typed == [True])
    rig.worker.answer(job, "Hello.")
    assert await rig.done(request) == "succeeded"
    await rig.server.wait(lambda: rig.server.typed == [True, False])


async def test_one_notice_for_a_room_and_failures_do_not_matter(rig: Rig) -> None:
    rig.server.typing_broken = True
    one, two = [await rig.ask(rig.server.say(ROOM, f"!chat {number}")) for number in "12"]
    jobs = [await rig.job(one), await rig.job(two)]
    for job in jobs:
        rig.worker.run(job)
    await rig.server.wait(lambda: rig.server.typed == [True, True])
    rig.worker.answer(jobs[0], "Hello.")
    assert await rig.done(one) == "succeeded"
    assert rig.server.typed == [True, True], "another answer is being made"
    await rig.delivery.cancelling.cancel([two.key], ROOM)
    await rig.server.wait(lambda: rig.server.typed == [True, True, False])


async def test_typing_may_be_switched_off(tmp_path: Path) -> None:
    async with rig_in(tmp_path, typing=False) as rig:
        request = await rig.ask(rig.server.say(ROOM, "!chat hello"))
        job = await rig.job(request)
        rig.worker.run(job)
        rig.worker.answer(job, "Hello.")
        assert await rig.done(request) == "succeeded"
        assert rig.server.typed == []
