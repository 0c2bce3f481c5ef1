"""How much more two lanes draw than one. Goal: >= 1.9 with two cores and one thread each.

    PYTHONPATH=worker python benchmarks/two_lanes.py [--pictures 16] [--size 192] [--steps 20] [--rounds 4]
        [--devices cpu cpu] [--one NAME=VALUE] [--other NAME=VALUE]

Two real workers, one with a single lane and one with ``--devices``, draw the same batch in turn, so that both see the
same machine; the one that does not draw does nothing. Pictures are counted from the submission until the last one is in
the archive. ``--one`` and ``--other`` are settings of either worker as its environment has them, for other pairs than
these. Other work on the machine costs the two lanes more than the one: a core that is taken is missing from both.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

WORKER = Path(__file__).resolve().parents[1] / "worker"


LAST = 4
"""So many pictures before the end the worker is asked more often: the last one ends the measurement."""


class Worker:
    """A real worker process. ``settings``: of its environment, beside the usual ones."""

    def __init__(self, folder: Path, devices: Sequence[str], settings: Sequence[str]) -> None:
        self._folder = folder
        self._count = 0
        environment = {
            **os.environ,
            "PYTHONPATH": str(WORKER),
            "OMP_NUM_THREADS": "1",
            "OTTERBOT_DATA_DIR": str(folder),
            "OTTERBOT_API__PORT": "0",
            "OTTERBOT_CHAT__OLLAMA_URL": "null",
            "OTTERBOT_GPU__DEVICES": json.dumps(list(devices)),
            "OTTERBOT_GPU__THREADS": "1",
            "OTTERBOT_IMAGES__DEFAULT_MODEL": "otter-mini",
            "OTTERBOT_LOG__LEVEL": "warning",
            "OTTERBOT_QUEUE__MAX_OPEN_PER_OWNER": "1000",
            **dict(one.split("=", 1) for one in settings),
        }
        command = [sys.executable, "-m", "otterbot_worker.cli", "serve"]
        self._process = subprocess.Popen(command, env=environment)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        url, token = ((self._folder / name).read_text().strip() for name in ("listen", "token"))
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(url + path, data, headers, method=method)) as response:
            return json.load(response)

    def wait(self) -> None:
        """Until it listens."""
        while not (self._folder / "listen").exists():
            assert self._process.poll() is None, "the worker has ended"
            time.sleep(0.05)

    def draw(self, pictures: int, size: int, steps: int) -> float:
        """Pictures per minute of that many jobs of one picture each."""
        started, ids = time.perf_counter(), []
        for _ in range(pictures):
            self._count += 1
            request = {"prompt": "otter, cowboy hat", "seed": self._count, "steps": steps, "width": size}
            body = {"key": f"benchmark-{self._count:06d}", "kind": "image", "owner": "@a:b", "room": "!r:b"}
            ids.append(self._call("POST", "/v1/jobs", {**body, "request": {**request, "height": size}})["id"])
        for left, one in zip(reversed(range(pictures)), ids, strict=True):
            while (job := self._call("GET", f"/v1/jobs/{one}"))["state"] in ("queued", "running"):
                time.sleep(1.0 if left >= LAST else 0.05)  # answers cost what two lanes have not left
            assert job["state"] == "succeeded", job["pictures"]
        return 60 * pictures / (time.perf_counter() - started)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in (("pictures", 16), ("size", 192), ("steps", 20), ("rounds", 4)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--devices", nargs="+", default=["cpu", "cpu"])
    parser.add_argument("--one", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--other", action="append", default=[], metavar="NAME=VALUE")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        workers = Worker(Path(one), asked.devices[:1], asked.one), Worker(Path(other), asked.devices, asked.other)
        try:
            for worker in workers:
                worker.wait()
                worker.draw(2 * len(asked.devices), asked.size, 2)  # every lane has loaded its model
            rounds = []
            for number in range(asked.rounds):
                turns = workers if number % 2 else workers[::-1]
                drawn = {worker: worker.draw(asked.pictures, asked.size, asked.steps) for worker in turns}
                rounds.append((drawn[workers[0]], drawn[workers[1]]))
        finally:
            for worker in workers:
                worker.close()
    ratios = [other / one for one, other in rounds]
    print(f"{asked.pictures} pictures of {asked.size}x{asked.size}, {asked.steps} steps, {asked.rounds} rounds")
    print(f"one lane: {statistics.median(one for one, _ in rounds):.1f} pictures a minute, median")
    print(f"{len(asked.devices)} lanes: {statistics.median(other for _, other in rounds):.1f}")
    print(f"ratio: median {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}); goal 1.9")


if __name__ == "__main__":
    main()
