"""How fast a card draws under the plan that is chosen, what a reroll spares, and how soon a cancel acts.

    PYTHONPATH=worker python benchmarks/gpu_speed.py [--models sd15 sdxl … | all] [--cap 8] [--steps 10] [--cancels 12]

Full-size models with random weights under a cap (GiB), at their usual size. A cancel is asked for at moments spread
over steps and decoding; its latency is the time from there to the end of the picture, after which the next one is
drawn. ``--tiny --device cpu`` runs the same program on tiny models without a card.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator
from typing import Any

import gpu_rig
from gpu_rig import Outcome, Rig


def measure(rig: Rig, name: str, *, steps: int, cancels: int) -> dict[str, Any]:
    first = gpu_rig.attempt(rig, name, steps=steps)
    if not isinstance(first, Outcome):
        return {"model": name, "plan": first.code}
    again = rig.draw(name, steps=steps)
    span = again.watch.phases["saving"] - again.watch.steps[0]
    moments = [span * (number + 0.5) / cancels for number in range(cancels)]
    latencies = [late for moment in moments if (late := rig.cancel(name, moment, steps=steps)) is not None]
    rig.draw(name, steps=steps)
    return {
        "model": name,
        "plan": again.plan,
        "load": first.seconds - first.pipeline_seconds,
        "first": first.pipeline_seconds,
        "reroll": again.pipeline_seconds,
        "step": again.watch.step_seconds,
        "decode": again.watch.decode_seconds,
        "cancel median": statistics.median(latencies) if latencies else None,
        "cancel worst": max(latencies, default=None),
        "cancels": len(latencies),
    }


def shown(one: dict[str, Any]) -> list[str]:
    keys = ("load", "first", "reroll", "step", "decode", "cancel median", "cancel worst")
    return [one["model"], one["plan"], *(f"{one[key]:.3f}" if one.get(key) is not None else "–" for key in keys)]


HEAD = ["model", "plan", "load s", "first s", "reroll s", "step s", "decode s", "cancel median s", "cancel worst s"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    gpu_rig.options(parser)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--cancels", type=int, default=12)
    asked = parser.parse_args()

    def measured(rig: Rig, name: str) -> Iterator[dict[str, Any]]:
        yield measure(rig, name, steps=asked.steps, cancels=asked.cancels)

    gpu_rig.report(asked, HEAD, measured, shown)


if __name__ == "__main__":
    main()
