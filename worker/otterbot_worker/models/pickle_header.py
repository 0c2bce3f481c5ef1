"""What a ``.ckpt`` holds, found without running it: names and shapes of its tensors. Free of torch.

A pickle is a program. ``torch.save`` writes one into a zip, ``data.pkl``, beside the bytes of the tensors. Its steps
are followed here one by one on plain values; whatever it wants to call is held against a short list, which only builds
dictionaries and tensors, and nothing is ever called. torch reads the file later under the same rule
(``weights_only=True``).
"""

from __future__ import annotations

import errno
import os
import pickletools
import re
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from . import plain_files
from .headers import TENSORS_MAX, BadFile, Header, shape_of

PICKLE_MAX = 8 * 1024 * 1024
"""Bytes of ``data.pkl``; a model with a thousand tensors has a few hundred thousand."""
DIRECTORY_MAX = 8 * 1024 * 1024
"""Bytes of the zip's list of entries; one takes about a hundred."""
STEPS_MAX = 500_000
"""Of the program; a model with a thousand tensors takes fifty thousand."""
MEMO_MAX = 2**31
"""Larger numbers may be chosen so that a dictionary takes the square of their count."""

_DICT, _TENSOR, _PARAMETER = (
    ("collections", "OrderedDict"),
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_parameter"),
)
_STORAGES = tuple(
    ("torch", f"{kind}Storage")
    for kind in ("Float", "Half", "BFloat16", "Double", "Long", "Int", "Short", "Char", "Byte", "Bool")
)
_TAIL = 22 + 65_535 + 76
"""Bytes at the end of a zip in which its last record begins, with those of a large zip before it."""
NESTED_MAX = 8
"""``state_dict`` in ``state_dict``; a dictionary may lie in itself."""
SAFE = frozenset({_DICT, _TENSOR, _PARAMETER, *_STORAGES})


@dataclass(frozen=True)
class _Global:
    name: tuple[str, str]


@dataclass(frozen=True)
class _Tensor:
    shape: tuple[int, ...]


class _Mark:
    pass


def read(path: Path) -> Header:
    """:raises BadFile: no such file, or one that wants to run code :raises OSError:"""
    with plain_files.opened(path) as file:
        first = file.read(4)
        if first[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04"):
            raise BadFile("is an old pickle, which could run code when it is read: convert it to .safetensors")
        if first != b"PK\x03\x04":
            raise BadFile("is no checkpoint")
        _check_directory(file)
        try:
            with zipfile.ZipFile(file) as archive:
                program = _program(archive)
        # RuntimeError: encrypted, or of a later version. The others: whatever zipfile meets in bytes that are no zip.
        except (zipfile.BadZipFile, RuntimeError, EOFError, ValueError, LookupError, struct.error, OverflowError):
            raise BadFile("is cut off or no checkpoint") from None
        except OSError as error:
            if error.errno != errno.EINVAL:  # it would look before the beginning of the file
                raise
            raise BadFile("is cut off or no checkpoint") from None
    try:
        root = _follow(program)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError):
        raise BadFile("is no checkpoint") from None
    for _ in range(NESTED_MAX):
        if isinstance(root, dict) and isinstance(root.get("state_dict"), dict):
            root = root["state_dict"]
    if not isinstance(root, dict):
        raise BadFile("is no checkpoint")
    shapes = {key: value.shape for key, value in root.items() if isinstance(key, str) and isinstance(value, _Tensor)}
    return Header(shapes=shapes, metadata={}, start=0)


def _check_directory(file: BinaryIO) -> None:
    """zipfile reads the list of all entries before anybody can ask how many there are. :raises BadFile:"""
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - _TAIL)
    file.seek(start)
    tail = file.read(_TAIL)
    file.seek(0)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise BadFile("is cut off or no checkpoint")
    length = int.from_bytes(tail[at + 12 : at + 16], "little")
    wide = tail.rfind(b"PK\x06\x06", 0, at)  # the end of a large zip, with longer numbers
    if wide >= 0:
        length = max(length % 0xFFFFFFFF, int.from_bytes(tail[wide + 40 : wide + 48], "little"))
    if length > DIRECTORY_MAX:
        raise BadFile("is no checkpoint: it is a zip of too many files")


def _program(archive: zipfile.ZipFile) -> bytes:
    entries = archive.infolist()
    programs = [entry for entry in entries if entry.filename.rpartition("/")[2] == "data.pkl"]
    if len(programs) != 1 or len(entries) > TENSORS_MAX or _largest(programs[0]) > PICKLE_MAX:
        raise BadFile("is no checkpoint")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise BadFile("is packed once more: unpack it first")
    return archive.read(programs[0])


def _largest(entry: zipfile.ZipInfo) -> int:
    """Of the sizes that a zip says of an entry, which zipfile reads as many bytes as."""
    return max(entry.file_size, entry.compress_size)


# ---------------------------------------------------------------- the steps of the program


