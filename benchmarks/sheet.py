"""What a contact sheet costs: a job with one against the same pictures without. Goal: ratio <= 1.03.

    PYTHONPATH=worker python benchmarks/sheet.py [--count 8] [--size 192] [--steps 20] [--samples 6]

A real worker draws the same pictures in two ways that take turns, so that both see the same machine: one job without a
sheet, until its last picture is archived, and one with a sheet, until that can be fetched. The sheet is made from the
archived files, so its time cannot hide behind the drawing of its own job; it hides behind the next one's. Where other
work shares the machine, the pairs say less than the jobs with a sheet alone: until their last picture, and until the
sheet.
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
from pathlib import Path
from typing import Any

WORKER = Path(__file__).resolve().parents[1] / "worker"


class Worker:
    """A real worker process, followed on its event stream."""

    def __init__(self, folder: Path, threads: int) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(WORKER),
            "OTTERBOT_DATA_DIR": str(folder),
            "OTTERBOT_API__PORT": "0",
            "OTTERBOT_CHAT__OLLAMA_URL": "null",
            "OTTERBOT_GPU__DEVICE": "cpu",
            "OTTERBOT_GPU__THREADS": str(threads),
            "OTTERBOT_IMAGES__DEFAULT_MODEL": "otter-mini",
            "OTTERBOT_LOG__LEVEL": "warning",
        }
        self.process = subprocess.Popen([sys.executable, "-m", "otterbot_worker.cli", "serve"], env=environment)
        while not (folder / "listen").exists():
            time.sleep(0.05)
        self.url = (folder / "listen").read_text().strip()
        self.token = (folder / "token").read_text().strip()
        self.count = 0
        self.events = self._open("GET", "/v1/events")

    def _open(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        asked = urllib.request.Request(self.url + path, data, headers, method=method)
        return urllib.request.urlopen(asked, timeout=600)

    def draw(self, count: int, size: int, steps: int, *, sheet: bool) -> tuple[float, float]:
        """Seconds until all is there, and seconds of that after the last picture."""
        self.count += 1
        request = {"prompt": "otter, cowboy hat", "seed": self.count, "steps": steps, "width": size, "height": size}
        request |= {"count": count, "sampler": "UniPC", **({"sheet": {}} if sheet else {})}
        body = {"key": f"benchmark-{self.count:06d}", "kind": "image", "owner": "@a:b", "room": "!r:b"}
        started, drawn = time.perf_counter(), 0.0
        with self._open("POST", "/v1/jobs", {**body, "request": request}) as response:
            job_id = json.load(response)["id"]
        for raw in self.events:
            if raw.startswith(b'data: {"job":'):
                job = json.loads(raw[6:])["job"]
                if job["id"] != job_id or job["state"] in ("queued", "running"):
                    continue
                assert job["state"] == "succeeded", job["pictures"]
                drawn = drawn or time.perf_counter()
                if not sheet or job["sheet"] is not None:
                    break
        now = time.perf_counter()
        return now - started, now - drawn

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in (("count", 8), ("size", 192), ("steps", 20), ("samples", 6), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker(Path(folder), asked.threads)
        try:
            how = (asked.count, asked.size, asked.steps)
            worker.draw(*how, sheet=True)
            pairs = []
            for number in range(asked.samples):
                order = (False, True) if number % 2 else (True, False)
                pairs.append({sheet: worker.draw(*how, sheet=sheet) for sheet in order})
        finally:
            worker.close()
    separate = [pair[False][0] for pair in pairs]
    with_sheet = [pair[True][0] for pair in pairs]
    ratio = statistics.median(b / a for a, b in zip(separate, with_sheet, strict=True))
    print(f"{asked.count} pictures of {asked.size}x{asked.size}, {asked.steps} steps, {asked.samples} pairs")
    print(f"separate:     {statistics.median(separate):.2f} s")
    print(f"with a sheet: {statistics.median(with_sheet):.2f} s, of which after the last picture "
          f"{statistics.median(pair[True][1] for pair in pairs) * 1000:.0f} ms")  # fmt: skip
    own = statistics.median(pair[True][0] / (pair[True][0] - pair[True][1]) for pair in pairs)
    print(f"ratio within the same jobs, to the sheet and to the last picture: {own:.3f}")
    print(f"ratio to the separate ones (median of pairs): {ratio:.3f}")


if __name__ == "__main__":
    main()
