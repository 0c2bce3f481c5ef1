"""People's words inside our sentences: shown as they are, never as markup, never as a mention."""

from __future__ import annotations

import re

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_BLANK = re.compile(r"\s+")
_INVISIBLE = re.compile("[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def one_line(text: str, most: int) -> str:
    """At most ``most`` characters, without line breaks and without what turns the writing direction round."""
    text = _INVISIBLE.sub("", _BLANK.sub(" ", text[: 4 * most + 64])).strip()
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def plain(text: str, most: int = 80) -> str:
    """Markdown that shows ``text``, shortened to one line, and nothing else."""
    return _PUNCTUATION.sub(r"\\\1", one_line(text, most))


def plain_lines(text: str, most: int) -> str:
    """The same with its line breaks, for a prompt that is shown in full."""
    cut = text if len(text) <= most else text[: most - 1].rstrip() + "…"
    lines = (_INVISIBLE.sub("", line).strip() for line in cut.splitlines())
    return "  \n".join(_PUNCTUATION.sub(r"\\\1", line) for line in lines if line)


def code(text: str, most: int = 60) -> str:
    """``text`` in code type. Backticks in it become apostrophes."""
    return f"`{one_line(text, most).replace('`', chr(39))}`"


def local_part(user_id: str) -> str:
    return user_id.removeprefix("@").split(":", 1)[0]


def person(user_id: str) -> str:
    """A user's name as it is shown: the local part, which pings nobody in any client."""
    return plain(local_part(user_id), 40)
