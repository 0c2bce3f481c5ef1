"""How much work a picture makes for its decoder, counted in the bytes as they were sent. Nothing is decoded here.

Sizes say nothing of it: a progressive JPEG may go over all of its pixels in as many scans as it likes, and a PNG may
hold a million parts that are no pixels. Encoders make a dozen of the one and some thousands of the other.
"""

from __future__ import annotations

import re
from typing import Literal

SCANS_MAX = 100
PARTS_MAX = 50_000
"""Chunks of a PNG or a WebP, blocks of a GIF. Some encoders cut 20 MB of pixels into pieces of 8 KiB."""

_START_OF_SCAN, _END = 0xDA, 0xD9
_ALONE = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})
"""Markers without a segment behind them."""
_MARKER = re.compile(rb"\xff[\x01-\xfe]")
"""Within pixels a 0xFF is followed by a zero; several of them before a marker are padding."""


def too_complex(data: bytes) -> bool:
    """Whether a decoder would be busy for longer than its pixels are worth."""
    if data.startswith(b"\xff\xd8"):
        return scans(data) > SCANS_MAX
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _chunks(data, at=8, order="big", length_first=True, tail=4) > PARTS_MAX
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _chunks(data, at=12, order="little", length_first=False, tail=0) > PARTS_MAX
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return _blocks(data) > PARTS_MAX
    return False


def scans(data: bytes) -> int:
    """How often a JPEG's decoder goes over its pixels; counted to one more than it may. As decoders do, this looks for
    the next marker wherever a segment or the pixels of a scan end."""
    at, count = 2, 0
    for _ in range(PARTS_MAX):
        if (found := _MARKER.search(data, at)) is None:
            return count
        marker, at = data[found.start() + 1], found.end()
        if marker == _END:
            return count
        if marker in _ALONE:
            continue
        if marker == _START_OF_SCAN:
            count += 1
            if count > SCANS_MAX:
                return count
        at += max(2, int.from_bytes(data[at : at + 2], "big"))
    return SCANS_MAX + 1  # it has too many parts of another kind


def _chunks(data: bytes, *, at: int, order: Literal["big", "little"], length_first: bool, tail: int) -> int:
    """Of a file that is a chain of them; counted to one more than there may be."""
    count = 0
    while at + 8 <= len(data) and count <= PARTS_MAX:
        word = data[at : at + 4] if length_first else data[at + 4 : at + 8]
        length = int.from_bytes(word, order)
        at += 8 + length + tail + (0 if length_first else length % 2)
        count += 1
    return count


def _blocks(data: bytes) -> int:
    """Of a GIF before its first image: a decoder reads all of them first. Counted to one more than there may be."""
    flags = data[10] if len(data) > 10 else 0
    at, count = 13 + (3 * 2 ** (flags % 8 + 1) if flags & 0x80 else 0), 0
    while data[at : at + 1] == b"!":
        at += 2
        while (length := int.from_bytes(data[at : at + 1], "big")) and count <= PARTS_MAX:
            at += 1 + length
            count += 1
        at += 1
        count += 1
        if count > PARTS_MAX:
            break
    return count
