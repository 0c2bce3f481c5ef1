"""Marks around a command: ``**!draw otter**``, ``` `!draw otter` ```, ``"!draw otter"``, ``**!draw** otter``.

Emphasis may end anywhere. Quotes and code have to be around everything: who writes ``"!draw" makes pictures`` talks
about a command and gives none. Pure, linear.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_MOST = 6
_EMPHASIS = re.compile(r"\*{1,3}|_{1,3}|~~|\|\|")
_QUOTING = re.compile(r"`{1,3}|[\"'“”„‟‘’‚«»‹›「『＂]")
_CLOSES = {
    "“": "”", "”": "”", "„": "“”", "‟": "”", "‘": "’", "’": "’", "‚": "‘’", "«": "»", "»": "«", "‹": "›", "›": "‹",
    "「": "」", "『": "』",
}  # fmt: skip
_SENTENCE_ENDS = ".,!?。，！？"


def unwrapped(text: str, begins: Callable[[str], bool]) -> str | None:
    """``text`` without the marks around it, if something for which ``begins`` is true stands in them."""
    opened: list[str] = []
    rest = text.lstrip()
    while len(opened) < _MOST and not (opened and begins(rest)):
        mark = _EMPHASIS.match(rest) or _QUOTING.match(rest)
        if mark is None:
            return None
        opened.append(mark[0])
        rest = rest[mark.end() :].lstrip()
    if not begins(rest):
        return None
    for mark_typed in opened:
        closed = _without_end(rest, mark_typed)
        if closed is None:
            return None
        rest = closed
    return rest


def _without_end(text: str, mark: str) -> str | None:
    """``None``: the mark has to be closed at the end, and is not."""
    emphasis = _EMPHASIS.fullmatch(mark) is not None
    closing = _CLOSES.get(mark, mark)
    whole = text.rstrip()
    for shown in dict.fromkeys((whole, whole.rstrip(_SENTENCE_ENDS))):
        for end in [closing] if emphasis or mark[0] == "`" else closing:
            if shown.endswith(end):
                return shown[: len(shown) - len(end)].rstrip() + whole[len(shown) :]
    if not emphasis:
        return None
    inside = re.search(rf"(?<=\S){re.escape(mark)}(?![\w*_~|])", text)
    return text if inside is None else text[: inside.start()] + text[inside.end() :]
