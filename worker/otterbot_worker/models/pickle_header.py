"""Names and shapes of the tensors in a ``.ckpt``, found without running it. Free of torch.

A pickle is a program. ``torch.save`` writes one into a zip, ``data.pkl``, beside the bytes of the tensors. Its opcodes
are interpreted here on plain values. Calls are checked against a short list that only builds dictionaries and tensors,
and nothing is ever called. torch reads the file later under the same rule (``weights_only=True``).
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
"""Bytes of the zip's directory; an entry takes about a hundred."""
STEPS_MAX = 500_000
"""Opcodes of the program; a model with a thousand tensors takes fifty thousand."""
MEMO_MAX = 2**31
"""Bound of memo keys: larger numbers can be chosen to collide, which makes a dictionary quadratic."""

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
"""Bytes at the end of a zip that contain its end records, zip64's included."""
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
    """:raises BadFile: not such a file, or one that wants to run code :raises OSError:"""
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
            if error.errno != errno.EINVAL:  # a seek before the beginning of the file
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
    """Check the size of the directory first: zipfile reads all of it before it tells the number of entries. :raises
    BadFile:"""
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - _TAIL)
    file.seek(start)
    tail = file.read(_TAIL)
    file.seek(0)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise BadFile("is cut off or no checkpoint")
    length = int.from_bytes(tail[at + 12 : at + 16], "little")
    wide = tail.rfind(b"PK\x06\x06", 0, at)  # zip64's end record
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
    """The largest size that the zip claims for an entry: zipfile reads that many bytes."""
    return max(entry.file_size, entry.compress_size)


# ---------------------------------------------------------------- the steps of the program


class _Machine:
    """Pickle's stack machine on plain values; calls nothing."""

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
    """A dictionary from alternating keys and values. Only text keys are kept, since all tensors have names: hashing
    nested tuples may take exponential time, and numbers can be chosen to collide."""
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
    machine.stack.pop()  # attributes, such as an OrderedDict's version


def _persistent(machine: _Machine, _: Any) -> None:
    machine.stack[-1] = ()  # a tensor's storage, which is elsewhere in the zip


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
