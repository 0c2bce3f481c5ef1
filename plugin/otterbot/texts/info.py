"""What ``!info`` says: what made a picture, and the line that makes it again."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .captions import MAX_CAPTION
from .escape import plain
from .jobs import typed
from .usage import command

MAX_LINE = 6_000
"""Characters of a line that is shown."""
NO_LINE = "No line can say all of that."


def info(rows: Sequence[tuple[str, str]], line: str | None, prefix: str, *, reply: bool) -> str:
    """``rows``: what it is called and its value. ``reply``: the line is a reply to the picture that it began with."""
    made = "\n".join(f"- {name}: {plain(value, MAX_CAPTION)}" for name, value in rows)
    again = f"{command(prefix, 'again --seed same')} as a reply to it draws it once more."
    if line is None or len(line) > MAX_LINE:
        return f"This made the picture:\n\n{made}\n\n{NO_LINE} {again}"
    whose = ", as a reply to the picture that it began with" if reply else ""
    return f"This made the picture:\n\n{made}\n\nThe line that draws it again{whose}:\n\n{block(typed(prefix, line))}"


def block(text: str) -> str:
    """As it is, to be copied; nothing in it ends the block."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}\n{text}\n{fence}"


def info_of_nothing(prefix: str) -> str:
    return (
        f"That message is not a picture that I drew. Reply to one of mine with {command(prefix, 'info')}, or type it "
        "alone for the last one."
    )
