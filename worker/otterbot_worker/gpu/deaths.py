"""Why a process died, in words."""

from __future__ import annotations

import contextlib
import signal
from pathlib import Path

from . import messages

_EXITS = {
    messages.EXIT_CARD_BUSY: "card_busy",
    messages.EXIT_DEVICE_LOST: "device_lost",
    messages.EXIT_NO_ENGINE: "no_engine",
}
SENTENCES = {
    "hang": "The GPU process did not move for too long and was ended.",
    "start_timeout": "The GPU process did not start (see the log).",
    "stopped": "The GPU process was stopped.",
    "card_busy": "Another process holds the graphics card.",
    "device_lost": "The graphics card reported an error after which nothing can be computed; the process was replaced.",
    "no_engine": "The GPU process could not load torch and diffusers, or the device is not there (see the log).",
    "node_lost": "Its machine has left the Ray cluster, or does not answer.",
    "out_of_memory_killed": "The kernel's out-of-memory killer ended the GPU process: the machine's RAM is too small.",
}


def sentence(reason: str) -> str:
    """What a reason means, for people."""
    return SENTENCES.get(reason, f"The GPU process ended ({reason}).")


def oom_kills() -> int:
    """How many processes the kernel has killed for memory since boot; 0 where it does not say."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def describe_exit(returncode: int | None, *, oom_kills_before: int) -> str:
    """A reason: one of ``SENTENCES``' keys, ``killed by SIGSEGV``, or ``exit code 3``."""
    if returncode is None:
        return "still running"
    if returncode >= 0:
        return _EXITS.get(returncode, f"exit code {returncode}")
    if -returncode == signal.SIGKILL and oom_kills() > oom_kills_before:
        return "out_of_memory_killed"
    try:
        return f"killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"killed by signal {-returncode}"
