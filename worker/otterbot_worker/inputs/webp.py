"""Whether the pixels of a WebP are zeros in the place of what a download did not bring.

A decoder does not say: zeros are as good a stream as any other. But it says where a stream is too short, and no encoder
writes more than is needed. So a stream that ends with many zeros is decoded with fewer of them: if it takes hardly any,
they only stand behind it; if it takes some and leaves others, or all and wants more, they stand where something else
was. What takes just all of them, as a black picture does, is whole.
"""

from __future__ import annotations

import io

ROOM = 64
"""So many zeros at the end are looked at."""
_SLACK = 16
"""How many bytes behind its end a decoder may look at."""
_KEY_FRAME = b"\x9d\x01\x2a"


def filled(kind: bytes, body: bytes, most: int) -> bool:
    """``kind``, ``body``: of the chunk with the pixels. One that says it has more than ``most`` is not looked at."""
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
