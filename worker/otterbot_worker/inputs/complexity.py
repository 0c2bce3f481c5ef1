"""Decoding effort of a picture, counted in its bytes without decoding.

Sizes do not limit it: a progressive JPEG may have any number of scans over all its pixels, and a PNG a million chunks
without pixels. Real encoders make a dozen scans and some thousands of chunks.
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
    """Whether the file has more scans or parts than honest pictures have."""
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
    """The number of scans of a JPEG, counted to one above the limit. Like decoders, it searches the next marker after
    each segment or scan."""
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
    return SCANS_MAX + 1  # too many segments of other kinds


def _chunks(data: bytes, *, at: int, order: Literal["big", "little"], length_first: bool, tail: int) -> int:
    """The number of chunks of a PNG or WebP, counted to one above the limit."""
    count = 0
    while at + 8 <= len(data) and count <= PARTS_MAX:
        word = data[at : at + 4] if length_first else data[at + 4 : at + 8]
        length = int.from_bytes(word, order)
        at += 8 + length + tail + (0 if length_first else length % 2)
        count += 1
    return count


def _blocks(data: bytes) -> int:
    """The number of blocks before a GIF's first image, which a decoder reads first; counted to one above the limit."""
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
