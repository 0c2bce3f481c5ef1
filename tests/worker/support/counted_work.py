"""How much work the parser of prompts has with one: counted, since a time depends on the machine."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from otterbot_worker.prompts import read


def operations(prompt: str) -> int:
    """How many lines of the parser are run, plus the pieces that it makes."""
    count = 0

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        if "otterbot_worker" not in frame.f_code.co_filename:
            return None
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        read(prompt)
    finally:
        sys.settrace(before)
    return count
