"""The campaign of faults: whatever breaks, in whatever order, nothing is lost, doubled, silent or in clear.

Named points are cut in ``tests/e2e/test_exactly_once.py``; this looks for the points that nobody thought of. See
docs/faults.md for how to run it for hours. What is random comes from ``OTTER_FAULTS_SEED``, which is printed.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from lab import Lab
from lab.power import why_not

from . import around, programs
from .campaign import Round
from .judge import Tally
from .kinds import KINDS, Place, Scene

__all__ = ["around", "programs"]  # imported for the kinds that they hold
SEED = int(os.environ.get("OTTER_FAULTS_SEED") or 7)
COUNT = int(os.environ.get("OTTER_FAULTS") or 0)
"""So many faults, in as many rounds as it takes; 0: one round."""
SECONDS = float(os.environ.get("OTTER_FAULTS_SECONDS") or 45)
"""How long people type and things break in one round."""
KEEP = os.environ.get("OTTER_FAULTS_KEEP", "")
"""A folder for the programs' logs."""
ONLY = os.environ.get("OTTER_FAULTS_KINDS", "")
"""Names of kinds with commas between them: only these; with a minus before it, all but that; none: all of them."""


def chosen() -> list[str]:
    """The kinds of this run."""
    asked = [name.strip() for name in ONLY.split(",") if name.strip()]
    unknown = {name.removeprefix("-") for name in asked} - set(KINDS)
    if unknown:
        raise ValueError(f"OTTER_FAULTS_KINDS: {', '.join(sorted(unknown))}? There are {', '.join(KINDS)}")
    named = [name for name in asked if not name.startswith("-")]
    names = named or list(KINDS)
    without = {name.removeprefix("-") for name in asked if name.startswith("-")}
    return [name for name in names if name not in without and not (KINDS[name].disks and why_not())]


async def test_the_campaign(folder: Path) -> None:
    names = chosen()
    print(f"OTTER_FAULTS_SEED={SEED} kinds: {', '.join(names)}" + (f"; no disks: {why_not()}" if why_not() else ""))
    dice, tally = random.Random(SEED), Tally()
    plugin = {"status": {"after_seconds": 1, "edit_seconds": 1}}
    async with Lab(folder / "campaign", plugin=plugin, disks=not why_not()) as lab:
        started, spent = time.monotonic(), 0.0
        while True:
            places = [Place(await lab.room(encrypted=encrypted), encrypted) for encrypted in (False, True)]
            done = tally.faults.total()
            one = Round(Scene(lab, places, folder, dice), names, SECONDS)
            one.enough = lambda one=one, done=done: bool(COUNT) and done + len(one.faults) >= COUNT
            try:
                found = await one.run()
            finally:
                for name, log in lab.logs().items() if KEEP else ():
                    Path(KEEP).mkdir(parents=True, exist_ok=True)
                    (Path(KEEP) / f"{name}.log").write_text(log)
            tally.add(found)
            spent = time.monotonic() - started
            print(f"\n{tally.table()}\n{tally.faults.total() / spent * 60:.1f} faults a minute", flush=True)
            assert found.clean, "\n".join([*found.notes, one.evidence()])
            if tally.faults.total() >= COUNT:
                break
        assert lab.worker.orphans() == []


def test_kinds_are_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def names(text: str) -> list[str]:
        monkeypatch.setattr("faults.test_campaign.ONLY", text)
        return chosen()

    assert {"kill-gpu", "upgrade"} <= set(names(""))
    assert names("kill-gpu, clock") == ["kill-gpu", "clock"]
    assert "kill-gpu" not in names("-kill-gpu")
    with pytest.raises(ValueError, match="no-such"):
        names("no-such")
