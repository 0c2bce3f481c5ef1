"""Files of styles as other programs write them: A1111's ``styles.csv``, Fooocus' lists in JSON. Pure.

A file may hold anything. What is wrong with it becomes the end of a sentence that begins with its name; what else it
holds is read all the same.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .style import Style, line_about, problem_of, typed_name

BYTES_MAX = 2 * 1024 * 1024
STYLES_MAX = 2_000
"""Of one file."""
NAMED = 3
"""Names that a sentence tells."""

_PROMPT, _NEGATIVE = ("prompt", "text"), ("negative_prompt", "negative prompt")
"""Columns; A1111's first files called the prompt ``text``."""
NO_COLUMNS = "has no first line that names its columns: name,prompt,negative_prompt"
NO_LIST = "holds no list of styles: each has a name, a prompt and a negative_prompt"
NO_UTF8 = "is not in UTF-8: save it so"
TOO_LARGE = f"is larger than {BYTES_MAX // 1024**2} MB"
TOO_MANY = f"holds more than {STYLES_MAX:,} styles; those behind them are left out"


@dataclass(kw_only=True)
class Read:
    """What a file holds."""

    styles: list[Style] = field(default_factory=list)
    """Of two with one name both; the last one counts, as in A1111."""
    problems: list[str] = field(default_factory=list)


def read_csv(raw: bytes, group: str) -> Read:
    """``styles.csv``: a line of names of columns, then a style in each. Commas, semicolons or tabs between them."""
    text = _text(raw)
    if text is None:
        return Read(problems=[NO_UTF8])
    first = text.partition("\n")[0]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    try:
        names = [name.strip().casefold() for name in next(rows, [])]
    except csv.Error:
        names = []
    columns = {name: place for place, name in reversed(list(enumerate(names)))}
    prompt, negative = (
        next((columns[one] for one in wanted if one in columns), None) for wanted in (_PROMPT, _NEGATIVE)
    )
    if "name" not in columns or (prompt is None and negative is None):
        return Read(problems=[NO_COLUMNS])

    def cells() -> Iterator[tuple[str, str, str]]:
        for row in rows:
            yield tuple(  # type: ignore[misc]
                row[place].strip() if place is not None and place < len(row) else ""
                for place in (columns["name"], prompt, negative)
            )

    read = Read()
    try:
        _take(cells(), group, read)
    except csv.Error:
        read.problems.append(f"cannot be read from line {rows.line_num} on")
    return read


def read_json(raw: bytes, group: str) -> Read:
    """A list of ``{"name", "prompt", "negative_prompt"}``."""
    text = _text(raw)
    if text is None:
        return Read(problems=[NO_UTF8])
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        return Read(problems=[f"is no JSON from line {error.lineno} on"])
    except (ValueError, RecursionError, MemoryError):
        return Read(problems=["is no JSON that can be read"])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        return Read(problems=[NO_LIST])
    read = Read()
    _take(((_cell(one, "name"), _cell(one, "prompt"), _cell(one, "negative_prompt")) for one in found), group, read)
    return read


def _cell(one: Mapping[str, Any], name: str) -> str:
    """Lone surrogates, which JSON may hold, could not be sent on."""
    value = one.get(name)
    return value.encode("utf-8", "replace").decode().strip() if isinstance(value, str) else ""


def _text(raw: bytes) -> str | None:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _take(cells: Iterable[tuple[str, str, str]], group: str, read: Read) -> None:
    """``cells``: name, prompt and negative prompt of each. Those without words are dividers, and left out silently."""
    left_out: dict[str, list[str]] = {}
    for name, prompt, negative in cells:
        if not prompt and not negative:
            continue
        if len(read.styles) >= STYLES_MAX:
            read.problems.append(TOO_MANY)
            break
        typed = typed_name(name[:1_000])
        if (problem := problem_of(typed, prompt, negative)) is not None:
            left_out.setdefault(problem, []).append(typed)
            continue
        about = line_about(prompt or f"without {negative}")
        read.styles.append(
            Style(name=typed, prompt=prompt, negative_prompt=negative, about=about, group=group, source="file")
        )
    read.problems += [_sentence(problem, names) for problem, names in left_out.items()]


def _sentence(problem: str, names: list[str]) -> str:
    """``holds 4 styles that are longer than …, which are left out: a, b, c and 1 more``"""
    count = f"{len(names)} styles that" if len(names) > 1 else "1 style that"
    verb = problem if len(names) > 1 else problem.replace("have ", "has ", 1).replace("are ", "is ", 1)
    shown = [name[:40] for name in names[:NAMED] if name]
    more = f" and {len(names) - len(shown)} more" if shown and len(names) > len(shown) else ""
    return f"holds {count} {verb}: left out{': ' if shown else ''}{', '.join(shown)}{more}"
