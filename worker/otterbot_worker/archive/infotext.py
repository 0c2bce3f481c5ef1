"""A1111's ``parameters`` read: words, negative words, and the line of settings. Linear in time, whatever stands there.

What counts is the last line alone: a person's words may hold ``Steps: 99`` on lines of their own. ``Negative prompt:``
at the beginning of a line is a border in the format itself; our writer escapes it in words, A1111 does not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from otterbot_worker.archive import metadata

_NEGATIVE = "Negative prompt:"
_FIELDS_MIN = 3
"""A1111's own threshold: a last line with fewer is words."""

_KEY = re.compile(r"\s*(\w[\w \-/]{1,80}):\s*")
_QUOTED = re.compile(r'"(?:\\.|[^\\"])*"')
_END = re.compile(r"\s*(?:,|$)")


@dataclass(frozen=True, kw_only=True)
class Infotext:
    prompt: str
    negative_prompt: str
    fields: Mapping[str, str]
    """As they are named in the text, in its order."""
    ours: bool
    """Written by Otterbot."""
    borders: int
    """How many lines begin like the negative prompt. More than one: somebody's words hold such a line."""


def parse(text: str) -> Infotext | None:
    """``None`` for a text without a line of settings."""
    lines = [line.strip() for line in text.strip().split("\n")]
    found = fields(lines.pop())
    if len(found) < _FIELDS_MIN:
        return None
    border = next((at for at, line in enumerate(lines) if line.startswith(_NEGATIVE)), len(lines))
    ours = found.get("Version", "").startswith("otterbot")
    negative = [line.removeprefix(_NEGATIVE).strip() for line in lines[border:]]
    undo = metadata.unescape if ours else str
    return Infotext(
        prompt=undo("\n".join(lines[:border]).strip()),
        negative_prompt=undo("\n".join(negative).strip()),
        fields=found,
        ours=ours,
        borders=sum(line.startswith(_NEGATIVE) for line in lines),
    )


def fields(line: str) -> dict[str, str]:
    """``Steps: 20, Model: "a, b"`` → names and values. Of two with the same name the first counts: what stands behind
    it may be the unquoted words of some extension."""
    found: dict[str, str] = {}
    at, unclosed = 0, False
    while at < len(line):
        key = _KEY.match(line, at)
        if key is not None:
            at = key.end()
            if line[at : at + 1] == '"' and not unclosed:
                quoted = _QUOTED.match(line, at)
                # From a quote that nothing closes each later one would be looked for to the end again.
                unclosed = quoted is None
                if quoted is not None and (end := _END.match(line, quoted.end())) is not None:
                    found.setdefault(key[1], _unquoted(quoted[0]))
                    at = end.end()
                    continue
        comma = line.find(",", at)
        comma = len(line) if comma < 0 else comma
        if key is not None:
            found.setdefault(key[1], line[at:comma].strip())
        at = comma + 1
    return found


def _unquoted(value: str) -> str:
    try:
        return str(json.loads(value, strict=False))
    except ValueError:
        return value
