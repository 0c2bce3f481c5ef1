"""How much of a card each plan takes, beside its estimate: full-size models with random weights, under a cap.

    PYTHONPATH=worker python benchmarks/gpu_memory.py [--models sd15 sdxl … | all] [--cap 8] [--json FILE]

For each model, at its usual size, what the engine chooses by itself for the cap (GiB), then every plan in turn. The
peak is what torch's allocator held; a plan that does not fit shows the one that followed. ``--tiny --device cpu``
runs the same program on tiny models without a card, where there is nothing to measure.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import gpu_rig
from gpu_rig import Outcome, Rig

from otterbot_worker.memory.placement import PLANS, Plan


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


def measured(rig: Rig, name: str) -> Iterator[dict[str, Any]]:
    side = 64 if rig.tiny else rig.entries[name].defaults.width
    for plan in (None, *PLANS):  # what failed is remembered: the free choice comes first
        yield row(rig, name, plan, side)


HEAD = ["model", "size", "begun with", "drawn with", "estimate GB", "allocated GB", "reserved GB", "step s", "decode s"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    gpu_rig.options(parser)
    gpu_rig.report(parser.parse_args(), HEAD, measured, shown)


if __name__ == "__main__":
    main()
