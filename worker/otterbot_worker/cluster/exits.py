"""How a GPU process on another machine ended, told by the exit code of its relay.

A relay has the codes of ``gpu.messages`` for what those mean, and codes of its own for the rest. Whatever else ends it
(Ray does, when it loses its cluster) says nothing of the GPU process: the lane is gone.
"""

from __future__ import annotations

import signal

from ..gpu import deaths, messages

NODE_LOST = "node_lost"
"""The reason of a death that no picture is to blame for."""
EXIT_NODE_LOST = 79
_EXIT_OUT_OF_MEMORY = 78
_SIGNALS = 100
"""Above it: the GPU process was ended by the signal of that number."""
_CODES = 180
"""Above it: it ended with that exit code."""
_SAME = frozenset({messages.EXIT_CARD_BUSY, messages.EXIT_DEVICE_LOST, messages.EXIT_NO_ENGINE})
_MOST = 255


def code(returncode: int | None, reason: str) -> int:
    """The relay's exit code. ``returncode`` and ``reason``: of the GPU process, as its own machine knows them."""
    if reason == "out_of_memory_killed":
        return _EXIT_OUT_OF_MEMORY
    if returncode is None or returncode == 0:
        return EXIT_NODE_LOST
    if returncode < 0:
        return _SIGNALS - returncode
    return returncode if returncode in _SAME else min(_CODES + returncode, _MOST)


def reason(relay: int | None) -> str:
    """What it means: as ``gpu.deaths.describe_exit`` says it, or `NODE_LOST`."""
    if relay is None or relay < 0:
        return NODE_LOST
    if relay == _EXIT_OUT_OF_MEMORY:
        return "out_of_memory_killed"
    if relay in _SAME:
        return deaths.describe_exit(relay, oom_kills_before=0)
    if _SIGNALS < relay <= _SIGNALS + signal.NSIG:
        return _signal(relay - _SIGNALS)
    return f"exit code {relay - _CODES}" if relay > _CODES else NODE_LOST


def _signal(number: int) -> str:
    try:
        return f"killed by {signal.Signals(number).name}"
    except ValueError:
        return f"killed by signal {number}"
