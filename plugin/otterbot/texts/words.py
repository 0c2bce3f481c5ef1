"""What is said of a picture's words that were to be others."""

from __future__ import annotations

from collections.abc import Sequence

from .escape import plain
from .usage import command

MAX_MISSING = 5
MAX_LINE = 180
"""Characters of a line that is offered; longer ones are cut to their form."""


def edit_offer(line: str, prefix: str) -> str:
    """``line``: what is to be typed for the picture with the words of the edit."""
    if len(line) > MAX_LINE:
        line = "again --prompt …"
    return (
        "I had begun with that already, so the edit changes nothing. Reply "
        f"{command(prefix, line)} to the picture for the same one with these words."
    )


def words_not_found(words: Sequence[str], prefix: str) -> str:
    """``words``: each is what one ``-…`` wanted to take out."""
    quoted = [f"“{plain(one, 60)}”" for one in words[:MAX_MISSING]]
    said = " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
    return (
        f"I do not find {said} among that picture's words, so I draw nothing. {command(prefix, 'info')} shows them, "
        f"{command(prefix, 'again --prompt …')} says them anew."
    )


def no_words_left(prefix: str) -> str:
    return f"Then no words would be left. {command(prefix, 'again --prompt …')} says other ones."


def nothing_added_to_parts(prefix: str) -> str:
    return (
        "That picture's prompt is an `.and()` or `.blend()`, to which nothing can be added at the end. "
        f"{command(prefix, 'again --prompt …')} says it anew."
    )


def part_left_empty(prefix: str) -> str:
    return (
        f"Then a part of the `.and()` or `.blend()` would be empty. {command(prefix, 'again --prompt …')} says it anew."
    )


def upscaled_keeps_its_words(prefix: str) -> str:
    return (
        "An upscaled picture shows what the other one does, so it keeps its words. Reply to the picture that it was "
        f"made from with {command(prefix, 'again +red scarf')}, and {command(prefix, 'upscale')} the new one."
    )
