"""What means something in prompts of other programs and are words here, so that it is named. One pass, linear in time.

Prose that looks alike stays unnamed: ``16::9``, ``x[1::y]``, ``std::vector``, ``<https://…>``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_WORDS = "were read as words."
SAID: Mapping[str, str] = {
    "double_colon": "Weights such as cat::2 (Midjourney) or 1.5::cat:: (NovelAI) are not supported here and "
    f"{_WORDS} A weight is written (cat:1.5).",
    "variable": f"Variables such as ${{x}}, and parameters such as __name(x=y)__, are not supported here and {_WORDS}",
    "tag": f"Tags of other programs, such as <random:a,b>, <wildcard:x> or <embed:x>, are not supported here and "
    f"{_WORDS}",
    "regions": f"Regions such as ADDCOL, ADDROW or COUPLE(...) are not supported here and {_WORDS}",
    "AND_": f"Words such as AND_PERP or AND_SALT are not supported here and {_WORDS}",
}
"""By mark, sentences that hold nothing of the prompt."""

_NUMBER = r"[+-]?(?:\d{1,4}(?:\.\d{1,6})?|\.\d{1,6})"
_FORMS: Mapping[str, re.Pattern[str]] = {
    "double_colon": re.compile(
        # Behind a word, with a number or before another word; before a bracket A1111 has one. No address.
        rf"(?<![\w:])(?![a-f]{{0,3}}\d[\da-f]{{0,3}}::)(?=\d{{0,9}}[^\W\d])\w++[)\]}}]?\s?::"
        rf"(?:\s?{_NUMBER}(?![\w:.]|\s{{0,4}}[\])])|\s[\s,]{{0,4}}[^\W\d])"
        # Before the words, which end with another one.
        rf"|(?<![\w:.])(?<!\w\[){_NUMBER}::\s?(?=\w{{0,20}}[^\W\d]|[(\[{{])"
    ),
    "variable": re.compile(
        r"\$\{[\w.\-]{1,60}\s?(?:\??=|[:}])|(?<![\w.])__[~@]?[\w/*.\-]{1,80}\([^()\n]{0,200}\)__(?!\w)"
    ),
    "tag": re.compile(
        r"<(?!(?:lora|lyco|hypernet|embedding|mailto|matrix):)[a-z]\w{1,20}(?:\[[^\[\]<>]{0,40}\])?:(?!//)[^<>]{1,400}>",
        re.IGNORECASE,
    ),
    "regions": re.compile(r"(?<!\w)(?:ADD(?:COL|ROW|COMM|BASE)(?!\w)|(?:COUPLE|I?MASK|AREA|FEATHER|ATTN|FILL)\()"),
    "AND_": re.compile(r"(?<!\w)AND_[A-Z]{2}[A-Z_]{0,20}(?!\w)"),
}


def marks(prompt: str) -> tuple[str, ...]:
    """Which of them stand in it, as the keys of ``SAID``."""
    return tuple(mark for mark, form in _FORMS.items() if form.search(prompt))
