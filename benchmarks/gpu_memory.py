"""How much of a card each plan takes, beside its estimate: full-size models with random weights, under a cap.

    PYTHONPATH=worker python benchmarks/gpu_memory.py [--models sd15 sdxl …] [--cap 8] [--json FILE]

For each model, at its usual size, what the engine chooses by itself for the cap (GiB), then every plan in turn. The
peak is what torch's allocator held; a plan that does not fit shows the one that followed. ``--tiny --device cpu``
runs the same program on tiny models without a card, where there is nothing to measure.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import gpu_rig
from gpu_rig import GIB, USUAL, Outcome, Rig

from otterbot_worker.gpu.planning import PLANS, Plan


def row(rig: Rig, name: str, plan: Plan | None, side: int) -> dict[str, Any]:
    found = gpu_rig.attempt(rig, name, plan=plan, side=side)
    begun = {"model": name, "side": side, "begun with": plan.name if plan else "(free choice)"}
    if not isinstance(found, Outcome):
        return {**begun, "drawn with": found.code}
    drawn = next(one for one in PLANS if one.name == found.plan)
    return {
        **begun,
        "drawn with": found.plan,
        "estimate": rig.estimate(name, drawn, side),
        "allocated": found.allocated,
        "reserved": found.reserved,
        "step": found.watch.step_seconds,
        "decode": found.watch.decode_seconds,
        "notes": found.notes,
    }


def shown(one: dict[str, Any]) -> list[str]:
    sizes = [f"{one[key] / 1e9:.2f}" if one.get(key) else "–" for key in ("estimate", "allocated", "reserved")]
    times = [f"{one[key]:.3f}" if key in one else "–" for key in ("step", "decode")]
    return [one["model"], f"{one['side']}²", one["begun with"], one["drawn with"], *sizes, *times]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=list(gpu_rig.MODELS), default=list(USUAL))
    parser.add_argument("--cap", type=float, default=8.0, help="GiB")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    if why := gpu_rig.no_card(asked.device, tiny=asked.tiny):
        print(why)
        return
    head = [
        "model",
        "size",
        "begun with",
        "drawn with",
        "estimate GB",
        "allocated GB",
        "reserved GB",
        "step s",
        "decode s",
    ]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder), device=asked.device, tiny=asked.tiny, cap=int(asked.cap * GIB))
        print(f"{rig.engine.name}, capped at {asked.cap:g} GiB; {rig.engine.versions}", file=sys.stderr)
        for name in asked.models:
            side = 64 if asked.tiny else rig.entries[name].defaults.width
            for plan in (None, *PLANS):  # what failed is remembered: the free choice comes first
                rows.append(row(rig, name, plan, side))
                print(*shown(rows[-1]), file=sys.stderr, flush=True)
            rig.engine.release()
    print(gpu_rig.table([head, *map(shown, rows)]))
    if asked.json:
        about = {"card": rig.engine.name, "cap": rig.cap, "versions": rig.engine.versions, "rows": rows}
        asked.json.write_text(json.dumps(about, indent=1))


if __name__ == "__main__":
    main()
