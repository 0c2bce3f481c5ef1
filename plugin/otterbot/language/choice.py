"""A number that stands for a line of a list: typed as a reply, or a reaction."""

from __future__ import annotations

import re

from .typed import clean, folded

MOST_CHARACTERS = 20
_CHOICE = re.compile(r"(?:#|no\.?|nr\.?)?\s*([1-9])\s*(?:\ufe0f?\u20e3|[.)!])?", re.IGNORECASE)


def choice(text: str) -> int | None:
    """``2``, ``#2``, ``2.``, ``２``, 2️⃣: the number, from 1 to 9; ``None`` for all else."""
    if len(text) > MOST_CHARACTERS:
        return None
    found = _CHOICE.fullmatch(folded(clean(text)).strip())
    return None if found is None else int(found[1])
