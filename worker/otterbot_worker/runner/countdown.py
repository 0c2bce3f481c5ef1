"""How long the picture that is being drawn still takes, told anew at every step."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ..sampling.tiles import Run
from ..schemas.jobs import Progress

KNOWN_STEPS = 3
"""As many steps of this picture weigh as much as all that was measured before: the first is often a slow one."""


class Countdown:
    """Follows one picture. Times in seconds; ``None`` is "never measured".

    ``pipeline``: expected from the first step to the pixels, ``finish`` of that after the last step (decoding),
    ``load`` until the model is there. ``work`` in megapixel-steps; ``runs`` are what it is made of, in order.
    """

    def __init__(
        self,
        *,
        work: float,
        pipeline: float | None,
        finish: float | None,
        load: float,
        runs: Sequence[Run] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._work = work
        self._pipeline = pipeline
        self._finish = finish or 0.0
        self._runs = runs
        self._load = load
        self._clock = clock
        self._phase = ""
        self._since = clock()
        self.speed: float | None = None
        """Megapixel-steps per second so far, for those who wait and have nothing better; without the decoding."""
        self.finish_seconds: float | None = None
        """What the decoding took, once it is done."""

    def left(self, progress: Progress) -> float | None:
        """Seconds until the pixels are there, as of now; ``None``: nothing is known yet."""
        now = self._clock()
        if progress.phase != self._phase:
            if self._phase == "decoding" and progress.phase in ("saving", "describing"):
                self.finish_seconds = now - self._since
            # Starting and loading are one wait; every other phase begins its own.
            if (self._phase, progress.phase) != ("starting", "loading"):
                self._since = now
            self._phase = progress.phase
        passed = now - self._since
        if progress.phase == "saving":
            return 0.0
        if progress.phase == "describing":
            return None
        if progress.phase == "decoding":
            return max(0.0, self._finish - passed) if self._finish else None
        if progress.phase == "denoising":
            return self._denoising(progress, passed)
        if self._pipeline is None:
            return None
        if progress.phase == "downloading":
            return self._downloading(progress, passed, self._load + self._pipeline)
        return max(0.0, self._load - passed) + self._pipeline

    @staticmethod
    def _downloading(progress: Progress, passed: float, after: float) -> float | None:
        """As fast as until now."""
        if not progress.step or not progress.steps:
            return None
        return passed * (progress.steps - progress.step) / progress.step + after

    def _denoising(self, progress: Progress, passed: float) -> float | None:
        steps, done = progress.steps, self._share(progress) * progress.steps
        expected = None if self._pipeline is None or not steps else max(0.0, self._pipeline - self._finish) / steps
        if done and passed > 0:
            self.speed = self._work * done / steps / passed
        if expected is not None:
            one = (expected * KNOWN_STEPS + passed) / (KNOWN_STEPS + done) if done else expected
        elif done:
            one = passed / done
        else:
            return None
        return one * max(0, steps - done) + self._finish

    def _share(self, progress: Progress) -> float:
        """Which part of the work is done, 0 to 1: a step of a larger run is worth more."""
        if not progress.steps:
            return 0.0
        # A sampler may make more or fewer steps of those that were asked for, of all runs alike.
        left = sum(run.steps for run in self._runs) * progress.step / progress.steps
        done = whole = 0.0
        for run in self._runs:
            pixels = run.width * run.height
            whole += pixels * run.steps
            done += pixels * min(max(0.0, left), run.steps)
            left -= run.steps
        return done / whole if whole else progress.step / progress.steps
