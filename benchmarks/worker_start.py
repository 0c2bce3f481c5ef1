"""How long the worker's API takes to answer, and how much memory it has then. Goals: < 1 s, < 90 MiB.

    PYTHONPATH=worker python benchmarks/worker_start.py [--runs 10]

Each run is a fresh process with an empty data directory; the first one, with cold files, is shown apart.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

WORKER = Path(__file__).resolve().parents[1] / "worker"


def one(folder: Path) -> tuple[float, float]:
    """Seconds from the start of the process to its first answer, and MiB resident then."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(WORKER),
        "OTTERBOT_DATA_DIR": str(folder),
        "OTTERBOT_API__PORT": "0",
        "OTTERBOT_CHAT__OLLAMA_URL": "null",
    }
    command = [sys.executable, "-m", "otterbot_worker.cli", "serve"]
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                address = (folder / "listen").read_text().strip()
                urllib.request.urlopen(f"{address}/healthz", timeout=5).read()
                break
            except OSError:
                time.sleep(0.002)
        took = time.perf_counter() - started
        time.sleep(0.5)
        status = Path(f"/proc/{process.pid}/status").read_text()
        resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        return took, resident / 1024
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    asked = parser.parse_args()
    runs = []
    for _ in range(asked.runs + 1):
        with tempfile.TemporaryDirectory() as folder:
            runs.append(one(Path(folder)))
    times, sizes = [took for took, _ in runs[1:]], [size for _, size in runs[1:]]
    print(f"first start  {runs[0][0]:.2f} s")
    print(f"start        median {statistics.median(times):.2f} s, worst {max(times):.2f} s   (goal < 1 s)")
    print(f"memory       median {statistics.median(sizes):.1f} MiB, worst {max(sizes):.1f} MiB   (goal < 90 MiB)")


if __name__ == "__main__":
    main()
