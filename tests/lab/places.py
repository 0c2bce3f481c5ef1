"""Where things lie: the repository and the virtual environments that ``scripts/setup`` makes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
TEST_MODELS = REPOSITORY / "tests" / "lab" / "models.yaml"
"""A worker's catalogue with the models that only tests have."""
ALONE = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
"""What a worker's environment has in a lab: the tests beside it have the other cores, and nothing is fetched."""
CLOCK = str(Path(__file__).with_name("clock"))
"""The folder of :mod:`lab.clock.sitecustomize`."""
VENVS = Path(os.environ.get("OTTER_VENVS") or REPOSITORY / ".venvs")


def python(name: str) -> str:
    """The interpreter of the virtual environment ``name``; says what to do where there is none."""
    path = VENVS / name / "bin" / "python"
    if not path.exists():
        raise RuntimeError(f"the virtual environment {VENVS / name} is missing: run scripts/setup first")
    return str(path)


def memory_folder() -> Path | None:
    """A folder in memory, where there is one: SQLite's syncs cost nothing there."""
    shared = Path("/dev/shm")
    return shared if os.access(shared, os.W_OK) else None


def merged(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """``base`` with ``change`` laid over it, section by section."""
    result = dict(base)
    for name, value in change.items():
        old = result.get(name)
        result[name] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result
