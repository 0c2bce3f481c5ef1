"""The styles that a room may name: its own, and the worker's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from ..errors import WorkerRefused, WorkerUnreachable
from ..language.style_values import MAX_STYLE_NAME, StyleChoice, fold
from ..worker.info import Style, StyleList
from .services import Services

OWN = "this room’s own"
"""The group of a room's own styles."""
LOOK = 2.0
"""Seconds to wait for the worker's."""
NEAR = 3
_LINE = 100
"""Characters of a room's own style's line."""


@dataclass(frozen=True, kw_only=True)
class KnownStyles:
    styles: tuple[Style, ...]
    """The room's own first, then the worker's; of two with one name the first."""
    problems: tuple[tuple[str, str], ...] = ()
    """Files of styles of which not everything can be used, and why."""
    whole: bool = True
    """False: the worker has more, or may have: nobody could look."""
    old: bool = False
    """The worker is too old for styles."""

    def find(self, name: str) -> Style | None:
        key = fold(name)
        return next((style for style in self.styles if fold(style.name) == key), None)

    def near(self, name: str) -> list[str]:
        """Names like one that nobody knows, the likeliest first."""
        key = fold(name)[:MAX_STYLE_NAME]
        keys = {fold(style.name): style.name for style in reversed(self.styles)}
        holding = sorted((one for one in keys if len(key) > 2 and key in one), key=len)
        likely = dict.fromkeys([*holding, *get_close_matches(key, keys, n=NEAR, cutoff=0.6)])
        return [keys[one] for one in likely][:NEAR]

    def matching(self, word: str) -> list[Style]:
        """Those with the word in their names first, then those with it in their lines or groups."""
        key, said = fold(word), word.casefold()
        by_name = [style for style in self.styles if key in fold(style.name)]
        by_line = [style for style in self.styles if said in f"{style.about}\n{style.group}".casefold()]
        return [*by_name, *(style for style in by_line if style not in by_name)]


async def known_styles(services: Services, room: str) -> KnownStyles:
    """Raises :class:`~..errors.WorkerUnauthorized`."""
    own = _own_lines((await services.settings.own_styles(room)).values())
    try:
        found: StyleList | None = await asyncio.wait_for(services.worker.styles(), LOOK)
    except (WorkerUnreachable, WorkerRefused, TimeoutError):
        return KnownStyles(styles=own, whole=False)
    if found is None:
        return KnownStyles(styles=own, old=True)
    taken = {fold(style.name) for style in own}
    others = tuple(style for style in found.styles if fold(style.name) not in taken)
    problems = tuple((one.name, one.problem) for one in found.problems)
    return KnownStyles(styles=own + others, problems=problems, whole=found.whole)


def _own_lines(styles: Iterable[StyleChoice]) -> tuple[Style, ...]:
    """With the beginning of their words as their line."""
    return tuple(
        Style(name=style.name, about=_line(style.prompt or f"without {style.negative_prompt}"), group=OWN)
        for style in styles
    )


def _line(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= _LINE else line[: _LINE - 2].rstrip(" ,") + " …"


def unknown(names: Sequence[StyleChoice], known: KnownStyles) -> str | None:
    """The first name that nobody knows; ``None``: all are known, or nobody can say."""
    if not known.whole:
        return None
    return next((style.name for style in names if known.find(style.name) is None), None)
