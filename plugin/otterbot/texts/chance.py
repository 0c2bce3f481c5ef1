"""Sentences about words that are drawn by chance, and about the files that they come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .escape import code, plain
from .jobs import count_of, plain_sentence
from .usage import command

if TYPE_CHECKING:
    from ..worker.info import ExplainedChance, Wildcard

MAX_WILDCARDS = 40
MAX_OPTIONS = 12
MAX_OPTION = 60
"""Characters of an alternative."""

WILDCARDS_AWAY = "The worker is off, and only it has files of wildcards. Please ask again when it is on."
WILDCARDS_UNKNOWN = "The worker is too old for wildcards; the operator can update it."
WILDCARDS_FAILED = "The worker could not look at its wildcards. Please ask again later."
NO_WILDCARDS = (
    "The worker has no wildcards. The operator can put text files into `wildcards/` in its data directory: each line "
    f"is an alternative, and {code('__animal__')} draws one of `animal.txt`."
)


def may_come(one: ExplainedChance) -> str:
    """``one of: red, green, blue``; ``1 to 2 lines of `animals/sea` (35)``."""
    number = str(one.least) if one.least == one.most else f"{one.least} to {one.most}"
    alone = (one.least, one.most) == (1, 1)
    if one.wildcard is not None:
        which = "a line" if alone else f"{number} lines"
        return f"{which} of {code(one.wildcard)}, which has {count_of(one.there, 'line', 'lines')}{_joined(one)}"
    shown = [f"“{plain(option, MAX_OPTION)}”" if option else "*nothing*" for option in one.options[:MAX_OPTIONS]]
    more = f" and {one.there - len(shown)} more" if one.there > len(shown) else ""
    return f"{'one' if alone else number} of {', '.join(shown)}{more}{_joined(one)}"


def _joined(one: ExplainedChance) -> str:
    return f", joined by “{plain(one.joiner)}”" if one.most > 1 else ""


def wildcards(known: Sequence[Wildcard], word: str, prefix: str) -> str:
    """``word``: what their names are to hold; ``""``: all are listed."""
    if not known:
        return NO_WILDCARDS
    found = [one for one in known if word.casefold() in one.name.casefold()]
    if not found:
        return f"No file of wildcards has {plain(word, 60)} in its name. {command(prefix, 'wildcards')} lists all."
    usable = [one for one in found if one.usable]
    lines = [f"- {code(f'__{one.name}__')}, {count_of(one.lines, 'line', 'lines')}" for one in usable[:MAX_WILDCARDS]]
    if len(usable) > MAX_WILDCARDS:
        lines.append(
            f"- and {len(usable) - MAX_WILDCARDS} more; {command(prefix, 'wildcards WORD')} searches their names"
        )
    said = "\n".join(["Wildcards, of which each draws one of its lines:", "", *lines]) if lines else ""
    troubled = [one for one in found if one.problem is not None]
    bad = [f"- {code(one.name)} {plain_sentence(one.problem or '')}" for one in troubled[:MAX_OPTIONS]]
    if len(troubled) > MAX_OPTIONS:
        bad.append(f"- and {len(troubled) - MAX_OPTIONS} more")
    wrong = "\n".join(["What is wrong with some:", "", *bad]) if bad else ""
    usage = f"For example {command(prefix, f'draw otter, __{usable[0].name}__')}." if usable else ""
    return "\n\n".join(part for part in (said, wrong, usage) if part)
