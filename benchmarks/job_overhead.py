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
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from drawing_worker import WORKER, DrawingWorker

MODEL = WORKER / "otterbot_worker" / "models" / "otter-mini"
PROMPT = "otter, cowboy hat, watercolor"
KINDS = ("first", "reroll")


def draw(worker: DrawingWorker, size: int, steps: int, prompt: str) -> float:
    """Seconds until the picture is archived."""
    worker.count += 1
    request = {"prompt": prompt, "seed": worker.count, "steps": steps, "width": size, "height": size}
    started = time.perf_counter()
    worker.draw({**request, "sampler": "UniPC"})
    return time.perf_counter() - started


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
        alone, worker = bare(asked.size), DrawingWorker(Path(name))
        try:
            ours: dict[str, dict[int, list[float]]] = {kind: {count: [] for count in steps} for kind in KINDS}
            theirs: dict[str, dict[int, list[float]]] = {kind: {count: [] for count in steps} for kind in KINDS}
            draw(worker, asked.size, steps[0], PROMPT)
            alone(steps[0], PROMPT)
            for number in range(asked.samples):
                for count in steps:
                    prompt = f"{PROMPT}, number {number} of {count}"
                    for kind in KINDS:
                        theirs[kind][count].append(alone(count, prompt))
                        ours[kind][count].append(draw(worker, asked.size, count, prompt))
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
