"""Says which machines of a Ray cluster have lanes, and what they have: ``python -m otterbot_worker.cluster.scout``,
started by ``cluster.watch``, and by the doctor for one look.

A line of JSON on standard output for each look, each second: the nodes, or why there are none to be seen.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict, replace
from typing import Any, TextIO

from .. import privacy
from ..parent_death import die_with
from . import inventory, rays
from .wire import CONNECT_SECONDS, Machine, Node

LOOK_SECONDS = 1.0
ANEW_SECONDS = 60.0
"""After that a machine is asked again what it has: people drop files into its folders."""
HANGS_SECONDS = 15.0
ANSWER_SECONDS = 30.0
NOT_INSTALLED = "otterbot-worker is not installed in the Python that Ray runs there."
NO_ANSWER = "It does not answer."


class Asked:
    """What a machine has said of itself, and what it is asked just now."""

    def __init__(self) -> None:
        self.machine: Machine | None = None
        self._task: Any = None
        self._since = float("-inf")

    def look(self, ray: Any, node: str) -> None:
        """Never waits."""
        now = time.monotonic()
        if self._task is None and now - self._since >= ANEW_SECONDS:
            task = ray.remote(inventory.machine)
            options = task.options(num_cpus=0, max_retries=0, scheduling_strategy=rays.on_node(node))
            self._task, self._since = options.remote(), now
        if self._task is None:
            return
        done, _ = ray.wait([self._task], timeout=0)
        if not done and now - self._since < ANSWER_SECONDS:
            return
        self.machine = _answer(ray, self._task) if done else Machine(version="", problem=NO_ANSWER)
        self._task = None


def _answer(ray: Any, task: Any) -> Machine:
    try:
        answer = ray.get(task)
    except Exception as error:
        # Ray wraps what happened there; of its pages of text only that one thing is of use.
        missing = "otterbot_worker" in str(error) and "No module named" in str(error)
        return Machine(
            version="", problem=NOT_INSTALLED if missing else f"It cannot be asked ({type(error).__name__})."
        )
    assert isinstance(answer, Machine)
    return answer


class Scout:
    def __init__(self, ray: Any, resource: str) -> None:
        self._ray = ray
        self._resource = resource
        self._asked: dict[str, Asked] = {}

    def look(self) -> list[Node]:
        """The machines that have said what they have. :raises Exception: whatever Ray raises"""
        nodes = rays.nodes(self._ray, self._resource)
        self._asked = {node.id: self._asked.get(node.id) or Asked() for node in nodes}
        found = []
        for node in nodes:
            asked = self._asked[node.id]
            asked.look(self._ray, node.id)
            if (told := asked.machine) is not None:
                found.append(replace(node, version=told.version, models=told.models, problem=told.problem))
        return found

    @property
    def waits(self) -> bool:
        """For a first answer."""
        return any(asked.machine is None for asked in self._asked.values())


def say(out: TextIO, nodes: list[Node], problem: str | None = None) -> None:
    print(json.dumps({"problem": problem, "nodes": [asdict(node) for node in nodes]}), file=out, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="otterbot_worker.cluster.scout")
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--resource", required=True)
    parser.add_argument("--once", action="store_true", help="until every machine has answered")
    asked = parser.parse_args()
    privacy.keep_to_ourselves()
    die_with(asked.parent)
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever Ray prints is none of our lines
    watchdog = rays.Watchdog(1, CONNECT_SECONDS)
    try:
        scout = Scout(rays.connect(asked.address, asked.namespace), asked.resource)
        while True:
            nodes = scout.look()
            if not (asked.once and scout.waits):
                say(out, nodes)
                if asked.once:
                    os._exit(0)
            watchdog.beat(ANSWER_SECONDS + HANGS_SECONDS if asked.once else HANGS_SECONDS)
            time.sleep(LOOK_SECONDS)
    except Exception as error:
        say(out, [], _why(error))
        sys.stderr.flush()
        os._exit(1)


def _why(error: Exception) -> str:
    """A sentence for the operator. The first line alone: Ray's messages are pages long."""
    if isinstance(error, ModuleNotFoundError):
        return "Ray is not installed: pip install 'otterbot-worker[ray]'."
    first = (str(error).strip().splitlines() or [""])[0][:200]
    return f"The Ray cluster cannot be joined ({type(error).__name__}: {first})."


if __name__ == "__main__":
    main()
