"""A1111's ``parameters`` read: words, negative words, and the line of settings. Linear in time, whatever stands there.

The settings are the last line: a prompt may hold ``Steps: 99`` on lines of its own. Where the last line has no settings
(an extension wrote behind it, or a value has several lines), the last line with settings counts. Texts rewritten by web
sites have everything on one line, or each field on a line of its own. ``Negative prompt:`` at the beginning of a line
begins the negative prompt, in others' texts in any capitals. Our writer escapes it inside a prompt, A1111 does not.
Sites also put ``<br>`` or ``\\n`` in the place of all line breaks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from . import metadata

_NEGATIVE = re.compile(r"Negative prompt:")
_ANY_NEGATIVE = re.compile(r"negative[ _]prompt ?:", re.IGNORECASE)
_FIELDS_MIN = 3
"""A1111's own threshold: a last line with fewer fields belongs to the prompt."""
_CORE = frozenset({"Steps", "Seed", "Sampler", "CFG scale", "Size"})
"""Three fields without any of these are not settings of a picture."""

_KEY = re.compile(r"\s*(\w[\w \-/]{1,80}):\s*")
_QUOTED = re.compile(r'"(?:\\.|[^\\"])*"')
_END = re.compile(r"\s*(?:,|$)")
_FIRST_CORE = re.compile(r"(?:^|(?<=[\s,.;]))(?:Steps|Seed|Sampler|CFG scale|Size): ?[^\s,]")
_BREAK = r"(?:\s*<br\s*/?>|(?:\\r)?\\n)\s*"
_BREAKS = re.compile(_BREAK, re.IGNORECASE)
_BROKEN = re.compile(rf"{_BREAK}(?=(?:Negative prompt|Steps|Seed|Sampler|CFG scale|Size):)", re.IGNORECASE)
_BREAKS_OR_QUOTED = re.compile(rf'"(?:\\.|[^\\"])*+\\?(?:"|\Z)|{_BREAK}', re.IGNORECASE)
_GLUED = re.compile(r"(?<=\S)\.$")
"""Some sites put this in place of a line break."""


@dataclass(frozen=True, kw_only=True)
class Infotext:
    prompt: str
    negative_prompt: str
    fields: Mapping[str, str]
    """By their names in the text, in its order."""
    ours: bool
    """Written by Otterbot."""
    borders: int
    """How many lines begin like a negative prompt. Several: the prompt itself holds such a line."""
    run_together: bool = False
    """Prompt and settings stood on one line."""


def parse(text: str) -> Infotext | None:
    """``None`` for a text without settings."""
    lines = [line.strip() for line in _with_breaks(text.strip()).split("\n")]
    start = _settings_start(lines)
    if start is None:
        return None
    settings, lines = lines[start:], lines[:start]
    ours = len(settings) == 1 and fields(settings[0]).get("Version", "").startswith("otterbot")
    mark = _NEGATIVE if ours else _ANY_NEGATIVE
    words = [] if ours else _words_before(settings[0])
    if words:
        settings[0] = settings[0][_first_core(settings[0]) :]
        lines += words
    border = next((at for at, line in enumerate(lines) if mark.match(line)), len(lines))
    negative = [line[found.end() if (found := mark.match(line)) else 0 :].strip() for line in lines[border:]]
    undo = metadata.unescape if ours else str
    return Infotext(
        prompt=undo("\n".join(lines[:border]).strip()),
        negative_prompt=undo("\n".join(negative).strip()),
        fields=_of_all(settings),
        ours=ours,
        borders=sum(mark.match(line) is not None for line in lines),
        run_together=bool(words),
    )


def _with_breaks(text: str) -> str:
    """Put the line breaks back into a text of one line. Replacements in quoted settings stay."""
    broken = _BROKEN.search(text) if "\n" not in text else None
    if broken is None:
        return text
    settings = _BREAKS_OR_QUOTED.sub(lambda found: found[0] if found[0][0] == '"' else "\n", text[broken.end() :])
    return _BREAKS.sub("\n", text[: broken.end()]) + settings


def _settings_start(lines: list[str]) -> int | None:
    """Index of the line with the settings: the last one that has some, or the first of several that form one list."""
    last = next((at for at in range(len(lines) - 1, -1, -1) if _are_settings(fields(lines[at]))), None)
    if last is None:
        first = next((at for at in range(len(lines) - 1, -1, -1) if lines[at].startswith("Steps:")), None)
        return first if first is not None and _are_settings(_of_all(lines[first:])) else None
    if fields(lines[last]).get("Version", "").startswith("otterbot"):
        return last
    # The line above, cut in the middle of the list, belongs to it if the list begins as it should.
    above = last
    while above and lines[above - 1].endswith(",") and _KEY.match(lines[above - 1]):
        above -= 1
    return next((at for at in range(above, last) if lines[at].startswith("Steps:")), last)


def _of_all(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        for name, value in fields(line).items():
            found.setdefault(name, value)
    return found


def _words_before(line: str) -> list[str]:
    """The prompt before the settings on the same line, with the negative prompt on a line of its own."""
    before = line[: _first_core(line)]
    border = _ANY_NEGATIVE.search(before)
    if not before.strip(" ,.;") or (_KEY.match(before) and border is None):
        return []
    prompt, negative = (before, "") if border is None else (before[: border.start()], before[border.end() :])
    said = [] if border is None else [f"{border[0]} {_GLUED.sub('', negative.strip())}"]
    return [_GLUED.sub("", prompt.strip()), *said]


def _first_core(line: str) -> int:
    found = _FIRST_CORE.search(line)
    return found.start() if found else 0


def _are_settings(found: Mapping[str, str]) -> bool:
    named = _CORE & found.keys()
    return bool(named) and (len(found) >= _FIELDS_MIN or len(named) == len(found) > 1)


def fields(line: str) -> dict[str, str]:
    """``Steps: 20, Model: "a, b"`` → names and values. Of two fields with one name the first counts: the second may
    come from an extension's unquoted text."""
    found: dict[str, str] = {}
    at, unclosed = 0, False
    while at < len(line):
        key = _KEY.match(line, at)
        if key is not None:
            at = key.end()
            if line[at : at + 1] == '"' and not unclosed:
                quoted = _QUOTED.match(line, at)
                # Remember an unclosed quote: searching to the end again from each later one would take quadratic time.
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
