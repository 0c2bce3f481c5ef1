r"""Words that a worker draws by chance: ``{red|green}``, ``{2$$a|b}``, ``__animal__``. It alone reads and draws them.

Of a picture's words nothing may be drawn once more: ``\{`` and ``\__`` are characters, to older workers too.
"""

from __future__ import annotations

import re

_BEGINS = re.compile(r"\\.|\{|(?<![\w.])__(?=[\w/*.\-])", re.DOTALL)
_WILDCARD = re.compile(r"__[\w/*.\-]")


def may_have(text: str) -> bool:
    """Whether something in it may be drawn."""
    return ("{" in text and ("|" in text or "$$" in text)) or _WILDCARD.search(text) is not None


def literal(text: str) -> str:
    """The same words with nothing in them that is drawn. Twice is once."""
    if not may_have(text):
        return text
    return _BEGINS.sub(lambda found: found[0] if found[0][0] == "\\" else rf"\{found[0]}", text)
