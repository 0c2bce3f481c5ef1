"""The header of a ``.gguf``: what is in it and whether it is whole. Free of torch; reads no tensor.

The layout is that of https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian.
"""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path
from typing import BinaryIO

from . import plain_files
from .headers import SIDES_MAX, TENSORS_MAX, BadFile, Header, shape_of

HEADER_MAX = 32 * 1024 * 1024
KEYS_MAX = 4_096
TEXT_MAX = 65_535
TEXTS_MAX = 300_000
"""Texts in one header. Each takes a step; the largest tokenizers have fewer words."""

_FIXED = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TEXT, _ARRAY = 8, 9
_BLOCKS = {
    # kind of tensor: values in a block, bytes of a block
    **{0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36)},
    **{10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292)},
    **{24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 30: (1, 2)},
}


class _Reader:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.position = 0
        self._texts = 0

    def take(self, length: int) -> bytes:
        self.position += length
        if self.position > HEADER_MAX:
            raise BadFile("is no GGUF file")
        content = self._file.read(length)
        if len(content) < length:
            raise BadFile("is cut off")
        return content

    def number(self, form: str) -> int:
        return int(struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))[0])

    def text(self) -> str:
        length = self.number("Q")
        self._texts += 1
        if length > TEXT_MAX or self._texts > TEXTS_MAX:
            raise BadFile("is no GGUF file")
        return self.take(length).decode("utf-8", "replace")

    def value(self) -> str | None:
        """A metadata value: texts are returned, other types skipped."""
        kind = self.number("I")
        if kind == _TEXT:
            return self.text()
        if kind == _ARRAY:
            inner, length = self.number("I"), self.number("Q")
            if inner == _TEXT and length <= TEXT_MAX:
                for _ in range(length):
                    self.text()
                return None
            self.take(self._size(inner) * min(length, HEADER_MAX))
            return None
        self.take(self._size(kind))
        return None

    @staticmethod
    def _size(kind: int) -> int:
        if kind not in _FIXED:
            raise BadFile("is no GGUF file")
        return struct.calcsize("<" + _FIXED[kind])


def read(path: Path) -> Header:
    """:raises BadFile: :raises OSError:"""
    with plain_files.opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        reader = _Reader(file)
        if reader.take(4) != b"GGUF" or reader.number("I") not in (2, 3):
            raise BadFile("is no GGUF file")
        tensors, keys = reader.number("Q"), reader.number("Q")
        if tensors > TENSORS_MAX or keys > KEYS_MAX:
            raise BadFile("is no GGUF file")
        metadata: dict[str, str] = {}
        for _ in range(keys):
            key, text = reader.text(), reader.value()
            if text is not None:
                metadata[key] = text
        shapes: dict[str, tuple[int, ...]] = {}
        end = 0
        for _ in range(tensors):
            name, length = reader.text(), reader.number("I")
            if length > SIDES_MAX:
                raise BadFile("is no GGUF file")
            try:
                shape = shape_of([reader.number("Q") for _ in range(length)])
            except ValueError:
                raise BadFile("is no GGUF file") from None
            kind, offset = reader.number("I"), reader.number("Q")
            values, content = _BLOCKS.get(kind, (1, 0))  # of an unknown type only the start is checked
            end = max(end, offset + math.prod(shape) // values * content)
            shapes[name] = shape[::-1]
    start = -(-reader.position // 32) * 32
    if start + end > size:
        raise BadFile("is cut off")
    return Header(shapes=shapes, metadata=metadata, start=start)
