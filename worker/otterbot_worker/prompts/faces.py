"""Faces such as ``:-)`` and ``:(``, which stand alone: their brackets are no marks of weight. One pass, linear in time.

One that looks like an opening bracket is a face. One that looks like a closing bracket may be the end of
``(otter :)``: it is a face where the brackets around it are closed without it, as in ``(otter :) in a hat)``.
"""

from __future__ import annotations

import re

_FACE = r"(?:^|(?<=[\s()\[\]]))[:;=](?:\\?-)?[()\[\]]"
_ANY = re.compile(_FACE)
_TOKEN = re.compile(rf"({_FACE})|\\[\\()\[\]+\-]|([()\[\]])")
_BEHIND = re.compile(r"[\s,.;:!?)\]]|\Z")
_OPENING = {")": "(", "]": "["}


def find_faces(prompt: str) -> frozenset[int]:
    """Where the brackets of faces stand."""
    if not _ANY.search(prompt):
        return frozenset()
    faces: set[int] = set()
    opened: list[int] = []
    closed: set[int] = set()
    undecided: list[tuple[int, int]] = []  # a closing bracket, and the outermost one that is open there
    for token in _TOKEN.finditer(prompt):
        if not token[1] and not token[2]:
            continue
        place = token.end() - 1
        bracket = prompt[place]
        if bracket in "([":
            if token[1] and (place + 1 == len(prompt) or prompt[place + 1].isspace()):
                faces.add(place)
            else:
                opened.append(place)
        elif opened and prompt[opened[-1]] == _OPENING[bracket]:
            if token[1] and _BEHIND.match(prompt, place + 1):
                undecided.append((place, opened[0]))
            else:
                closed.add(opened.pop())
    # What is inside the outermost one is closed if that one is.
    return frozenset(faces).union(place for place, outermost in undecided if outermost in closed)
