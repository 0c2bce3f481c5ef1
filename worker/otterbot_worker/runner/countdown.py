"""The time left of the picture that is being drawn, updated at every step."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ..sampling.tiles import Run
from ..schemas.jobs import Progress

KNOWN_STEPS = 3
"""So many steps of this picture weigh as much as the earlier average: first steps are often slow."""


class Countdown:
    """Follows one picture. Times in seconds; ``None``: never measured.

    ``pipeline``: expected seconds from the first step to the pixels; ``finish``: the part of it after the last step
    (decoding); ``load``: loading the model. ``work`` in megapixel-steps; ``runs`` are what it is made of, in order.
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
        """Megapixel-steps per second so far, without decoding: a first estimate for waiting rows."""
        self.finish_seconds: float | None = None
        """Seconds of the decoding, once it is done."""

    def left(self, progress: Progress) -> float | None:
        """Seconds until the pixels are there, as of now; ``None``: nothing is known yet."""
        now = self._clock()
        if progress.phase != self._phase:
            if self._phase == "decoding" and progress.phase == "saving":
                self.finish_seconds = now - self._since
            # Starting and loading count as one wait; every other phase starts its own clock.
            if (self._phase, progress.phase) != ("starting", "loading"):
                self._since = now
            self._phase = progress.phase
        passed = now - self._since
        if progress.phase == "saving":
            return 0.0
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
        """At the download's average speed so far."""
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
        """The share of the work that is done, 0 to 1: steps are weighted by the run's size."""
        if not progress.steps:
            return 0.0
        # A sampler may run more or fewer steps than asked, in the same ratio in all runs.
        left = sum(run.steps for run in self._runs) * progress.step / progress.steps
        done = whole = 0.0
        for run in self._runs:
            pixels = run.width * run.height
            whole += pixels * run.steps
            done += pixels * min(max(0.0, left), run.steps)
            left -= run.steps
        return done / whole if whole else progress.step / progress.steps
