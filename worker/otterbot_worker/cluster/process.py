"""The worker's handle on the GPU process of another machine."""

from __future__ import annotations

import logging
import os
import sys

from ..config import Config, RayConfig
from ..gpu.process import GpuProcess
from . import exits
from .wire import Node

PROGRAM = "otterbot_worker.cluster.relay"


class RemoteProcess(GpuProcess):
    """As one of this machine: its child is a relay. Where it is, the scout says; until it says so there is none."""

    remote = True

    def __init__(self, config: Config, name: str) -> None:
        super().__init__(
            device=name,
            lock_path=config.lock_file,
            threads=None,
            step_timeout=config.gpu.step_timeout,
            load_timeout=config.gpu.load_timeout,
            log=logging.getLogger("otterbot_worker.gpu"),
        )
        self._ray = config.ray
        self._command = ["false"]
        self.node: str | None = None

    def is_at(self, node: Node, number: int) -> None:
        """``number``: which of that machine's lanes. A process that runs is not touched."""
        self.node = node.id
        self._command = command(self._ray, node, number)

    def _died(self, returncode: int | None, *, oom_kills_before: int) -> str:
        return exits.reason(returncode)


def command(ray: RayConfig, node: Node, number: int) -> list[str]:
    words = [sys.executable, "-m", PROGRAM, "--parent", str(os.getpid()), *cluster(ray)]
    words += ["--node", node.id, "--number", str(number), "--lanes", str(node.lanes)]
    return [*words, "--heartbeat", str(ray.heartbeat_seconds), *(["--gpu"] if node.gpus else [])]


def cluster(ray: RayConfig) -> list[str]:
    return ["--address", ray.address, "--namespace", ray.namespace, "--resource", ray.resource]
