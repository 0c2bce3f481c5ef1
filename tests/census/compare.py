"""Two censuses side by side: equal, or a list of where they differ."""

from __future__ import annotations

import difflib
import fnmatch
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

ABSENT = "<absent>"
SHOWN = 200
"""Characters of a value that are shown."""
UNCOMPARED = ("meta",)
"""What a census says of itself."""


@dataclass(frozen=True)
class Difference:
    path: str
    """Keys with slashes between them; a slash in a key is ``~1``, as in JSON pointers."""
    before: Any
    after: Any

    def __str__(self) -> str:
        if isinstance(self.before, str) and isinstance(self.after, str) and "\n" in self.before + self.after:
            lines = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), lineterm="", n=0)
            return "\n".join([self.path, *(f"    {line}" for line in list(lines)[2:])])
        return f"{self.path}\n    - {_short(self.before)}\n    + {_short(self.after)}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text)} characters)"


def differences(before: Any, after: Any, path: str = "") -> list[Difference]:
    """In the order of the paths of ``before``. The order of an object's keys does not count, that of a list does."""
    if isinstance(before, dict) and isinstance(after, dict):
        found = []
        for key in dict.fromkeys([*before, *after]):
            if path or key not in UNCOMPARED:
                below = f"{path}/{str(key).replace('~', '~0').replace('/', '~1')}"
                found += differences(before.get(key, ABSENT), after.get(key, ABSENT), below)
        return found
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [
            one
            for number, pair in enumerate(zip(before, after, strict=True))
            for one in differences(*pair, path=f"{path}/{number}")
        ]
    # 1 and 1.0 are two spellings in JSON, and True is no number.
    if type(before) is type(after) and before == after:
        return []
    return [Difference(path, before, after)]


@dataclass(frozen=True)
class Allowed:
    pattern: str
    """A path, with ``*`` and ``?``; what lies below it is meant as well."""
    reason: str

    def holds(self, path: str) -> bool:
        return fnmatch.fnmatchcase(path, self.pattern) or fnmatch.fnmatchcase(path, f"{self.pattern}/*")


def read_allowed(text: str) -> list[Allowed]:
    """Lines ``PATH: reason``; empty ones and those that begin with ``#`` say nothing.

    :raises ValueError: a line without a reason
    """
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            pattern, colon, reason = line.partition(": ")
            if not colon or not pattern.startswith("/") or not reason.strip():
                raise ValueError(f"line {number}: expected /path: reason")
            found.append(Allowed(pattern.strip(), reason.strip()))
    return found


def sort_out(found: list[Difference], allowed: list[Allowed]) -> tuple[list[Difference], dict[Allowed, int]]:
    """What nobody allowed, and how much each line allowed."""
    counts = dict.fromkeys(allowed, 0)
    left = []
    for one in found:
        line = next((line for line in allowed if line.holds(one.path)), None)
        if line is None:
            left.append(one)
        else:
            counts[line] += 1
    return left, counts


def about_pixels(difference: Difference, before: Path, after: Path) -> str:
    """How far two pictures differ, where both censuses kept theirs; empty for anything else."""
    parts = difference.path.split("/")
    if parts[-1] != "pixels":
        return ""
    name = f"{quote(f'{parts[-4]} {parts[-2]}'.replace('~1', '/').replace('~0', '~'), safe=' ')}.png"
    files = before / name, after / name
    if not all(file.is_file() for file in files):
        return ""
    from PIL import Image, ImageChops

    one, other = (Image.open(file).convert("RGB") for file in files)
    if one.size != other.size:
        return f"    {one.size[0]}x{one.size[1]} and {other.size[0]}x{other.size[1]} pixels"
    levels = ImageChops.difference(one, other).tobytes()
    return f"    at most {max(levels)} of 255 apart, in {sum(map(bool, levels)) / len(levels):.2%} of the values"
