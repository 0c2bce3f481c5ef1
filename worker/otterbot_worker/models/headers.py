"""The header of a safetensors file: names, shapes, types and the trainer's notes. Free of torch; reads no tensor.

All numbers in a file are checked against its size first.
"""

from __future__ import annotations

import json
import math
import os
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import plain_files

HEADER_MAX = 16 * 1024 * 1024
"""Bytes of a header. Trainers write every tag of every picture into it."""
_FORMAT_MAX = 100_000_000
"""Bytes of a header that the format itself allows. A larger number is no length, but the first letters of a text."""
TENSORS_MAX = 20_000
SIDES_MAX = 8
SIDE_MAX = 2**48
PARTS_MAX = 1_000_000
"""Items between commas in a header."""
TEXTS_MAX = 10 * TENSORS_MAX
"""Texts in a header: five per tensor, two per note."""

_BYTES = {
    **{"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2},
    **{"F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "I8": 1, "U8": 1, "BOOL": 1},
}
_OTHER_NUMBERS = frozenset({"F4", "F6_E2M3", "F6_E3M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "C64"})
"""Number types of the format that no reader here knows."""

CUT_OFF, NO_SAFETENSORS = "is cut off", "is no safetensors file"

_QUOTED = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
"""Matches a quoted text, terminated or not: without the latter, each quote inside would be tried as a beginning, which
is quadratic."""


class BadFile(Exception):
    """Not a whole safetensors file; the message ends the sentence "the file …"."""


def unread(why: str) -> str:
    """Says that the file could not be read, as the end of a sentence that begins with its name."""
    return f"cannot be read now ({why})"


@dataclass(frozen=True, kw_only=True)
class Header:
    shapes: dict[str, tuple[int, ...]]
    metadata: dict[str, str]
    start: int
    """Bytes before the first tensor."""
    types: dict[str, str] = field(default_factory=dict)
    """Tensor → number type by safetensors' names; empty for other formats."""


def read(path: Path) -> Header:
    """:raises BadFile: :raises OSError:"""
    with plain_files.opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        first = file.read(8)
        if len(first) < 8:
            raise BadFile(CUT_OFF)
        length = struct.unpack("<Q", first)[0]
        if length > _FORMAT_MAX:
            raise BadFile(NO_SAFETENSORS)
        if length > size - 8:
            raise BadFile(CUT_OFF)
        if length > HEADER_MAX:
            raise BadFile(_too_long(length) if file.read(1) == b"{" else NO_SAFETENSORS)
        raw = file.read(length)
    _check_parts(raw)
    try:
        header = json.loads(raw)
        metadata = header.pop("__metadata__", {})
        kinds = {str(name): str(fields["dtype"]) for name, fields in header.items()}
        if other := _OTHER_NUMBERS.intersection(kinds.values()):
            raise BadFile(f"holds numbers of a kind that cannot be read here ({min(other)})")
        tensors = {str(name): _tensor(fields) for name, fields in header.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise BadFile(NO_SAFETENSORS) from None
    if len(tensors) > TENSORS_MAX:
        raise BadFile("holds too many tensors")
    end = 0
    for begin, stop, _ in sorted(tensors.values()):
        if begin != end:
            raise BadFile(NO_SAFETENSORS)
        end = stop
    if 8 + length + end > size:
        raise BadFile(CUT_OFF)
    if 8 + length + end < size:
        raise BadFile(NO_SAFETENSORS)
    notes = metadata if isinstance(metadata, dict) else {}
    return Header(
        shapes={name: shape for name, (_, _, shape) in tensors.items()},
        metadata={str(key): value for key, value in notes.items() if isinstance(value, str)},
        start=8 + length,
        types=kinds,
    )


def examined_values(path: Path) -> dict[str, Any]:
    """How many values the file stores, and its largest tensor. :raises BadFile: :raises OSError:"""
    return values(read(path))


def values(header: Header) -> dict[str, Any]:
    counts = [math.prod(shape) for shape in header.shapes.values()]
    return {"values": sum(counts), "largest": max(counts, default=0)}


def _too_long(length: int) -> str:
    return f"has a header of {length / 1024**2:.0f} MB, more than the {HEADER_MAX // 1024**2} MB that are read"


def _check_parts(raw: bytes) -> None:
    """Count lists and objects before parsing: a list takes thirty times its bytes in the file. Quoted texts do not
    count, since the trainer's notes have any length. :raises BadFile:"""
    bare, texts = _QUOTED.subn(b"", raw, TEXTS_MAX)
    # Per tensor one object with two lists, one object around all, one for the notes.
    many = bare.count(b"{") > TENSORS_MAX + 2 or bare.count(b"[") > 2 * TENSORS_MAX or bare.count(b",") > PARTS_MAX
    if many or texts >= TEXTS_MAX:
        raise BadFile("holds too many tensors, or is no safetensors file")


def shape_of(sides: Any) -> tuple[int, ...]:
    """A tensor's shape as a file gives it. :raises ValueError: it cannot be one"""
    if not isinstance(sides, list | tuple) or len(sides) > SIDES_MAX:
        raise ValueError
    if any(type(side) is not int or not 0 <= side < SIDE_MAX for side in sides):
        raise ValueError
    return tuple(sides)


def _tensor(fields: Any) -> tuple[int, int, tuple[int, ...]]:
    """Begin, end and shape of a tensor, checked against each other. :raises ValueError:"""
    begin, end = shape_of(fields["data_offsets"])
    shape = shape_of(fields["shape"])
    if fields["dtype"] not in _BYTES or math.prod(shape) * _BYTES[fields["dtype"]] != end - begin:
        raise ValueError
    return begin, end, shape
