"""Imported by an interpreter that has a server of its own (``forks.server``): its GPU process is a fork."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def take_over() -> None:
    """What other processes get from this one is as it was."""
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path != str(HERE))
    sys.path.remove(str(HERE))
    tests = str(HERE.parents[1])
    sys.path.insert(0, tests)
    from forks import client

    sys.path.remove(tests)
    client.take_over()


if "OTTER_TESTS_SERVER" in os.environ:
    take_over()
