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
import statistics
import tempfile
import time
from pathlib import Path

from drawing_worker import DrawingWorker


def draw(worker: DrawingWorker, count: int, size: int, steps: int, *, sheet: bool) -> tuple[float, float]:
    """Seconds until all is there, and seconds of that after the last picture."""
    worker.count += 1
    request = {"prompt": "otter, cowboy hat", "seed": worker.count, "steps": steps, "width": size, "height": size}
    request |= {"count": count, "sampler": "UniPC", **({"sheet": {}} if sheet else {})}
    started, drawn = time.perf_counter(), 0.0
    for job in worker.states(request):
        drawn = drawn or time.perf_counter()
        if not sheet or job["sheet"] is not None:
            break
    now = time.perf_counter()
    return now - started, now - drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, usual in (("count", 8), ("size", 192), ("steps", 20), ("samples", 6), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        worker = DrawingWorker(Path(folder), asked.threads)
        try:
            how = (asked.count, asked.size, asked.steps)
            draw(worker, *how, sheet=True)
            pairs = []
            for number in range(asked.samples):
                order = (False, True) if number % 2 else (True, False)
                pairs.append({sheet: draw(worker, *how, sheet=sheet) for sheet in order})
        finally:
            worker.stop()
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
