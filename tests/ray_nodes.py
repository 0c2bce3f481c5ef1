"""A real cluster of Ray on this machine, in a process of its own: as a program it starts nodes and ends with its
standard input; `RayNodes` is the test's end of it, and kills and freezes what it started.

Each node is a machine with a data directory of its own and one lane on the processor. The head has no lane.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

RESOURCE = "otter_lane"
STORE_BYTES = 90 * 1024 * 1024
START_SECONDS = 240.0
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_enable_metrics_collection": "0", "RAY_DEDUP_LOGS": "0"}
SLOW = {
    "RAY_raylet_start_wait_time_s": "170",
    "RAY_gcs_server_request_timeout_seconds": "170",
    "RAY_worker_register_timeout_seconds": "170",
    "RAY_agent_register_timeout_ms": "170000",
    "RAY_worker_niceness": "0",
}
"""A machine for tests may be busy. Ray starts its processes at niceness 15, where they would starve beside others."""
HEALTH = {"RAY_health_check_period_ms": "1000", "RAY_health_check_timeout_ms": "5000"}


class RayNodes:
    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self._process = process
        self._folder = folder
        self.address = ""
        self._session = Path()
        self.raylets: dict[str, int] = {}

    async def _ask(self, **asked: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        async with asyncio.timeout(START_SECONDS):
            line = await self._process.stdout.readline()
        assert line, "the cluster's process has ended"
        found: dict[str, Any] = json.loads(line)
        return found

    def data(self, name: str) -> Path:
        """The data directory of a node."""
        return self._folder / name

    async def head(self) -> None:
        """Starts it; one that was there is killed, and all nodes with it."""
        for name in list(self.raylets):
            self.kill(name)
        answer = await self._ask(head=True)
        self.address, self._session = answer["address"], Path(answer["session"])

    async def add(self, name: str, **environment: str) -> None:
        self.data(name).mkdir(exist_ok=True)
        own = {"OTTERBOT_DATA_DIR": str(self.data(name)), "OTTERBOT_GPU__THREADS": "1", **environment}
        own |= {"HF_HUB_CACHE": str(self.data(name) / "hub"), "OTTERBOT_IMAGES__DOWNLOADS": "false"}
        self.raylets[name] = (await self._ask(add=name, environment=own))["raylet"]

    def logs(self) -> list[Path]:
        """All that Ray has written."""
        found = [path for path in (self._session / "logs").rglob("*") if path.is_file()]
        return [*found, self._folder / "cluster.log"]

    def kill(self, name: str) -> None:
        """As a power cut does."""
        _signal(tree(self.raylets.pop(name)), signal.SIGKILL)

    def freeze(self, name: str) -> None:
        _signal(tree(self.raylets[name]), signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        _signal(tree(self.raylets[name]), signal.SIGCONT)

    def actors(self) -> list[int]:
        """The processes of lanes on all nodes."""
        return [pid for raylet in self.raylets.values() for pid in tree(raylet) if b"LaneActor" in _command(pid)]


@asynccontextmanager
async def ray_nodes(folder: Path, *names: str, python: str = sys.executable) -> AsyncIterator[RayNodes]:
    """A head, and nodes of these names. ``python``: an interpreter that has Ray and the worker."""
    folder.mkdir(parents=True, exist_ok=True)
    worker = Path(__file__).resolve().parents[1] / "worker"
    environment = {**os.environ, **QUIET, **SLOW, **HEALTH, "PYTHONPATH": str(worker)}
    with (folder / "cluster.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            python, __file__, env=environment, stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=log,
        )  # fmt: skip
    nodes = RayNodes(process, folder)
    try:
        await nodes.head()
        for name in names:
            await nodes.add(name)
        yield nodes
    finally:
        for raylet in nodes.raylets.values():
            _signal(tree(raylet), signal.SIGCONT)
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(60):
            await process.wait()


# ---------------------------------------------------------------- processes


def processes() -> list[int]:
    return [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]


def _parent(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    return 0


def _command(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def tree(root: int) -> list[int]:
    """A process and all that came from it, itself first."""
    parents = {pid: _parent(pid) for pid in processes()}
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


# ---------------------------------------------------------------- the program


def main() -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from ray.cluster_utils import Cluster  # type: ignore[import-not-found, import-untyped, unused-ignore]

    cluster = Cluster()
    node_settings = {"num_cpus": 1, "object_store_memory": STORE_BYTES, "include_log_monitor": False}
    try:
        for line in sys.stdin:
            asked = json.loads(line)
            if "head" in asked:
                port = None
                if cluster.head_node is not None:
                    port = int(str(cluster.address).rpartition(":")[2])
                    for node in list(cluster.worker_nodes):
                        cluster.remove_node(node, allow_graceful=False)
                    cluster.remove_node(cluster.head_node, allow_graceful=False)
                more = {} if port is None else {"gcs_server_port": port}
                cluster.add_node(include_dashboard=False, **node_settings, **more)
                answer = {"address": cluster.address, "session": cluster.head_node.get_session_dir_path()}
            else:
                node = cluster.add_node(
                    node_name=asked["add"], env_vars=asked["environment"], resources={RESOURCE: 1}, **node_settings
                )
                answer = {"raylet": node.all_processes["raylet"][0].process.pid}
            print(json.dumps(answer), file=out, flush=True)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
