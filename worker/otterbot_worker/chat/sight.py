"""Whether a model sees the pictures of a conversation, and what is said and done where it does not."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import JobFailed
from .chosen import Chosen
from .failures import failure
from .records import Message

_PICTURE = re.compile(r"\bimages?\b|image_url|multi-?modal|\bvision\b", re.IGNORECASE)
"""In the words with which servers refuse pictures."""
MOST = 200
"""Models that are remembered."""
NAMED = 3
"""Models that a sentence names."""
ONLY_A_PICTURE = "(a picture)"
"""What a message said, to a model that does not see it."""


class CannotSee(Exception):
    """The server refused the pictures of a conversation: its model sees none."""


class Sight:
    """Remembers which models were refused pictures: not every server says beforehand which of them see."""

    def __init__(self) -> None:
        self._blind: dict[str, None] = {}

    def sees(self, chosen: Chosen) -> bool:
        """As far as anybody knows."""
        listed = chosen.model.sees_pictures if chosen.model is not None else None
        return listed is not False and chosen.key not in self._blind

    def learn(self, chosen: Chosen) -> None:
        """It was refused pictures. Of one that is listed as seeing them, that says nothing of the next ones."""
        if chosen.model is not None and chosen.model.sees_pictures:
            return
        while len(self._blind) >= MOST:
            del self._blind[next(iter(self._blind))]
        self._blind[chosen.key] = None


def speaks_of_pictures(words: str) -> bool:
    """Is a server's refusal about the pictures?"""
    return _PICTURE.search(words) is not None


def pictures_in(messages: Sequence[Message]) -> int:
    return sum(len(message.get("images", ())) for message in messages)


def without_pictures(messages: Sequence[Message]) -> list[Message]:
    return [
        {"role": message["role"], "content": message["content"] or (ONLY_A_PICTURE if message.get("images") else "")}
        for message in messages
    ]


def note(chosen: Chosen) -> str:
    """What is said with an answer to the words alone."""
    return f"The chat model {chosen.name} does not see pictures, so it answers from the words alone; {_who(chosen)}."


def blind(chosen: Chosen) -> JobFailed:
    """There are only pictures."""
    return failure(
        "chat_blind",
        f"The chat model {chosen.name} does not see pictures; {_who(chosen)}.",
        {"model": chosen.name, "seeing": list(chosen.seeing[:NAMED])},
    )


def _who(chosen: Chosen) -> str:
    if not chosen.seeing:
        return "none that is installed is known to"
    named = list(chosen.seeing[:NAMED])
    if len(named) == 1:
        return f"of the installed ones {named[0]} does"
    return f"of the installed ones {', '.join(named[:-1])} and {named[-1]} do"
