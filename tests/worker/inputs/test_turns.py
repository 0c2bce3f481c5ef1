"""One person's slow pictures hold up nobody else's."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from make_pictures import png

from otterbot_worker.inputs.files import InputFiles
from otterbot_worker.inputs.turns import Turns


async def settle() -> None:
    """Everything that can go on has done so."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_person_has_one_place_and_people_take_turns() -> None:
    turns, inside, leave = Turns(2), list[str](), dict[str, asyncio.Event]()

    async def come(name: str) -> None:
        leave[name] = asyncio.Event()
        async with turns.turn(name[0]):
            inside.append(name)
            await leave[name].wait()

    tasks = {name: asyncio.create_task(come(name)) for name in ("a1", "a2", "a3", "b1", "b2", "c1")}
    await settle()
    assert inside == ["a1", "b1"]
    leave["b1"].set()
    await settle()
    assert inside == ["a1", "b1", "c1"], "b had a turn, and a has a place"
    tasks["a2"].cancel()
    leave["a1"].set()
    leave["c1"].set()
    await settle()
    assert sorted(inside[3:]) == ["a3", "b2"], "whoever gave up is passed over"
    for name in ("a3", "b2"):
        leave[name].set()
    await asyncio.wait(tasks.values())
    async with turns.turn("a"), turns.turn("b"):
        pass


async def test_pictures_of_nobody_may_take_every_place() -> None:
    turns = Turns(2)
    async with turns.turn(None), turns.turn(None):
        third = asyncio.create_task(turns.turn(None).__aenter__())
        await settle()
        assert not third.done()
        third.cancel()
        await asyncio.wait([third])
    async with turns.turn(None), turns.turn(None):
        pass


async def test_slow_pictures_of_one_person_leave_room_for_anothers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With real checks, of which those of one person are held until the other's is done."""
    go, double = tmp_path / "go", tmp_path / "python"
    double.write_text(
        f'#!/bin/sh\nif [ "$(head -c 4 "$3")" = SLOW ]; then while [ ! -e {go} ]; do sleep 0.05; done; fi\n'
        f'exec {sys.executable} "$@"\n'
    )
    double.chmod(0o755)
    files = InputFiles(tmp_path / "inputs", max_pixels=1_000_000)
    monkeypatch.setattr(sys, "executable", str(double))
    slow = [asyncio.create_task(files.add("otterbot", b"SLOW%d" % number, owner="@slow:here")) for number in range(3)]
    await settle()
    found = await files.add("otterbot", png(), owner="@quick:here")
    assert (found.width, found.height) == (64, 48)
    assert not any(task.done() for task in slow)
    go.touch()
    await asyncio.wait(slow)
    assert all(task.exception() is not None for task in slow), "they are no pictures"
