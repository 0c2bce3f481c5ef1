"""A seat without Ray: its process is ``child_double.py``, and calls of an actor are calls of the seat."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from core_lab import HERE

from otterbot_worker.cluster.seat import Seat
from otterbot_worker.cluster.wire import Batch, Seating
from otterbot_worker.config import Config
from otterbot_worker.gpu import child_command, messages

SEATING = Seating(number=0, lanes=1, gpu=False, lease=60.0)


def with_double(patch: pytest.MonkeyPatch) -> None:
    real = child_command.command

    def command(**settings: Any) -> list[str]:
        return [sys.executable, str(HERE / "child_double.py"), *real(**settings)[3:]]

    patch.setattr(child_command, "command", command)


def machine(folder: Path, **gpu: Any) -> Config:
    """The settings of another machine."""
    return Config.model_validate({"data_dir": folder, "gpu": {"device": "cpu", **gpu}, "images": {"downloads": False}})


async def said(seat: Seat, last: Callable[[messages.ToParent], bool]) -> tuple[list[messages.ToParent], list[Batch]]:
    """What the seat says until ``last``, and in which batches."""
    found: list[messages.ToParent] = []
    batches: list[Batch] = []
    async with asyncio.timeout(60):
        while not any(map(last, found)):
            batches.append(await seat.take(1.0))
            found += [messages.for_parent(line) for line in batches[-1].lines]
            assert batches[-1].end is None, batches[-1].end
    return found, batches


class Method:
    def __init__(self, call: Callable[..., Any]) -> None:
        self.remote = call


class Actor:
    """What Ray makes of `cluster.actor.LaneActor`."""

    def __init__(self, seat: Seat) -> None:
        self.take, self.send, self.stop = Method(seat.take), Method(seat.send), Method(seat.stop)
        self.put = Method(lambda name, piece, first: seat.put(name, piece, first=first))
