"""Colour spaces that a picture only names: the ICC profile of each, made here.

Cameras that are set to Adobe RGB say so in their EXIF data and put no profile in; newer programs write a ``cICP`` into
a PNG, older ones its gamma and primaries.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

Primaries = tuple[tuple[float, float, float], ...]
_P3: Primaries = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
"""Display P3's primaries in XYZ, adapted to D50 as in ICC profiles."""
_ADOBE: Primaries = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
_D50 = (0.9642, 1.0, 0.8249)
_SRGB_PRIMARIES: Primaries = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
_SRGB = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_LIKE_SRGB = b"para" + bytes(4) + struct.pack(">HH5i", 3, 0, *(round(value * 65536) for value in _SRGB))

_SRGB_GAMMA, _GAMMA_NEAR = 45455, 2_000
"""PNG gamma that stands for sRGB, in 100,000ths, and its tolerance."""
_SRGB_POINTS = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
"""PNG chromaticities of sRGB in 100,000ths: x and y of white, red, green, blue."""
_NEAR = 100
_BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
"""The Bradford matrix: from XYZ to cone responses, for chromatic adaptation."""

_BT709, _P3_D65 = 1, 12
_CURVES = (1, 6, 13, 14, 15)
"""Transfer characteristics of ``cICP`` treated as sRGB: its own, and television's."""
_EXIF, _COLOUR_SPACE, _INTEROPERABILITY = 0x8769, 0xA001, 0xA005
_OF_ADOBE, _UNCALIBRATED = 2, 0xFFFF


def of_cicp(chunk: bytes) -> bytes | None:
    """The profile of a ``cICP`` chunk: empty for sRGB; ``None`` for unknown ones, such as HDR."""
    if len(chunk) != 4 or chunk[0] not in (_BT709, _P3_D65) or chunk[1] not in _CURVES or chunk[2:] != b"\0\1":
        return None
    return _profile(_P3, _LIKE_SRGB) if chunk[0] == _P3_D65 else b""


def of_exif(exif: Any) -> bytes | None:
    """Adobe RGB where EXIF names it, by DCF's rule or by the maker's number; else ``None``."""
    space, index = exif.get_ifd(_EXIF).get(_COLOUR_SPACE), exif.get_ifd(_INTEROPERABILITY).get(1)
    adobe = space == _OF_ADOBE or (space == _UNCALIBRATED and str(index).rstrip("\0") == "R03")
    return _profile(_ADOBE, _gamma(563 / 256)) if adobe else None


def of_png(gamma: bytes | None, points: bytes | None) -> bytes | None:
    """The profile of ``gAMA`` and ``cHRM``: empty for sRGB; ``None`` where they are no colour space."""
    if (gamma is not None and len(gamma) != 4) or (points is not None and len(points) != 32):
        return None
    exponent = int.from_bytes(gamma, "big") if gamma is not None else _SRGB_GAMMA
    found = struct.unpack(">8I", points) if points is not None else _SRGB_POINTS
    usual = all(abs(one - other) <= _NEAR for one, other in zip(found, _SRGB_POINTS, strict=True))
    if usual and abs(exponent - _SRGB_GAMMA) <= _GAMMA_NEAR:
        return b""
    try:
        primaries = _SRGB_PRIMARIES if usual else _adapted(*(value / 100_000 for value in found))
        return _profile(primaries, _LIKE_SRGB if gamma is None else _gamma(100_000 / exponent))
    except (ArithmeticError, ValueError, struct.error):
        return None


def _adapted(*points: float) -> Primaries:
    """The primaries in XYZ, adapted to D50. :raises ArithmeticError: they make no colours"""
    white, *colours = ((x / y, 1.0, (1 - x - y) / y) for x, y in zip(points[::2], points[1::2], strict=True))
    shares = _solved(colours, white)
    cones, wanted = (
        tuple(sum(a * b for a, b in zip(row, of, strict=True)) for row in _BRADFORD) for of in (white, _D50)
    )
    rows = list(zip(*_BRADFORD, strict=True))  # the inverse, column by column
    made = []
    for colour, share in zip(colours, shares, strict=True):
        seen = [sum(a * b * share for a, b in zip(row, colour, strict=True)) for row in _BRADFORD]
        made.append(_solved(rows, [one * new / old for one, new, old in zip(seen, wanted, cones, strict=True)]))
    return tuple(made)


def _solved(columns: Sequence[Sequence[float]], wanted: Sequence[float]) -> tuple[float, float, float]:
    """Solve the 3x3 system by Cramer's rule. :raises ZeroDivisionError:"""
    whole = _determinant(columns)
    one, two, three = (_determinant([*columns[:at], wanted, *columns[at + 1 :]]) / whole for at in range(3))
    return one, two, three


def _determinant(columns: Sequence[Sequence[float]]) -> float:
    (a, b, c), (d, e, f), (g, h, i) = columns
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


def _gamma(exponent: float) -> bytes:
    return b"para" + bytes(4) + struct.pack(">HHi", 0, 0, round(exponent * 65536))


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
