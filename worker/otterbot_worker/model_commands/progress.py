"""How a download is shown: a bar in a terminal, else a line now and then."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

LINE_SECONDS = 10.0
BAR = 24
WINDOW_SECONDS = 20.0
"""Speed is that of so many seconds."""


class Shown:
    """``models.download.Watcher``"""

    def __init__(self, what: str, stream: TextIO | None = None) -> None:
        """``what``: the repository; lines begin with it."""
        self._what = what
        self._stream = stream or sys.stderr
        self._bar = self._stream.isatty()
        self._points: list[tuple[float, int]] = []
        self._said = float("-inf")
        self._drawn = False

    def check(self) -> None:
        return

    def progress(self, phase: str, step: int = 0, steps: int = 0) -> None:
        if phase != "downloading":
            return
        now = time.monotonic()
        self._points = [point for point in self._points if now - point[0] < WINDOW_SECONDS] + [(now, step)]
        if self._bar:
            width = shutil.get_terminal_size().columns - 1
            self._stream.write("\r" + self._line(step, steps)[:width].ljust(width))
            self._drawn = True
        elif now - self._said >= LINE_SECONDS:
            self._said = now
            self._stream.write(f"{self._what}: {self._words(step, steps)}\n")
        self._stream.flush()

    def close(self) -> None:
        """Ends the bar's line."""
        if self._drawn:
            self._stream.write("\n")
            self._stream.flush()

    def _line(self, step: int, steps: int) -> str:
        if not steps:
            return self._words(step, steps)
        full = min(BAR, BAR * step // steps)
        return f"[{'#' * full}{'.' * (BAR - full)}] {self._words(step, steps)}"

    def _words(self, step: int, steps: int) -> str:
        if not steps:
            return "asks the hub"
        speed = self._speed()
        words = f"{100 * step // steps} %  {step / 1e9:.2f} of {steps / 1e9:.2f} GB"
        if speed > 0:
            left = round((steps - step) / speed)
            words += f"  {speed / 1e6:.1f} MB/s  {left // 60}:{left % 60:02} left"
        return words

    def _speed(self) -> float:
        """Bytes per second; 0: unknown."""
        (begun, first), (now, last) = self._points[0], self._points[-1]
        return max(0.0, (last - first) / (now - begun)) if now > begun else 0.0