class _Machine:
    """A stack of plain values, as pickle's own, on which nothing is called."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def pop_mark(self) -> list[Any]:
        for index in range(len(self.stack) - 1, -1, -1):
            if isinstance(self.stack[index], _Mark):
                items = self.stack[index + 1 :]
                del self.stack[index:]
                return items
        raise ValueError

    def push_tuple(self, length: int) -> None:
        items = tuple(self.stack[len(self.stack) - length :])
        if len(items) != length:
            raise ValueError
        del self.stack[len(self.stack) - length :]
        self.stack.append(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, dict):
            target.update(_dictionary(items))

    def append(self, items: list[Any]) -> None:
        if isinstance(self.stack[-1], list):
            self.stack[-1].extend(items)

    def call(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        name = function.name if isinstance(function, _Global) else None
        if name == _DICT:
            self.stack.append({})
        elif name == _TENSOR:
            self.stack.append(_Tensor(shape_of(arguments[2])))
        elif name == _PARAMETER:
            self.stack.append(arguments[0])
        else:
            raise ValueError


def _dictionary(items: list[Any]) -> dict[Any, Any]:
    """Of keys and values in turn. To use anything else than these as a key means to look through all of it, and a tuple
    may hold itself a billion times over. Only names are kept, since all that is looked for has one: numbers may be
    chosen so that each is compared with all the others."""
    if not all(isinstance(key, (str, int, float, bytes)) for key in items[::2]):
        raise ValueError
    return {key: value for key, value in zip(items[::2], items[1::2], strict=True) if isinstance(key, str)}


def _follow(program: bytes) -> Any:
    machine = _Machine()
    for step, (opcode, argument, _) in enumerate(pickletools.genops(program)):
        if step > STEPS_MAX:
            raise ValueError
        name = opcode.name
        if name == "STOP":
            return machine.stack.pop()
        if name in ("GLOBAL", "STACK_GLOBAL"):
            machine.stack.append(_safe(machine, argument))
        elif name in _CONSTANTS:
            machine.stack.append(_CONSTANTS[name]())
        elif name in _VALUES:
            machine.stack.append(argument)
        elif name in _STEPS:
            _STEPS[name](machine, argument)
        elif name not in ("PROTO", "FRAME"):
            raise ValueError
    raise ValueError


def _safe(machine: _Machine, argument: Any) -> _Global:
    if argument is None:
        name, module = machine.stack.pop(), machine.stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise ValueError
    else:
        module, _, name = argument.partition(" ")
    if (module, name) not in SAFE:
        wanted = f"{module}.{name}"
        shown = f" ({wanted})" if re.fullmatch(r"[\w.]{1,80}", wanted) else ""
        raise BadFile(f"holds more than weights{shown} and could run code: convert it to .safetensors")
    return _Global((module, name))


def _memoize(machine: _Machine, argument: Any) -> None:
    place = len(machine.memo) if argument is None else argument
    if not 0 <= place < MEMO_MAX:
        raise ValueError
    machine.memo[place] = machine.stack[-1]


def _build(machine: _Machine, _: Any) -> None:
    machine.stack.pop()  # attributes, as the version that an OrderedDict carries


def _persistent(machine: _Machine, _: Any) -> None:
    machine.stack[-1] = ()  # the bytes of a tensor, which lie elsewhere in the zip


_CONSTANTS: dict[str, Callable[[], Any]] = {
    "MARK": _Mark,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
}
_VALUES = frozenset(
    [
        "BININT",
        "BININT1",
        "BININT2",
        "LONG1",
        "LONG4",
        "INT",
        "LONG",
        "BINFLOAT",
        "FLOAT",
        "BINUNICODE",
        "SHORT_BINUNICODE",
        "BINUNICODE8",
        "UNICODE",
        "BINSTRING",
        "SHORT_BINSTRING",
        "BINBYTES",
        "SHORT_BINBYTES",
    ]
)
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "TUPLE1": lambda machine, _: machine.push_tuple(1),
    "TUPLE2": lambda machine, _: machine.push_tuple(2),
    "TUPLE3": lambda machine, _: machine.push_tuple(3),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.pop_mark())),
    "DICT": lambda machine, _: machine.stack.append(_dictionary(machine.pop_mark())),
    "LIST": lambda machine, _: machine.stack.append(machine.pop_mark()),
    "SETITEM": lambda machine, _: machine.set_items([machine.stack.pop(-2), machine.stack.pop()]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_mark()),
    "APPEND": lambda machine, _: machine.append([machine.stack.pop()]),
    "APPENDS": lambda machine, _: machine.append(machine.pop_mark()),
    "POP": lambda machine, _: machine.stack.__delitem__(-1),
    "BINPUT": _memoize,
    "LONG_BINPUT": _memoize,
    "PUT": _memoize,
    "MEMOIZE": _memoize,
    "BINGET": lambda machine, argument: machine.stack.append(machine.memo[argument]),
    "LONG_BINGET": lambda machine, argument: machine.stack.append(machine.memo[argument]),
    "GET": lambda machine, argument: machine.stack.append(machine.memo[argument]),
    "BINPERSID": _persistent,
    "REDUCE": lambda machine, _: machine.call(),
    "BUILD": _build,
}
