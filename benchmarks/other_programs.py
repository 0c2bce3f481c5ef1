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
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from drawing_worker import DrawingWorker

REPOSITORY = Path(__file__).resolve().parents[1]
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


def ours(worker: DrawingWorker, model: str) -> float:
    """Seconds until the PNG is here, by the worker's own API."""
    worker.count += 1
    started = time.perf_counter()
    job = worker.draw({"prompt": PROMPT, "seed": worker.count, "model": model, "steps": STEPS[model]})
    with worker.ask("GET", f"/v1/images/{job['pictures'][0]['result']['image_id']}") as response:
        assert response.read().startswith(b"\x89PNG")
    return time.perf_counter() - started


def theirs(worker: DrawingWorker, model: str) -> float:
    """The same with one request of OpenAI's."""
    worker.count += 1
    body = {"prompt": PROMPT, "seed": worker.count, "model": model, "steps": STEPS[model], "keep": True}
    started = time.perf_counter()
    with worker.ask("POST", "/openai/v1/images/generations", body) as response:
        answer = json.load(response)
    assert base64.b64decode(answer["data"][0]["b64_json"]).startswith(b"\x89PNG")
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=40)
    parser.add_argument("--models", nargs="+", choices=sorted(STEPS), default=sorted(STEPS))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, str(MAKER), str(folder / "models")], check=True, capture_output=True)
        (folder / "models.yaml").write_text(CATALOGUE)
        worker = DrawingWorker(
            folder, OTTERBOT_API__COMPAT='["openai"]', OTTERBOT_IMAGES__CATALOGUE=str(folder / "models.yaml")
        )
        try:
            for model in asked.models:
                measure(worker, model, asked.samples)
        finally:
            worker.stop()


def measure(worker: DrawingWorker, model: str, samples: int) -> None:
    ours(worker, model)
    theirs(worker, model)
    pairs = []
    for number in range(samples):
        order = (theirs, ours) if number % 2 else (ours, theirs)
        took = {way: way(worker, model) for way in order}
        pairs.append((took[ours], took[theirs]))
    own, other = (statistics.median(times) * 1e3 for times in zip(*pairs, strict=True))
    ratio = statistics.median(other / own for own, other in pairs)
    print(
        f"{model:<12} own API {own:7.1f} ms   OpenAI's {other:7.1f} ms   OpenAI's / own, pair by pair {ratio:.3f}"
        f"   (goal <= 1.02)"
    )


if __name__ == "__main__":
    main()
