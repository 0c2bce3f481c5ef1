"""A real worker process that draws on the processor, one job at a time, followed on its event stream."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WORKER = Path(__file__).resolve().parents[1] / "worker"


class DrawingWorker:
    """``environment``: settings that differ. ``count``: the number of the request; whoever makes one counts it on."""

    def __init__(self, folder: Path, threads: int = 1, **environment: str) -> None:
        whole = {
            **os.environ,
            "PYTHONPATH": str(WORKER),
            "OTTERBOT_DATA_DIR": str(folder),
            "OTTERBOT_API__PORT": "0",
            "OTTERBOT_CHAT__BACKEND": "off",
            "OTTERBOT_GPU__DEVICE": "cpu",
            "OTTERBOT_GPU__THREADS": str(threads),
            "OTTERBOT_IMAGES__DEFAULT_MODEL": "otter-mini",
            "OTTERBOT_LOG__LEVEL": "warning",
            **environment,
        }
        self._process = subprocess.Popen([sys.executable, "-m", "otterbot_worker.cli", "serve"], env=whole)
        while not (folder / "listen").exists():
            time.sleep(0.05)
        self._url = (folder / "listen").read_text().strip()
        self._token = (folder / "token").read_text().strip()
        self.count = 0
        self._events = self.ask("GET", "/v1/events")

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer, open."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        asked = urllib.request.Request(self._url + path, data, headers, method=method)
        return urllib.request.urlopen(asked, timeout=600)

    def states(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Submits it as a job, number ``count``. Yields the job at its end, and whenever it changes afterwards."""
        body = {"key": f"benchmark-{self.count:06d}", "kind": "image", "owner": "@a:b", "room": "!r:b"}
        with self.ask("POST", "/v1/jobs", {**body, "request": request}) as response:
            job_id = json.load(response)["id"]
        for raw in self._events:
            if raw.startswith(b'data: {"job":'):
                job: dict[str, Any] = json.loads(raw[6:])["job"]
                if job["id"] == job_id and job["state"] not in ("queued", "running"):
                    assert job["state"] == "succeeded", job["pictures"]
                    yield job

    def draw(self, request: dict[str, Any]) -> dict[str, Any]:
        """The job when all of it is drawn."""
        return next(self.states(request))

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)
