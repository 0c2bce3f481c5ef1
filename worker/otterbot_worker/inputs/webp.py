"""Finds WebPs in which zeros replace pixels that a download did not bring.

A decoder accepts zeros like any other data, but it reports a stream that is too short, and no encoder writes more than
is needed. So a stream ending in many zeros is decoded with fewer of them. If the decoder needs hardly any, they only
follow the stream. If it needs some but not all, or more than there are, they replace lost data. If it needs exactly
all, as for a black picture, the stream is complete.
"""

from __future__ import annotations

import io

ROOM = 64
"""Fewer zeros at the end are not examined."""
_SLACK = 16
"""Bytes that a decoder may read beyond the end of a stream."""
_KEY_FRAME = b"\x9d\x01\x2a"


def filled(kind: bytes, body: bytes, most: int) -> bool:
    """``kind``, ``body``: the chunk with the pixels. Pictures of more than ``most`` pixels are not examined."""
    short = body.rstrip(b"\0")
    if len(body) - len(short) < ROOM or not 0 < _pixels(kind, body) <= most:
        return False
    if _decodes(kind, short + bytes(_SLACK)):
        return False
    return _decodes(kind, body[: -2 * _SLACK]) or not _decodes(kind, body)


def _pixels(kind: bytes, body: bytes) -> int:
    if kind == b"VP8L" and body[:1] == b"\x2f":
        sides = int.from_bytes(body[1:5], "little")
        return ((sides & 0x3FFF) + 1) * ((sides >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 " and body[3:6] == _KEY_FRAME:
        return (int.from_bytes(body[6:8], "little") & 0x3FFF) * (int.from_bytes(body[8:10], "little") & 0x3FFF)
    return 0


def _decodes(kind: bytes, body: bytes) -> bool:
    from PIL import Image

    body += b"\0" * (len(body) % 2)
    file = b"WEBP" + kind + len(body).to_bytes(4, "little") + body
    try:
        with Image.open(io.BytesIO(b"RIFF" + len(file).to_bytes(4, "little") + file), formats=("WEBP",)) as picture:
            picture.load()
    except MemoryError:
        raise
    except Exception:
        return False
    return True
