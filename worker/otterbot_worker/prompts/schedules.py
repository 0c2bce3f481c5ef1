"""When a schedule such as ``[from:to:when]`` changes its words, as the web UI counts (``modules/prompt_parser.py``).

============ =================================================================================
``40``       behind that step
``0.5``      behind that share of the steps: a number with a point in it, so that ``1.0`` is the last step
============ =================================================================================

Of a picture that is drawn from another one, only as many steps are drawn as its strength says, and the web UI counts
from the first of those, but takes the share of all. What is not reached within them never comes. (It counts twice what
a sampler of the second order does in one step; here a step is one.)
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

NUMBER = re.compile(r"\s*[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\s*", re.ASCII)

Turn = Literal["start", "within", "late", "never"]
"""``start``: there is no step before it; ``within``: there are some before and some behind it; ``late``: it hangs on
the number of steps, which nobody has said."""


class StepCount(NamedTuple):
    """Of a picture, or of the first pass of one that is drawn twice."""

    laid_out: int
    drawn: int


def turn(when: str, steps: StepCount | None) -> Turn:
    """``when``: a ``NUMBER``, of any size."""
    number, share = float(when), "." in when
    if number < (0 if share else 1):
        return "start"
    if steps is None:
        return "late" if not share else "never" if number >= 1 else "within"
    place = number * steps.laid_out if share else number
    if place >= steps.drawn:
        return "never"
    return "start" if place < 1 else "within"
