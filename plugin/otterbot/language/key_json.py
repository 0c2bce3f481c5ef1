"""Keys and values as one JSON object."""

from __future__ import annotations

import json
import re
from typing import Any

from .key_values import MAX_CHARACTERS, MAX_KEYS, WRAPPERS, Entry, Lines, Reason, Text, Unreadable, bare
from .structures import MAX_ITEMS
from .typed import clean, folded

JSON = re.compile(r"""\{\s*["“”„](?=[^"“”„\n]{1,40}["“”]\s*[:：])""")
"""Where one begins."""
_SMART = str.maketrans("“”„：", '""":')


def read_json(text: str, begin: int) -> Lines:
    """One JSON object; numbers stay as they were typed. Curly quotes around keys and values count as straight ones."""
    if len(text) - begin > 4 * MAX_CHARACTERS:
        raise Unreadable("long", 1 + text.count("\n", 0, begin))
    decoder = json.JSONDecoder(object_pairs_hook=list_of_pairs, parse_int=str, parse_float=str, strict=False)
    mark: json.JSONDecodeError | None = None
    for shape in dict.fromkeys((text, text.translate(_SMART))):
        try:
            pairs, end = decoder.raw_decode(shape, begin)
        except json.JSONDecodeError as error:
            mark = error if mark is None or error.pos > mark.pos else mark
        except RecursionError:
            raise Unreadable("deep", 1, "{") from None
        else:
            entries = _entries(pairs, 1 + text.count("\n", 0, begin))
            return Lines(entries=tuple(entries), around=(bare(text[:begin]), bare(text[end:])))
    assert mark is not None
    reason, place = _why(mark)
    raise Unreadable(reason, 1 + text.count("\n", 0, place), text[place : place + 40].split("\n")[0])


class _Pairs(list[tuple[str, Any]]):
    """An object of JSON, with each key as often as it stands there."""


def list_of_pairs(pairs: list[tuple[str, Any]]) -> _Pairs:
    return _Pairs(pairs)


def _entries(pairs: _Pairs, line: int) -> list[Entry]:
    found: list[Entry] = []
    for key, value in pairs:
        key = clean(key)
        if isinstance(value, _Pairs):
            if folded(key.strip()) not in WRAPPERS or any(isinstance(inner, _Pairs) for _, inner in value):
                raise Unreadable("deep", line, key)
            found += _entries(value, line)
            continue
        items = value if isinstance(value, list) else [value]
        if any(isinstance(one, (list, _Pairs)) for one in items):
            raise Unreadable("deep", line, key)
        if len(items) > MAX_ITEMS:
            raise Unreadable("items", line, key)
        texts = [Text(clean(_scalar(one)), quoted=True) for one in items if one is not None]
        found.append(Entry(key=key, line=line, values=texts, is_list=isinstance(value, list)))
    if len(found) > MAX_KEYS:
        raise Unreadable("many", line)
    return found


def _scalar(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _why(error: json.JSONDecodeError) -> tuple[Reason, int]:
    """The decoder's words for it, as ours, and where it is."""
    before = error.doc[: error.pos].rstrip()
    # A comma behind the last one: Python 3.13 has words for it and points there, earlier ones at the bracket after it.
    if "trailing comma" in error.msg:
        return "json_last", error.pos
    if error.doc[error.pos : error.pos + 1] in ("}", "]") and before.endswith(","):
        return "json_last", len(before) - 1
    table: tuple[tuple[str, Reason], ...] = (
        ("',' delimiter", "json_comma"), ("':' delimiter", "json_colon"), ("property name", "json_quotes"),
        ("Unterminated", "json_end"), ("Expecting value", "json_value"),
    )  # fmt: skip
    return next((reason for part, reason in table if part in error.msg), "json"), error.pos
