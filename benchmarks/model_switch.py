# mypy: disallow-untyped-calls=False
"""Switching between two models: read from their files ("cold"), and back from the computer's memory ("warm").

    PYTHONPATH=worker python benchmarks/model_switch.py [--rounds 8] [--scale 4] [--device auto]

Both draw in turns, one picture of one step each, in one run: in a warm round the other model waits in memory, in a
cold one everything is let go before, as by a worker that keeps one model only. What is counted is the time of a job
less that of its pipeline. The files are in the system's cache both times, so that "cold" is what it costs at best;
what a disk adds is its own speed. The models are Stable Diffusion 1.5 with random weights, the U-Net's width divided
by ``--scale`` (1: full size, 4 GB on the processor).
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import full_size
import torch
from diffusers import StableDiffusionPipeline
from gpu_rig import MAKE, Watch

from otterbot_worker.gpu.messages import Draw
from otterbot_worker.images.engine import Engine
from otterbot_worker.models.catalogue import load_catalogue
from otterbot_worker.models.entries import ModelEntry


def make(folder: Path, scale: int) -> int:
    """Writes the model; its bytes in half precision, as it lies in its files."""
    subprocess.run([sys.executable, str(MAKE), str(folder.parent), "tiny-sd"], check=True, capture_output=True)
    pipe = StableDiffusionPipeline.from_pretrained(folder.parent / "tiny-sd", safety_checker=None)
    parts = full_size.kinds()["sd1"]
    unet = parts["unet"]["config"]
    unet["block_out_channels"] = [width // scale for width in unet["block_out_channels"]]
    for name, component in parts.items():
        pipe.register_modules(**{name: full_size.build(component).to(torch.float16)})
    pipe.save_pretrained(folder, safe_serialization=True)
    return sum(path.stat().st_size for path in folder.rglob("*.safetensors"))


def switch(engine: Engine, entry: ModelEntry, folder: Path) -> float:
    """Seconds of a picture of that model, without its pipeline."""
    watch = Watch(device=torch.device("cpu"))
    task = Draw(
        task_id="switch", entry=entry, model=entry.name, prompt="otter", negative_prompt="", steps=1,
        guidance_scale=1.0, width=64, height=64, sampler="Euler", seed=1, output=folder / "picture.rgb",
    )  # fmt: skip
    drawn = engine.draw(task, watch)
    return drawn.seconds - drawn.pipeline_seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--scale", type=int, default=4, choices=(1, 2, 4, 5, 10))
    parser.add_argument("--device", default="auto")
    asked = parser.parse_args()
    engine = Engine(device=asked.device, ram_reserve=0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = make(folder / "one", asked.scale)
        shutil.copytree(folder / "one", folder / "two")
        like = load_catalogue(data_dir=folder).images["sd15"]
        limits = replace(like.limits, size_min=16)
        entries = [
            replace(like, name=place, hub=None, variant=None, folder=str(folder / place), limits=limits)
            for place in ("one", "two")
        ]
        times: dict[str, list[float]] = {"cold": [], "warm": []}
        for number in range(-1, asked.rounds):
            for entry in entries:
                engine.release()
                cold = switch(engine, entry, folder)
                switch(engine, entries[entry is entries[0]], folder)
                warm = switch(engine, entry, folder)
                if number >= 0:  # the first round warms up
                    times["cold"].append(cold)
                    times["warm"].append(warm)
    print(f"{engine.name}, {size / 1e6:.0f} MB of files each, {len(times['cold'])} switches of each kind")
    for kind, seconds in times.items():
        print(f"{kind}: {statistics.median(seconds):.3f} s (median), {min(seconds):.3f} to {max(seconds):.3f}")
    ratios = sorted(cold / warm for cold, warm in zip(times["cold"], times["warm"], strict=True))
    print(f"cold ÷ warm: {statistics.median(ratios):.1f} (median), {ratios[0]:.1f} to {ratios[-1]:.1f}")


if __name__ == "__main__":
    main()
