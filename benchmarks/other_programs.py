"""A picture by OpenAI's API against the same one by the worker's own. Goal: ratio <= 1.02.

    PYTHONPATH=worker python benchmarks/other_programs.py [--samples 40] [--models otter-mini tiny-sd]

One real worker process, warm, one thread; the two ways take turns, each with seeds of its own, and which is first
changes from pair to pair. By the worker's own API a picture is submitted, waited for on the event stream and fetched,
as the plugin does it; by OpenAI's it is one request, whose answer holds it in base64. What is compared is the time
until the client has the bytes of the PNG. ``tiny-sd`` has random weights and draws almost nothing (64x64, 4 steps), so
that nearly all of its time is the worker's own.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
WORKER = REPOSITORY / "worker"
MAKER = REPOSITORY / "tests" / "worker" / "support" / "make_tiny_models.py"
CATALOGUE = """
models:
  tiny-sd:
    folder: tiny-sd
    family: sd
    about: random weights
    defaults: {steps: 4, guidance_scale: 5.0, width: 64, height: 64, sampler: UniPC}
    limits: {size_min: 16}
"""
PROMPT = "otter, cowboy hat"
STEPS = {"otter-mini": 20, "tiny-sd": 4}


class Worker:
    def __init__(self, folder: Path) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(WORKER),
            "OMP_NUM_THREADS": "1",
            "OTTERBOT_DATA_DIR": str(folder),
            "OTTERBOT_API__PORT": "0",
            "OTTERBOT_API__COMPAT": '["openai"]',
            "OTTERBOT_CHAT__BACKEND": "off",
            "OTTERBOT_GPU__DEVICE": "cpu",
            "OTTERBOT_GPU__THREADS": "1",
            "OTTERBOT_IMAGES__CATALOGUE": str(folder / "models.yaml"),
            "OTTERBOT_LOG__LEVEL": "warning",
        }
        self.process = subprocess.Popen([sys.executable, "-m", "otterbot_worker.cli", "serve"], env=environment)
        while not (folder / "listen").exists():
            time.sleep(0.05)
        self.url = (folder / "listen").read_text().strip()
        self.token = (folder / "token").read_text().strip()
        self.count = 0
        self.events = self.ask("GET", "/v1/events")

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        return urllib.request.urlopen(request, timeout=600)

    def ours(self, model: str) -> float:
        """Seconds until the PNG is here."""
        self.count += 1
        request = {"prompt": PROMPT, "seed": self.count, "model": model, "steps": STEPS[model]}
        body = {
            "key": f"benchmark-{self.count:06d}",
            "kind": "image",
            "owner": "@a:b",
            "room": "!r:b",
            "request": request,
        }
        started = time.perf_counter()
        with self.ask("POST", "/v1/jobs", body) as response:
            job = json.load(response)
        for raw in self.events:
            if raw.startswith(b'data: {"job":'):
                found = json.loads(raw[6:])["job"]
                if found["id"] == job["id"] and found["state"] not in ("queued", "running"):
                    image = found["pictures"][0]["result"]["image_id"]
                    break
        with self.ask("GET", f"/v1/images/{image}") as response:
            assert response.read().startswith(b"\x89PNG")
        return time.perf_counter() - started

    def theirs(self, model: str) -> float:
        """The same with one request."""
        self.count += 1
        body = {"prompt": PROMPT, "seed": self.count, "model": model, "steps": STEPS[model], "keep": True}
        started = time.perf_counter()
        with self.ask("POST", "/openai/v1/images/generations", body) as response:
            answer = json.load(response)
        assert base64.b64decode(answer["data"][0]["b64_json"]).startswith(b"\x89PNG")
        return time.perf_counter() - started

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=40)
    parser.add_argument("--models", nargs="+", choices=sorted(STEPS), default=sorted(STEPS))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, str(MAKER), str(folder / "models")], check=True, capture_output=True)
        (folder / "models.yaml").write_text(CATALOGUE)
        worker = Worker(folder)
        try:
            for model in asked.models:
                measure(worker, model, asked.samples)
        finally:
            worker.stop()


def measure(worker: Worker, model: str, samples: int) -> None:
    worker.ours(model)
    worker.theirs(model)
    pairs = []
    for number in range(samples):
        if number % 2:
            theirs, ours = worker.theirs(model), worker.ours(model)
        else:
            ours, theirs = worker.ours(model), worker.theirs(model)
        pairs.append((ours, theirs))
    ours, theirs = (statistics.median(times) * 1e3 for times in zip(*pairs, strict=True))
    ratio = statistics.median(theirs / ours for ours, theirs in pairs)
    print(
        f"{model:<12} own API {ours:7.1f} ms   OpenAI's {theirs:7.1f} ms   OpenAI's / own, pair by pair {ratio:.3f}"
        f"   (goal <= 1.02)"
    )


if __name__ == "__main__":
    main()
