"""The relay between a handle and a seat, without Ray in between."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from core_lab import until
from draw_tasks import draw_task
from seat_lab import SEATING, Actor, machine, with_double

from otterbot_worker.cluster import exits, rays, relay
from otterbot_worker.cluster.seat import Seat
from otterbot_worker.gpu import messages
from otterbot_worker.models.entries import ModelEntry


class Exited(BaseException):
    pass


class Handle:
    """The worker's end of the socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    def send(self, message: messages.ToChild) -> None:
        self.writer.write(messages.encode(message))

    async def until(self, *kinds: type[messages.ToParent]) -> messages.ToParent:
        async with asyncio.timeout(60):
            while True:
                message = messages.for_parent(await self._reader.readline())
                if isinstance(message, kinds):
                    return message


@pytest.fixture
def exit_codes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    found: list[int] = []

    def leave(code: int) -> None:
        found.append(code)
        raise Exited

    monkeypatch.setattr(relay.os, "_exit", leave)
    return found


@pytest_asyncio.fixture
async def handle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exit_codes: list[int]) -> AsyncIterator[Handle]:
    with_double(monkeypatch)
    seat = Seat(machine(tmp_path / "there"), SEATING, None)
    await seat.start()
    ours, theirs = socket.socketpair()
    made = relay.Relay(theirs, Actor(seat), rays.Watchdog(exits.EXIT_NODE_LOST, 600.0), 600.0)
    running = asyncio.create_task(_run(made))
    reader, writer = await asyncio.open_connection(sock=ours, limit=messages.LINE_LIMIT)
    yield Handle(reader, writer)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    writer.close()
    await seat.stop()


async def _run(made: relay.Relay) -> None:
    try:
        await made.run()
    except Exited:
        return


def task(entry: ModelEntry, output: Path, **fields: object) -> messages.Draw:
    needed = {"negative_prompt": "", "guidance_scale": 5.0, "width": 64, "height": 64, "sampler": "UniPC"}
    more = {"prompt": "otter", "steps": 2, "seed": 3, "task_id": "t", "output": output}
    return draw_task(**{**needed, **more, "entry": entry, **fields})


async def test_a_picture_lies_where_the_worker_wants_it(handle: Handle, mini: ModelEntry, tmp_path: Path) -> None:
    await handle.until(messages.Hello)
    (tmp_path / "hat.safetensors").write_bytes(b"x" * 100)
    lora = {"name": "hat", "weight": 1.0, "hash": "ab" * 32, "path": str(tmp_path / "hat.safetensors")}
    for number in range(2):
        output = tmp_path / f"picture-{number}"
        handle.send(task(mini, output, loras=[lora]))
        assert isinstance(await handle.until(messages.Drawn, messages.Failed), messages.Drawn)
        assert output.read_bytes() == bytes([3, 0, 0]) * 64 * 64


async def test_a_disk_that_is_full_here_is_told_as_such(handle: Handle, mini: ModelEntry) -> None:
    handle.send(task(mini, Path("/dev/full")))
    failed = await handle.until(messages.Drawn, messages.Failed)
    assert isinstance(failed, messages.Failed)
    assert (failed.code, failed.details) == ("image_failed", {"errno": 28})


async def test_an_init_image_that_cannot_be_read(handle: Handle, mini: ModelEntry, tmp_path: Path) -> None:
    handle.send(task(mini, tmp_path / "picture", init_image=tmp_path / "gone.png"))
    failed = await handle.until(messages.Drawn, messages.Failed)
    assert isinstance(failed, messages.Failed)
    assert failed.code == "cannot_look"
    handle.send(task(mini, tmp_path / "picture"))
    assert await handle.until(messages.Drawn), "the next one is untouched"


async def test_it_ends_when_it_is_told_to(handle: Handle, exit_codes: list[int]) -> None:
    await handle.until(messages.Hello)
    handle.send(messages.Stop())
    await until(lambda: bool(exit_codes))
    assert exit_codes[0] in (0, exits.EXIT_NODE_LOST)
