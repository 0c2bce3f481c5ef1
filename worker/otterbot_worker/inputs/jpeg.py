"""Strips JPEGs to what the pixels need, and finds out whether pixels are missing.

A decoder does not tell: where the data end it continues in grey. The scans can be counted without one (``_all_scans``).
The last scan is decoded twice, with different filler bytes behind it: if both results are equal, the decoder needed
none of them, so nothing is missing.
"""

from __future__ import annotations

import io
import re
from typing import NamedTuple

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_END = b"\xff\xd9"
_ALONE = frozenset({0x01, _SOI, *range(0xD0, 0xD8)})
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_ARITHMETIC = 0xC9
"""Frame markers from here on are arithmetic-coded."""
_MARKER = re.compile(rb"\xff[\x01-\xfe]")
_PARTS_MAX = 50_000
_ROOM = bytes(64)
"""Zeros of a preallocated file whose download stopped."""
_SLACK = 16
_FILLER = b"\xb6\x5d" * 256
"""Filler that differs from the zeros that a decoder assumes at the end of the data."""


_APPLICATIONS, _COMMENT = range(0xE0, 0xF0), 0xFE
_NEEDED = {0xE0: b"JFIF\0", 0xE1: b"Exif\0\0", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}
"""Application segments that are kept: orientation, colour profile, colour transform."""


class Bare(NamedTuple):
    data: bytes
    has_profile: bool


def bare(data: bytes) -> Bare:
    """The file without comments and application segments, but those in ``_NEEDED``."""
    kept, at, has_profile = [b"\xff\xd8"], 2, False
    for _ in range(_PARTS_MAX):
        marker, length = data[at + 1 : at + 2], int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at : at + 1] != b"\xff" or not marker or marker[0] in _ALONE or marker[0] in (0xFF, _EOI, _SOS):
            break
        segment = data[at : at + 2 + max(2, length)]
        needed = _NEEDED.get(marker[0], b"\0none")
        added = marker[0] in _APPLICATIONS or marker[0] == _COMMENT
        if not added or segment[4:].startswith(needed):
            kept.append(segment)
            has_profile = has_profile or marker[0] == 0xE2
        at += len(segment)
    return Bare(b"".join(kept) + data[at:], has_profile)


class _Parts(NamedTuple):
    end: int | None
    """Position of the end marker; ``None``: missing."""
    frame: bytes
    """The frame header (size, components); empty where it is missing."""
    progressive: bool
    arithmetic: bool
    """Arithmetic coding instead of Huffman."""
    scans: tuple[bytes, ...]
    """The header of each scan."""


def mended(data: bytes, most: int) -> bytes | None:
    """The file with an end marker; ``None`` where pixels are missing. Files of more than ``most`` pixels are returned
    unchecked."""
    parts = _parts(data)
    height, width = int.from_bytes(parts.frame[1:3], "big"), int.from_bytes(parts.frame[3:5], "big")
    if width * height > most or parts.arithmetic:
        return data  # arithmetic coding drops trailing zeros, so missing bytes cannot be told
    if parts.end is not None:
        # A program that received half a picture may have closed the file.
        if not _all_scans(parts):
            return None
        if len(set(parts.scans)) < len(parts.scans):
            return data  # a repeated scan always reads beyond its bits
        closed = data[: parts.end]
        return None if _takes_more(closed) or _filled(closed) else data
    # A last 0xFF is the first half of the end marker, or of a stuffed byte.
    short = data.rstrip(b"\xff")
    if short.endswith(_ROOM):
        short = short.rstrip(b"\0\xff")
    if not _all_scans(parts) or _takes_more(short) is not False:
        return None
    return short + _END


def _takes_more(data: bytes) -> bool | None:
    """Whether the decoder reads beyond the data; ``None``: it cannot be decoded."""
    same = _same_pixels(data + _END, data + _FILLER + _END)
    return None if same is None else not same


def _filled(data: bytes) -> bool:
    """Whether zeros at the end replace missing data. Then the decoder consumes some of them; of zeros behind complete
    pixels it consumes none, and of zeros that are pixels all."""
    short = data.rstrip(b"\0")
    if len(data) - len(short) < len(_ROOM):
        return False
    return _takes_more(short + bytes(_SLACK)) is True and _takes_more(data[: -2 * _SLACK]) is False


def _parts(data: bytes) -> _Parts:
    """Split the file into its parts. Like decoders, search the next marker after each segment or scan."""
    at, frame, kind = 2, b"", 0
    scans: list[bytes] = []
    for _ in range(_PARTS_MAX):
        if (found := _MARKER.search(data, at)) is None:
            return _made(None, frame, kind, scans)
        marker, at = data[found.start() + 1], found.end()
        if marker == _EOI:
            return _made(found.start(), frame, kind, scans)
        if marker in _ALONE:
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        segment = data[at + 2 : at + length]
        if marker in _FRAMES:
            frame, kind = segment, marker
        elif marker == _SOS:
            scans.append(segment)
        at += max(2, length)
    return _made(None, frame, kind, scans)


def _made(end: int | None, frame: bytes, kind: int, scans: list[bytes]) -> _Parts:
    return _Parts(end, frame, kind in _PROGRESSIVE, kind >= _ARITHMETIC, tuple(scans))


def _all_scans(parts: _Parts) -> bool:
    """Whether every component is complete: in a progressive file, all 64 coefficients to their last bit."""
    count = parts.frame[5] if len(parts.frame) > 5 else 0
    components = {parts.frame[6 + 3 * number] for number in range(count) if 6 + 3 * number < len(parts.frame)}
    done: dict[int, set[int]] = {component: set() for component in components}
    for scan in parts.scans:
        named = scan[0] if scan else 0
        if len(scan) < 4 + 2 * named:
            return False
        first, last, precision = scan[1 + 2 * named : 4 + 2 * named]
        if parts.progressive and precision & 0x0F:
            continue  # a later scan must refine these bits
        numbers = range(first, min(last, 63) + 1) if parts.progressive else range(64)
        for number in range(named):
            done.setdefault(scan[1 + 2 * number], set()).update(numbers)
    return bool(components) and all(len(done[component]) == 64 for component in components)


def _same_pixels(one: bytes, other: bytes) -> bool | None:
    """``None``: they cannot be decoded."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(one), formats=("JPEG",)) as first:
            pixels = first.tobytes()
        with Image.open(io.BytesIO(other), formats=("JPEG",)) as second:
            return pixels == second.tobytes()
    except MemoryError:
        raise
    except Exception:
        return None
