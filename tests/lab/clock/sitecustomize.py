"""Python loads this at its start, in a process of the lab: ``time.time()`` is off by what a file says, from then on.

So a test sets one process's clock and no other. The monotonic clocks go on, as they do when NTP sets the time.
"""

from __future__ import annotations

import os
import time

_real = time.time


def _off() -> float:
    try:
        with open(os.environ["LAB_CLOCK"]) as written:
            return float(written.read())
    except (KeyError, OSError, ValueError):
        return 0.0


time.time = lambda: _real() + _off()
