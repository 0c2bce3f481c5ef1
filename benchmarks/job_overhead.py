"""A worker's job against the same bare diffusers call. Goal: ratio <= 1.05, fixed costs shown apart.

    PYTHONPATH=worker python benchmarks/job_overhead.py [--steps 10 60] [--size 128] [--samples 8]

A picture is drawn first with a prompt that is new and then again with another seed, where the worker has the prompt's
embeddings from before and diffusers alone computes them again.

Both draw with ``otter-mini``, the small model that ships with the worker, one thread, warm, alternating, so
that both see the same machine. A job's time is from the submission to the event that it is done: HTTP, queue, prompt
parsing, drawing, PNG, thumbnail, fsync. From two numbers of steps comes what a step costs and what a job costs
without steps: with this tiny model the latter is much of it, with a real one it vanishes beside the steps.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

WORKER = Path(__file__).resolve().parents[1] / "worker"
MODEL = WORKER / "otterbot_worker" / "models" / "otter-mini"
PROMPT = "otter, cowboy hat, watercolor"
KINDS = ("first", "reroll")


class Worker:
    """A real worker process; one job at a time, followed on its event stream."""

    def __init__(self, folder: Path, size: int) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(WORKER),
            "OTTERBOT_DATA_DIR": str(folder),
            "OTTERBOT_API__PORT": "0",
            "OTTERBOT_CHAT__OLLAMA_URL": "null",
            "OTTERBOT_GPU__DEVICE": "cpu",
            "OTTERBOT_GPU__THREADS": "1",
            "OTTERBOT_IMAGES__DEFAULT_MODEL": "otter-mini",
            "OTTERBOT_LOG__LEVEL": "warning",
        }
        self.process = subprocess.Popen([sys.executable, "-m", "otterbot_worker.cli", "serve"], env=environment)
        while not (folder / "listen").exists():
            time.sleep(0.05)
        self.url = (folder / "listen").read_text().strip()
        self.token = (folder / "token").read_text().strip()
        self.size, self.count = size, 0
        self.events = self._open("GET", "/v1/events")

    def _open(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        return urllib.request.urlopen(
            urllib.request.Request(self.url + path, data, headers, method=method), timeout=600
        )

    def draw(self, steps: int, prompt: str, count: int = 1) -> float:
        """Seconds until all ``count`` pictures are archived."""
        self.count += 1
        request = {"prompt": prompt, "seed": self.count, "steps": steps, "width": self.size, "height": self.size}
        request["count"] = count
        body = {"key": f"benchmark-{self.count:06d}", "kind": "image", "owner": "@a:b", "room": "!r:b"}
        started = time.perf_counter()
        with self._open("POST", "/v1/jobs", {**body, "request": {**request, "sampler": "UniPC"}}) as response:
            job_id = json.load(response)["id"]
        for raw in self.events:
            if raw.startswith(b'data: {"job":'):
                job = json.loads(raw[6:])["job"]
                if job["id"] == job_id and job["state"] not in ("queued", "running"):
                    assert job["state"] == "succeeded", job["pictures"]
                    break
        return time.perf_counter() - started

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def bare(size: int) -> Callable[[int, str], float]:
    """The same picture with diffusers alone."""
    import torch
    from diffusers import StableDiffusionPipeline, UniPCMultistepScheduler

    torch.set_num_threads(1)
    pipe = StableDiffusionPipeline.from_pretrained(MODEL, local_files_only=True, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    count = 0

    def draw(steps: int, prompt: str) -> float:
        nonlocal count
        count += 1
        started = time.perf_counter()
        pipe.scheduler = UniPCMultistepScheduler.from_config(pipe.scheduler.config)
        generator = torch.Generator("cpu").manual_seed(count)
        pipe(
            prompt=prompt, negative_prompt="", num_inference_steps=steps, guidance_scale=5.0, width=size, height=size,
            generator=generator,
        )  # fmt: skip
        return time.perf_counter() - started

    return draw


def show(name: str, steps: tuple[int, int], times: dict[int, list[float]]) -> tuple[float, float]:
    """Prints medians; returns seconds per step and without steps."""
    low, high = (statistics.median(times[count]) for count in steps)
    a_step = (high - low) / (steps[1] - steps[0])
    fixed = low - a_step * steps[0]
    print(
        f"{name:<8} {steps[0]} steps {low * 1e3:7.1f} ms   {steps[1]} steps {high * 1e3:7.1f} ms   "
        f"a step {a_step * 1e3:6.2f} ms   without steps {fixed * 1e3:6.1f} ms"
    )
    return a_step, fixed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, nargs=2, default=(10, 60))
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--samples", type=int, default=8)
    asked = parser.parse_args()
    steps: tuple[int, int] = (asked.steps[0], asked.steps[1])
    with tempfile.TemporaryDirectory() as name:
        draw, worker = bare(asked.size), Worker(Path(name), asked.size)
        try:
            ours: dict[str, dict[int, list[float]]] = {kind: {count: [] for count in steps} for kind in KINDS}
            theirs: dict[str, dict[int, list[float]]] = {kind: {count: [] for count in steps} for kind in KINDS}
            worker.draw(steps[0], PROMPT)
            draw(steps[0], PROMPT)
            for number in range(asked.samples):
                for count in steps:
                    prompt = f"{PROMPT}, number {number} of {count}"
                    for kind in KINDS:
                        theirs[kind][count].append(draw(count, prompt))
                        ours[kind][count].append(worker.draw(count, prompt))
        finally:
            worker.stop()
    for kind in KINDS:
        print(f"\n{kind}")
        bare_step, bare_fixed = show("bare", steps, theirs[kind])
        our_step, our_fixed = show("worker", steps, ours[kind])
        whole = statistics.median(ours[kind][steps[1]]) / statistics.median(theirs[kind][steps[1]])
        print(f"whole job of {steps[1]} steps: {whole:.3f} times the bare call")
        print(f"steps alone: {our_step / bare_step:.3f} times   (goal <= 1.05)")
        print(f"fixed costs beside the bare call's: {(our_fixed - bare_fixed) * 1e3:.0f} ms a job")


if __name__ == "__main__":
    main()
