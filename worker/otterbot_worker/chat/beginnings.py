"""How a model's answers begin: with what they say, or inside a thought of which only the end is marked.

Where a template opens the thought, or a model was trained with one that does, no beginning of a thought is in the
stream. What has grown in a room stays in its history, a thought as well. So nothing of an answer shows before it is
whole, or its thought has ended, until it is known how this model begins: by the end of its prompt, where that tells,
and by its own answers, which are remembered.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from .chosen import Chosen
from .marks import AFTER_OPEN, MARK, kind_of_safe
from .reading import number

HELD = 10
"""Answers that are held back after one that began inside a thought: some models think only now and then, and any model
may be asked to write the end of a thought."""
MOST = 200
"""Models that are remembered; those that nobody has asked for longest are forgotten first."""


Leaves = Literal["inside", "outside", "unsaid"]
"""A thought that it opened, an answer before which it ended the thought, or nothing of the kind."""


def prompt_leaves(prompt: str) -> Leaves:
    """Where a prompt leaves the model that goes on from it."""
    marks = (mark for mark in MARK.finditer(prompt) if kind_of_safe(mark) in ("open", "close"))
    last = max(marks, key=re.Match.end, default=None)
    if last is None or prompt[last.end() :].strip() not in AFTER_OPEN:
        return "unsaid"  # a system prompt may speak of thoughts, too
    return "inside" if kind_of_safe(last) == "open" else "outside"


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """Of one answer."""

    held: bool = True
    """Nothing shows before a thought has ended, or the answer."""
    inside: bool = False
    """It is likely to begin inside a thought: its end is looked for, and what breaks off before that is no answer."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a model's answers have shown."""

    held: int = 1
    """How many of its next answers are held back."""
    inside: int = 0
    """How many of its last answers, one after another, began inside a thought."""
    plain: bool = False
    """Whether one ever began with what it says."""

    def after(self, *, inside: bool) -> Seen:
        if inside:
            return replace(self, held=HELD, inside=self.inside + 1)
        return Seen(held=max(0, self.held - 1), plain=True)


class Beginnings:
    """``kept`` is what earlier lives have seen, ``keep`` stores it when it changes. Models are known by their file's
    digest: a name may mean another one tomorrow."""

    def __init__(self, kept: object = None, keep: Callable[[dict[str, Any]], Awaitable[None]] | None = None) -> None:
        self._keep = keep
        self._seen = _read(kept)
        self._prompts: dict[str, Leaves] = {}

    async def of(self, model: Chosen, prompt: Callable[[], Awaitable[Leaves]]) -> Beginning:
        """``prompt`` asks where the model's prompt leaves it: once, and not where the answers have told."""
        if not model.digest:
            return Beginning()
        key, seen = _key(model), self._seen.get(_key(model))
        if seen is not None and not seen.held:
            return Beginning(held=False)
        if key not in self._prompts:
            self._prompts[key] = await prompt()
        leaves = self._prompts[key]
        if seen is None and leaves == "outside":
            return Beginning(held=False)
        seen = seen or Seen()
        likely = leaves == "inside" or (leaves == "unsaid" and model.thinks) or seen.inside > 0
        return Beginning(inside=seen.inside > 1 or (likely and not seen.plain))

    async def learn(self, model: Chosen, *, inside: bool, whole: bool, apart: bool) -> None:
        """From an answer: whether it began ``inside`` a thought, came ``whole``, and whether the server told thoughts
        ``apart``."""
        key = _key(model)
        unknown = not whole or (self._prompts.get(key) == "inside" and not apart)
        if not model.digest or (unknown and not inside):
            return  # who knows whether all of it was a thought
        before = self._seen.pop(key, Seen())
        self._seen[key] = after = before.after(inside=inside)
        while len(self._seen) > MOST:
            del self._seen[next(iter(self._seen))]
        if after != before and self._keep is not None:
            await self._keep({key: asdict(seen) for key, seen in self._seen.items()})


def _key(model: Chosen) -> str:
    """What a model was told about thinking changes how it begins."""
    return f"{model.digest} {model.think}"


def _read(kept: object) -> dict[str, Seen]:
    entries = kept.items() if isinstance(kept, dict) else ()
    return {
        str(key): Seen(held=number(one.get("held")), inside=number(one.get("inside")), plain=bool(one.get("plain")))
        for key, one in entries
        if isinstance(one, dict)
    }
