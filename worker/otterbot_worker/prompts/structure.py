"""A structured prompt becomes a sentence: its parts in their order, with commas between them.

What ends like a sentence is followed by a space instead. The plugin joins in the same way for workers that know no
structures; `tests/structures.json` holds both to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

PARTS = ("subject", "outfit", "environment", "emotions", "style")
"""The keys whose words are drawn, in their order."""
_LOOSE = " \t\r\n,;，、；"
_ENDS = tuple(".!?。！？…")

Words = str | Sequence[str] | None


def joined(values: Iterable[Words]) -> str:
    """The words of ``values``, each a text or a list of texts; ``""`` where there are none."""
    sentence = ""
    for value in values:
        for text in (value,) if isinstance(value, str) else value or ():
            words = text.strip(_LOOSE)
            if words:
                between = "" if not sentence else " " if sentence.endswith(_ENDS) else ", "
                sentence += between + words
    return sentence
