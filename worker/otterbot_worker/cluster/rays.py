"""Ray, for the two programs that are its drivers. Nothing else imports it, and only when they run."""

from __future__ import annotations

import importlib
import logging
import os
import threading
import time
from typing import Any

from .wire import Node

QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}
"""Ray's reports to its makers are off, and it has no words for standard output."""
GPU = "GPU"
"""The name of the resource that stands for cards."""


def connect(address: str, namespace: str) -> Any:
    """Joins a cluster that is there, through the part of it on this machine; never starts one. Returns the package.

    :raises Exception: whatever Ray raises
    """
    os.environ.update(QUIET)
    ray: Any = importlib.import_module("ray")
    ray.init(
        address=address,
        namespace=namespace,
        log_to_driver=False,
        logging_level=logging.ERROR,
        configure_logging=True,
    )
    return ray


def on_node(node_id: str) -> Any:
    """Where a task or an actor has to run."""
    strategies: Any = importlib.import_module("ray.util.scheduling_strategies")
    return strategies.NodeAffinitySchedulingStrategy(node_id=node_id, soft=False)


def nodes(ray: Any, resource: str) -> list[Node]:
    """The machines that are alive and have lanes. :raises Exception: whatever Ray raises"""
    own = ray.get_runtime_context().get_node_id()
    found = []
    for one in ray.nodes():
        amounts = one.get("Resources", {})
        lanes = int(amounts.get(resource, 0))
        if one.get("Alive") and lanes > 0:
            gpus = amounts.get(GPU, 0) >= lanes
            name = str(one.get("NodeName") or one.get("NodeManagerAddress"))
            found.append(Node(id=one["NodeID"], name=name, lanes=lanes, gpus=gpus, here=one["NodeID"] == own))
    return found


class Watchdog:
    """Ends this process when it was not heard of for too long: Ray waits for ever for a machine that is frozen."""

    def __init__(self, code: int, seconds: float) -> None:
        self._code = code
        self._until = time.monotonic() + seconds
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def beat(self, seconds: float) -> None:
        """All is well; the next beat has to come within so many seconds."""
        self._until = time.monotonic() + seconds

    def _watch(self) -> None:
        while (left := self._until - time.monotonic()) > 0:
            time.sleep(min(left, 0.25))
        os._exit(self._code)
