"""How long a conversation a language model in a ``.gguf`` was trained for; read from the beginning of its file.

The layout is that of https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian. What
is behind the wanted key, as the words of the tokenizer, is not read.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

FIXED = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
TEXT, ARRAY = 8, 9
LONGEST, KEYS_MAX = 1024 * 1024, 4_096


def context_length(path: Path) -> int | None:
    """Tokens; 0: the file does not say. ``None``: it is no such file."""
    try:
        with path.open("rb") as file:
            return _search(file)
    except (OSError, struct.error, ValueError):
        return None


def _search(file: BinaryIO) -> int:
    """:raises ValueError: :raises struct.error:"""
    if file.read(4) != b"GGUF" or _number(file, "I") not in (2, 3):
        raise ValueError("no GGUF file")
    _number(file, "Q")
    for _ in range(min(_number(file, "Q"), KEYS_MAX)):
        key, kind = _text(file), _number(file, "I")
        if key.endswith(b".context_length") and kind in FIXED:
            return max(0, int(_number(file, FIXED[kind])))
        _pass_over(file, kind)
    return 0


def _number(file: BinaryIO, form: str) -> int:
    return int(struct.unpack("<" + form, file.read(struct.calcsize("<" + form)))[0])


def _text(file: BinaryIO) -> bytes:
    length = _number(file, "Q")
    if length > LONGEST:
        raise ValueError("no GGUF file")
    return file.read(length)


def _pass_over(file: BinaryIO, kind: int) -> None:
    if kind == TEXT:
        _text(file)
    elif kind == ARRAY:
        inner, length = _number(file, "I"), _number(file, "Q")
        if length > LONGEST:
            raise ValueError("no GGUF file")
        for _ in range(length):
            _pass_over(file, inner)
    elif kind in FIXED:
        file.read(struct.calcsize("<" + FIXED[kind]))
    else:
        raise ValueError("no GGUF file")
