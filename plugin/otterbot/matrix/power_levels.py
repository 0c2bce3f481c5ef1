"""The power levels of a room, from its state. Room version 12 puts creators above every number."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import numeric

_PLAIN_CREATOR = 100
"""The level of the creator of a room without a power-level event."""


@dataclass(frozen=True, kw_only=True)
class Power:
    """The levels of a room. Creators of version 12 and later stand above every number."""

    users: Mapping[str, int]
    default: int
    creators: frozenset[str]

    def of(self, user: str) -> float:
        return math.inf if user in self.creators else self.users.get(user, self.default)


def read_power(create: Any, levels: Any) -> Power:
    """The levels from the create event and the content of ``m.room.power_levels`` (``None``: there is none).

    Whatever has the wrong form counts as absent.
    """
    create = create if isinstance(create, Mapping) else {}
    content = create.get("content")
    content = content if isinstance(content, Mapping) else {}
    sender = create.get("sender")
    additional = content.get("additional_creators")
    creators = {sender} if isinstance(sender, str) else set()
    if _has_creator_power(content.get("room_version")):
        if isinstance(additional, list):
            creators |= {user for user in additional if isinstance(user, str)}
        above = frozenset(creators)
    else:
        above = frozenset()
    if not isinstance(levels, Mapping):
        return Power(users=dict.fromkeys(creators, _PLAIN_CREATOR), default=0, creators=above)
    users = levels.get("users")
    named = users.items() if isinstance(users, Mapping) else ()
    return Power(
        users={user: level for user, raw in named if (level := _level(raw)) is not None},
        default=_level(levels.get("users_default")) or 0,
        creators=above,
    )


def _has_creator_power(version: Any) -> bool:
    """Numbered versions from 12 on, and what was built on it before (``org.matrix.hydra.11``)."""
    if not isinstance(version, str):
        return False
    return int(version) >= 12 if re.fullmatch(r"[0-9]{1,4}", version) else version.startswith("org.matrix.hydra.")


def _level(raw: Any) -> int | None:
    """Old room versions allow numbers in strings."""
    if isinstance(raw, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,16}\s*", raw):
        return int(raw)
    return numeric.whole(raw)
