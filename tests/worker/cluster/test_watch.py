"""The scout is kept running, and what it says is told."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

import pytest
from core_lab import until

from otterbot_worker.cluster import scout, watch
from otterbot_worker.cluster.wire import Machine, Node
from otterbot_worker.config import RayConfig

NODE = Node(id="1", name="attic", lanes=1, gpus=False, here=False)
SEES = f"print({json.dumps({'problem': None, 'nodes': [asdict(NODE)]})!r}, flush=True)"


async def test_one_that_ends_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[Sequence[Node], str | None]] = []
    programs = iter([SEES, "print('nonsense')", f"{SEES}; import time; time.sleep(600)"])
    monkeypatch.setattr(watch, "command", lambda ray: [sys.executable, "-c", next(programs)])
    monkeypatch.setattr(watch, "AGAIN_SECONDS", (0.01,))
    following = asyncio.create_task(watch.follow(RayConfig(), lambda nodes, why: told.append((nodes, why))))
    try:
        await until(lambda: len(told) == 4)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    assert told == [([NODE], None), ((), watch.ENDED), ((), watch.ENDED), ([NODE], None)]


async def test_why_there_is_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str | None] = []
    said = json.dumps({"problem": "Ray is not installed.", "nodes": []})
    monkeypatch.setattr(watch, "command", lambda ray: [sys.executable, "-c", f"print({said!r})"])
    following = asyncio.create_task(watch.follow(RayConfig(), lambda nodes, why: told.append(why)))
    await until(lambda: bool(told))
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert told == ["Ray is not installed."]


class Ray:
    """What `scout.Asked` needs of Ray: a machine that answers when it is let."""

    def __init__(self, answer: Machine | Exception) -> None:
        self.answer, self.ready = answer, False

    def wait(self, tasks: list[object], timeout: float) -> tuple[list[object], list[object]]:
        return (tasks, []) if self.ready else ([], tasks)

    def get(self, _: object) -> Machine:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Machine(version="1"), None),
        (RuntimeError("…\nModuleNotFoundError: No module named 'otterbot_worker'"), scout.NOT_INSTALLED),
        (RuntimeError("pages of text"), "It cannot be asked (RuntimeError)."),
    ],
)
def test_what_a_machine_answers(answer: Machine | Exception, problem: str | None) -> None:
    found = scout._answer(Ray(answer), None)
    assert found.problem == problem


def test_a_problem_is_one_short_line() -> None:
    assert scout._why(ModuleNotFoundError("No module named 'ray'")).startswith("Ray is not installed: pip install")
    why = scout._why(ConnectionError("Could not find any running Ray instance." + "x" * 900 + "\nand pages more"))
    assert why.startswith("The Ray cluster cannot be joined (ConnectionError: Could not find")
    assert len(why) < 300
