"""The words behind ``!chat``, and the two flags that may stand before them.

Only there: what people ask a language model is full of dashes (``what does git commit --amend do?``).
"""

from __future__ import annotations

import re

from . import dashes
from .arguments import Intent
from .options import DrawOptions
from .problems import UsageProblem

_NEW = re.compile(rf"{dashes.RUN}(?:new|fresh)(?!\S)\s*", re.IGNORECASE)
_MODEL = re.compile(rf"{dashes.RUN}model(?:\s*[=:：]\s*|\s+|\Z)(?P<name>\S*)\s*", re.IGNORECASE)


def chat_words(name: str, text: str) -> Intent:
    """``--new`` and ``--model NAME`` in any order, then any text as it is; ``--new`` may stand alone."""
    fresh, model = False, None
    while True:
        if (found := _NEW.match(text)) is not None and _is_flag(found[0]):
            fresh, text = True, text[found.end() :]
        elif (found := _MODEL.match(text)) is not None and _is_flag(found[0]):
            model, text = found["name"].strip("`\"'"), text[found.end() :]
            if not model:
                return Intent(name=name, text=text, problem=UsageProblem(code="bad_value", flag="model"))
        else:
            break
    problem = None if text or fresh else UsageProblem(code="no_text")
    return Intent(name=name, text=text, options=DrawOptions(model=model), fresh=fresh, problem=problem)


def _is_flag(matched: str) -> bool:
    run = re.match(dashes.RUN, matched)
    return run is not None and dashes.is_double(run[0])
