"""Which command of ours somebody meant who typed another word behind the prefix. Pure.

Only said where nobody else can be meant: in a room with other bots such a word is most likely one of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import NamedTuple

from .intents import Vocabulary, unknown_command

LEAST = 3
"""Letters of a slip that is looked at: ``!ok`` is near to nothing."""
NEAR = 0.7
LONGEST = 24


class Near(NamedTuple):
    typed: str
    """The word that is no command, in small letters."""
    command: str
    """What it is most likely to mean."""
    rest: str
    """What stood behind it."""


def near_command(body: str, *, prefix: str, commands: Vocabulary, meant: Mapping[str, str]) -> Near | None:
    """``meant``: other programs' names for commands. ``None``: it is a command of ours, or nothing like one."""
    found = unknown_command(body, prefix=prefix, commands=commands)
    if found is None:
        return None
    typed, rest = found
    name = meant.get(typed)
    if name is None and LEAST <= len(typed) <= LONGEST:
        close = get_close_matches(typed, commands, n=1, cutoff=NEAR)
        name = commands[close[0]].name if close else None
    return None if name is None else Near(typed, name, rest)
