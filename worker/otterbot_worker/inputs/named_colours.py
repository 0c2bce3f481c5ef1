"""Colour spaces that a picture only names: the ICC profile of each, made here.

Cameras that are set to Adobe RGB say so in their EXIF data and put no profile in; newer programs write a ``cICP`` into
a PNG.
"""

from __future__ import annotations

import struct
from typing import Any

Primaries = tuple[tuple[float, float, float], ...]
_P3: Primaries = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
"""What red, green and blue are in XYZ, as ICC profiles have it, for a white of D50."""
_ADOBE: Primaries = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
_D50 = (0.9642, 1.0, 0.8249)
_GAMMA = b"para" + bytes(4) + struct.pack(">HHi", 0, 0, round(563 / 256 * 65536))
_SRGB = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_LIKE_SRGB = b"para" + bytes(4) + struct.pack(">HH5i", 3, 0, *(round(value * 65536) for value in _SRGB))

_BT709, _P3_D65 = 1, 12
_CURVES = (1, 6, 13, 14, 15)
"""Of ``cICP``: sRGB's, and those of television that are taken for it everywhere."""
_EXIF, _COLOUR_SPACE, _INTEROPERABILITY = 0x8769, 0xA001, 0xA005
_UNCALIBRATED = 0xFFFF


def of_cicp(chunk: bytes) -> bytes | None:
    """Nothing for sRGB; ``None`` for what is not known, such as the high dynamic ranges."""
    if len(chunk) != 4 or chunk[0] not in (_BT709, _P3_D65) or chunk[1] not in _CURVES or chunk[2:] != b"\0\1":
        return None
    return _profile(_P3, _LIKE_SRGB) if chunk[0] == _P3_D65 else b""


def of_exif(exif: Any) -> bytes | None:
    """Adobe RGB where a camera says so, by DCF's rule; ``None`` else."""
    if exif.get_ifd(_EXIF).get(_COLOUR_SPACE) != _UNCALIBRATED:
        return None
    index = exif.get_ifd(_INTEROPERABILITY).get(1)
    return _profile(_ADOBE, _GAMMA) if str(index).rstrip("\0") == "R03" else None


def _profile(primaries: Primaries, curve: bytes) -> bytes:
    tags = {b"wtpt": _xyz(_D50), **{f"{name}TRC".encode(): curve for name in "rgb"}}
    tags |= {f"{name}XYZ".encode(): _xyz(one) for name, one in zip("rgb", primaries, strict=True)}
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for kind, data in tags.items():
        table += kind + struct.pack(">II", start + len(body), len(data))
        body += data
    head = struct.pack(">I", start + len(body)) + bytes(4) + b"\x04\x30\0\0mntrRGB XYZ " + bytes(12) + b"acsp"
    return (head + bytes(28) + _xyz(_D50)[8:]).ljust(128, b"\0") + table + body


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(struct.pack(">i", round(value * 65536)) for value in values)
