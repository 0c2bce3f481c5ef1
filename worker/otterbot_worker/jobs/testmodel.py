"""Makes the small model with random weights, when it is the default and not here: in a process of its own, because
making it needs torch, and in the background, so that the API starts at once."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from otterbot_worker.models.catalogue import ModelEntry

log = logging.getLogger(__name__)

TRIES = 3
PAUSE_SECONDS = 5.0


class TestModel:
    """``missing`` says why pictures have to wait; ``make`` ends when they need not any more."""

    __test__ = False

    def __init__(self, entry: ModelEntry, on_made: Callable[[], None]) -> None:
        self._entry = entry
        self._on_made = on_made
        self._made = entry.here() is not None
        self._problem = "The small test model is being made; that takes a few seconds."

    @property
    def missing(self) -> str | None:
        return None if self._made else self._problem

    async def make(self) -> None:
        """Returns when the model is here, or when making it failed for good (``missing`` says so)."""
        for attempt in range(TRIES):
            if self._made or (code := await run_maker(Path(self._entry.source))) == 0:
                self._made = True
                self._on_made()
                return
            log.error("the test model could not be made", extra={"exit_code": code, "attempt": attempt + 1})
            await asyncio.sleep(PAUSE_SECONDS)
        self._problem = "The small test model could not be made; the log says why, `otterbot-worker doctor` may help."


class Nothing:
    """Nothing has to be made."""

    missing = None


async def run_maker(folder: Path) -> int:
    """Runs the maker as a child, which dies when cancelled; returns its exit code."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "otterbot_worker.models.testmodel",
        str(folder),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)), "OMP_NUM_THREADS": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        return await process.wait()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
