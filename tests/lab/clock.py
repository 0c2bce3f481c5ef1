"""A clock that can be set wrong, for one program: what the system's time is to Python there stands in a file.

A stand-in for ``settimeofday``, which would change the time of the whole machine. Only ``time.time`` and
``time.time_ns`` follow it; monotonic clocks do not, as on a real machine.
"""

from __future__ import annotations

from pathlib import Path

_SHIM = '''"""Put before everything else on the path by tests/lab/clock.py."""

import os
import time

_real, _real_ns, _path = time.time, time.time_ns, os.environ["OTTER_CLOCK"]
_read = [-1.0, 0.0]


def _offset():
    now = time.monotonic()
    if now - _read[0] > 0.05:
        try:
            with open(_path) as file:
                _read[1] = float(file.read() or 0)
        except (OSError, ValueError):
            pass
        _read[0] = now
    return _read[1]


time.time = lambda: _real() + _offset()
time.time_ns = lambda: _real_ns() + int(_offset() * 1e9)
'''


class Clock:
    """``env`` goes to the program; :meth:`set_off` acts within moments."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "sitecustomize.py").write_text(_SHIM)
        self._file = folder / "offset"
        self.set_off(0)
        self.env = {"PYTHONPATH": str(folder), "OTTER_CLOCK": str(self._file)}

    def set_off(self, seconds: float) -> None:
        """By so much the clock is ahead (negative: behind)."""
        temporary = self._file.with_suffix(".new")
        temporary.write_text(repr(seconds))
        temporary.replace(self._file)
