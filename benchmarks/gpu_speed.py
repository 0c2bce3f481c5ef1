"""How fast a card draws under the plan that is chosen, what a reroll spares, and how soon a cancel acts.

    PYTHONPATH=worker python benchmarks/gpu_speed.py [--models sd15 sdxl …] [--cap 8] [--steps 10] [--cancels 12]

Full-size models with random weights under a cap (GiB), at their usual size. A cancel is asked for at moments spread
over steps and decoding; its latency is the time from there to the end of the picture, after which the next one is
drawn. ``--tiny --device cpu`` runs the same program on tiny models without a card.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import gpu_rig
from gpu_rig import GIB, USUAL, Outcome, Rig


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=list(gpu_rig.MODELS), default=list(USUAL))
    parser.add_argument("--cap", type=float, default=8.0, help="GiB")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--cancels", type=int, default=12)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    if why := gpu_rig.no_card(asked.device, tiny=asked.tiny):
        print(why)
        return
    head = ["model", "plan", "load s", "first s", "reroll s", "step s", "decode s", "cancel median s", "cancel worst s"]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder), device=asked.device, tiny=asked.tiny, cap=int(asked.cap * GIB))
        print(f"{rig.engine.name}, capped at {asked.cap:g} GiB; {rig.engine.versions}", file=sys.stderr)
        for name in asked.models:
            rows.append(measure(rig, name, steps=asked.steps, cancels=asked.cancels))
            print(*shown(rows[-1]), file=sys.stderr, flush=True)
            rig.engine.release()
    print(gpu_rig.table([head, *map(shown, rows)]))
    if asked.json:
        about = {"card": rig.engine.name, "cap": rig.cap, "versions": rig.engine.versions, "rows": rows}
        asked.json.write_text(json.dumps(about, indent=1))


if __name__ == "__main__":
    main()
