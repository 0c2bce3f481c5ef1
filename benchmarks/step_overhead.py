"""What progress and previews add to a step. Goal: at most 2 % of it, with the smallest model there is.

    PYTHONPATH=worker python benchmarks/step_overhead.py [--steps 20] [--samples 5] [--size 128] [--device cuda]

The same picture with ``otter-mini``, four times in turn: diffusers alone; with the worker's callback behind each step,
which tells a process at the other end of a socket; with previews as they are, at most one each half second; and with
one behind every step, to see what one costs. The time inside the callbacks is counted apart, since whole pictures
differ by more than that; on a card, where a callback could make steps wait that are not its own, the whole counts. On
a processor all is processor time, on a card real time. Then what one preview costs at the sizes of larger models.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import StableDiffusionPipeline, UniPCMultistepScheduler

from otterbot_worker.families import FAMILIES
from otterbot_worker.images.child import Channel, Task
from otterbot_worker.images.draw import previews
from otterbot_worker.images.draw.passes import Pass, Steps

MODEL = Path(__file__).resolve().parents[1] / "worker" / "otterbot_worker" / "models" / "otter-mini"
PREVIEW_SECONDS = previews.SECONDS
KINDS = ("bare", "progress", "previews", "a preview each step")


def callback(
    kind: str, task: Task, colours: Any, steps: int, clock: Callable[[], float], spent: list[float]
) -> dict[str, Any]:
    """The pipeline's arguments; each call adds its seconds to ``spent``."""
    if kind == "bare":
        return {}
    previews.SECONDS = PREVIEW_SECONDS if kind == "previews" else 0.0
    on_step = Steps(task, [Pass(steps=steps, run=lambda _, latents: latents)]).begin(steps)  # type: ignore[arg-type, return-value]
    if kind != "progress":
        on_step = previews.Previews(colours, task).after(on_step)

    def timed(*values: Any) -> dict[str, Any]:
        started = clock()
        kwargs = on_step(*values)
        spent.append(clock() - started)
        return kwargs

    return {"callback_on_step_end": timed, "callback_on_step_end_tensor_inputs": ["latents"]}


def pictures(asked: argparse.Namespace, device: torch.device, task: Task, clock: Callable[[], float]) -> None:
    pipe = StableDiffusionPipeline.from_pretrained(MODEL, local_files_only=True, dtype=torch.float32).to(device)
    pipe.set_progress_bar_config(disable=True)
    colours = previews.colours_of(FAMILIES["sd"], pipe.vae)
    assert colours is not None
    prompt, negative = pipe.encode_prompt("otter, cowboy hat", device, 1, True, negative_prompt="")

    def draw(kind: str, steps: int) -> tuple[float, float]:
        """Seconds of a step, and of what is behind it."""
        spent: list[float] = []
        pipe.scheduler = UniPCMultistepScheduler.from_config(pipe.scheduler.config)
        extra = callback(kind, task, colours, steps, clock, spent)
        generator = torch.Generator("cpu").manual_seed(1)
        started = clock()
        pipe(
            prompt_embeds=prompt, negative_prompt_embeds=negative, num_inference_steps=steps, guidance_scale=5.0,
            width=asked.size, height=asked.size, generator=generator, output_type="latent", **extra,
        )  # fmt: skip
        return (clock() - started) / steps, sum(spent) / steps

    for kind in KINDS:
        draw(kind, 3)
    times: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    for number in range(asked.samples):
        turn = number % len(KINDS)
        for kind in (*KINDS[turn:], *KINDS[:turn]):
            times[kind].append(draw(kind, asked.steps))
    for kind in KINDS:
        whole = statistics.median(step for step, _ in times[kind])
        ratio = statistics.median(one / bare for (one, _), (bare, _) in zip(times[kind], times["bare"], strict=True))
        behind = statistics.median(spent for _, spent in times[kind])
        share = statistics.median(spent / (step - spent) for step, spent in times[kind])
        print(
            f"{kind:<20} a step {whole * 1e3:7.2f} ms, {ratio:.3f} times the bare one   "
            f"in the callback {behind * 1e3:.3f} ms, {100 * share:.2f} % of the step"
        )


def one_preview(device: torch.device, task: Task, clock: Callable[[], float]) -> None:
    """Alone, from latents to the socket."""
    previews.SECONDS = 0.0
    for family, side in (("sd", 512), ("sdxl", 768), ("sdxl", 1024), ("sdxl", 2048)):
        colours = FAMILIES[family].preview
        assert colours is not None
        making, latents = previews.Previews(colours, task), torch.randn(1, 4, side // 8, side // 8, device=device)
        spent = []
        for _ in range(30):
            started = clock()
            making.look(latents)
            spent.append(clock() - started)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
        print(f"one preview of {side}x{side} ({family}): {statistics.median(spent) * 1e3:.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(asked.device)
    clock = time.perf_counter if device.type == "cuda" else time.thread_time
    ours, theirs = socket.socketpair()
    with ours, theirs, subprocess.Popen(["cat"], stdin=theirs, stdout=subprocess.DEVNULL) as sink:
        theirs.close()
        task = Task(Channel(ours), "benchmark")
        pictures(asked, device, task, clock)
        one_preview(device, task, clock)
        ours.shutdown(socket.SHUT_RDWR)
        sink.wait()


if __name__ == "__main__":
    main()
