"""What encoding, metadata and archive of a picture cost, and how much of that the next picture's steps hide.

    PYTHONPATH=worker python benchmarks/archive_overlap.py [--sizes 512 768 1024] [--samples 8] [--count 8]

First the parts, each timed by itself in this process. Then a real worker draws the same pictures in two ways that take
turns, so that both see the same machine: asked for one by one, each when the one before is archived, and all at once.
What a picture takes beside its pipeline (the worker's own measure of that) can hide behind nothing in the first way,
and behind the steps of the next picture in the second.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from job_overhead import PROMPT, Worker
from PIL import Image

from otterbot_worker.archive import Archive, ArchiveSettings, metadata, pictures, sidecars
from otterbot_worker.schemas.records import Record

STEPS = 4
RECORD = Record.model_validate({
    "v": 1,
    "asked": {"prompt": PROMPT},
    "used": {
        "prompt": PROMPT, "negative_prompt": "ugly, poor quality", "model": "otter-mini", "model_hash": "0" * 64,
        "sampler": "UniPC", "steps": STEPS, "guidance_scale": 5.0, "width": 512, "height": 512, "seed": 42,
        "loras": [], "embeddings": [], "parser": "otterbot-1", "versions": {"diffusers": "0"},
    },
    "took": 1.5,
})  # fmt: skip


def photo(size: int, seed: int) -> bytes:
    """Pixels that a PNG can shrink about as well as a drawing: smooth noise with a little grain."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (size // 16, size // 16, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), dtype=np.int16)
    return (smooth + random.integers(-2, 3, smooth.shape)).clip(0, 255).astype(np.uint8).tobytes()


def median_ms(samples: int, work: Callable[[int], object]) -> float:
    times = []
    for number in range(samples):
        started = time.perf_counter()
        work(number)
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1e3


def parts(folder: Path, size: int, samples: int) -> None:
    """Prints what each part of a picture's way to the disk takes."""
    scratch = folder / "scratch.rgb"
    rows = photo(size, 1)
    texts = {metadata.A1111_CHUNK: metadata.a1111(RECORD), metadata.OWN_CHUNK: metadata.own_chunk(RECORD)}

    def describe(_: int) -> None:
        metadata.a1111(RECORD)
        metadata.own_chunk(RECORD)
        sidecars.of_picture(RECORD, filename="a.png", created="2026-01-01T00:00:00+00:00", private=False)

    def encode(_: int) -> None:
        pictures.encode(scratch, size, size, texts)

    archive = Archive(folder / "archive", ArchiveSettings())

    def store(number: int) -> None:
        path = archive.scratch(f"{size}-{number}")
        path.write_bytes(rows)
        asyncio.run(
            archive.store(
                scratch=path, width=size, height=size, record=RECORD, theme=None, private=False, created_at=time.time()
            )
        )

    scratch.write_bytes(rows)
    described, encoded, stored = (median_ms(samples, work) for work in (describe, encode, store))
    archive.close()
    print(
        f"{size}x{size}: metadata {described:6.1f} ms   PNG, thumbnail, blurhash {encoded:6.1f} ms   "
        f"all of it, on the disk {stored:6.1f} ms"
    )


def pipeline_seconds(worker: Worker) -> float:
    """The sum over all pictures so far."""
    with worker._open("GET", "/metrics") as response:
        lines = response.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("otterbot_pipeline_seconds_sum"))


def beside(worker: Worker, draw: Callable[[], None], count: int) -> float:
    """Seconds a picture that are not the pipeline's."""
    before, started = pipeline_seconds(worker), time.perf_counter()
    draw()
    wall = time.perf_counter() - started
    return (wall - (pipeline_seconds(worker) - before)) / count


def overlap(folder: Path, size: int, samples: int, count: int) -> None:
    worker = Worker(folder, size)
    alone, together = [], []

    def one_by_one() -> None:
        for _ in range(count):
            worker.draw(STEPS, PROMPT)

    try:
        worker.draw(STEPS, PROMPT)
        for _ in range(samples):
            alone.append(beside(worker, one_by_one, count))
            together.append(beside(worker, lambda: worker.draw(STEPS, PROMPT, count), count))
    finally:
        worker.stop()
    first, second = statistics.median(alone) * 1e3, statistics.median(together) * 1e3
    print(
        f"{size}x{size}, {count} pictures: beside the pipeline {first:6.1f} ms a picture one by one, {second:6.1f} ms "
        f"all at once: {1 - second / first:.0%} is hidden"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 768, 1024])
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--size", type=int, default=192, help="of the pictures that the worker draws")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for size in asked.sizes:
            parts(Path(name), size, asked.samples)
        overlap(Path(name) / "worker", asked.size, max(1, asked.samples // 2), asked.count)


if __name__ == "__main__":
    main()
