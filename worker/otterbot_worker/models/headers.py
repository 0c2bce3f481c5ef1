"""The header of a safetensors file: names, shapes, types and the trainer's notes. Free of torch; reads no tensor.

Whatever a file claims is held against its size before anything is believed.
"""

from __future__ import annotations

import json
import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HEADER_MAX = 16 * 1024 * 1024
"""Bytes. Trainers write every tag of every picture into it; the format itself allows 100 MB."""
TENSORS_MAX = 20_000

_BYTES = {
    **{"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2},
    **{"F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "I8": 1, "U8": 1, "BOOL": 1},
}


class BadFile(Exception):
    """Not a whole safetensors file; the message ends the sentence "the file …"."""


@dataclass(frozen=True, kw_only=True)
class Header:
    shapes: dict[str, tuple[int, ...]]
    metadata: dict[str, str]
    start: int
    """Bytes before the first tensor."""


def read(path: Path) -> Header:
    """:raises BadFile: :raises OSError:"""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        first = file.read(8)
        if len(first) < 8:
            raise BadFile("is cut off")
        length = struct.unpack("<Q", first)[0]
        if length > HEADER_MAX:
            raise BadFile("is no safetensors file")
        if length > size - 8:
            raise BadFile("is cut off")
        raw = file.read(length)
    try:
        header = json.loads(raw)
        metadata = header.pop("__metadata__", {})
        tensors = {str(name): _tensor(fields) for name, fields in header.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise BadFile("is no safetensors file") from None
    if len(tensors) > TENSORS_MAX:
        raise BadFile("holds too many tensors")
    end = 0
    for begin, stop, _ in sorted(tensors.values()):
        if begin != end:
            raise BadFile("is no safetensors file")
        end = stop
    if 8 + length + end > size:
        raise BadFile("is cut off")
    if 8 + length + end < size:
        raise BadFile("is no safetensors file")
    notes = metadata if isinstance(metadata, dict) else {}
    return Header(
        shapes={name: shape for name, (_, _, shape) in tensors.items()},
        metadata={str(key): value for key, value in notes.items() if isinstance(value, str)},
        start=8 + length,
    )


def _tensor(fields: Any) -> tuple[int, int, tuple[int, ...]]:
    """Begin, end and shape, which have to agree. :raises ValueError:"""
    begin, end = fields["data_offsets"]
    shape = tuple(fields["shape"])
    if any(type(number) is not int or not 0 <= number < 2**48 for number in (begin, end, *shape)) or len(shape) > 8:
        raise ValueError
    if fields["dtype"] not in _BYTES or math.prod(shape) * _BYTES[fields["dtype"]] != end - begin:
        raise ValueError
    return begin, end, shape
