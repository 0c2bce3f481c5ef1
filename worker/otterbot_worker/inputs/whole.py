"""Rebuilds the file that was sent with only its pixels and what they need. Pillow decodes nothing here.

Decoders refuse a whole picture because of other parts: a wrong checksum in a comment, a text or profile that unpacks to
more than a megabyte, two missing bytes at the end. So the container is rebuilt:

====  ==========================================================================================================
PNG   the chunks of the image itself, and its EXIF data, whatever their checksum; the colour profile is unpacked
      here; checksums of pixels count only where the pixels are not whole
JPEG  the same; where the end is missing, ``jpeg.mended``
WebP  the chunks that are all there, and a true length; zeros in the place of pixels, ``webp.filled``
GIF   as it is
====  ==========================================================================================================
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

from . import jpeg, named_colours, webp

PROFILE_MAX = 8 * 1024 * 1024
"""Bytes of an unpacked colour profile. Printers' profiles have up to 3 MiB."""
PIECE = 256 * 1024

_PNG = b"\x89PNG\r\n\x1a\n"
_NEEDED = frozenset({b"tRNS", b"sBIT"})
"""Ancillary chunks that the pixels need, besides the critical ones (capital first letter)."""
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Interlace passes: first column and row, distance of columns and rows."""
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_ICC_FLAG, _ALPHA_FLAG, _ANIMATION_FLAG = 0x20, 0x10, 0x02


class Whole(NamedTuple):
    data: bytes
    """For the decoder."""
    cut_off: bool
    """The file stops before its end, which explains missing pixels."""
    lacks: bool = False
    """Pixels of a JPEG or WebP are missing: a decoder would invent them silently."""
    profile: bytes | None = None
    """A PNG's colour profile; in other formats the decoder finds it."""
    has_profile: bool = False
    """There is a profile, readable or not."""
    animated: bool = False
    """Animated. A PNG's ``data`` is only the still image; a WebP may lack all but its first frame."""


def whole(data: bytes, most: int) -> Whole:
    """``most``: pixels. Larger pictures are not examined, since they are refused anyway."""
    if data.startswith(_PNG):
        return _png(data)
    if data.startswith(b"\xff\xd8"):
        bare = jpeg.bare(data)
        mended = jpeg.mended(bare.data, most)
        lacks = mended is None
        data = bare.data if mended is None else mended
        return Whole(data, cut_off=lacks, lacks=lacks, has_profile=bare.has_profile)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data, most)
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return Whole(data, cut_off=not data.rstrip(b"\0").endswith(b";"))
    return Whole(data, cut_off=False)


# ---------------------------------------------------------------- PNG


class _Chunk(NamedTuple):
    kind: bytes
    data: bytes
    sound: bool
    """Complete, with a correct checksum."""


def _png(data: bytes) -> Whole:
    chunks, ended = _chunks(data)
    first_pixels = next((at for at, one in enumerate(chunks) if one.kind == b"IDAT"), len(chunks))
    before = chunks[:first_pixels]
    pixels = [one for one in chunks if one.kind == b"IDAT"]
    cut_off = False
    if not ended or not all(one.sound for one in pixels):
        header = chunks[0].data if chunks and chunks[0].kind == b"IHDR" else b""
        all_of_them = _packed_anew(header, pixels)
        cut_off = not ended and all_of_them is None
        if all_of_them is not None:
            pixels = [_Chunk(b"IDAT", all_of_them, sound=True)]
    kept = [
        one for one in before if one.kind[:1].isupper() or one.kind == b"tRNS" or (one.kind in _NEEDED and one.sound)
    ]
    kept += [*_way_up(chunks), *pixels]
    profile = _profile(before)
    made = _PNG + b"".join(map(_written, kept)) + _written(_Chunk(b"IEND", b"", sound=True))
    return Whole(
        made if chunks else data,
        cut_off=cut_off,
        profile=profile or None,
        has_profile=profile != b"",
        animated=_moves(before),
    )


def _way_up(chunks: list[_Chunk]) -> list[_Chunk]:
    """The EXIF chunk. Kept with a wrong checksum too: it is the only source of the orientation, and its reader checks
    it."""
    found = sorted((one for one in chunks if one.kind == b"eXIf"), key=lambda one: not one.sound)
    return [_Chunk(b"eXIf", one.data, sound=True) for one in found[:1]]


def _chunks(data: bytes) -> tuple[list[_Chunk], bool]:
    """A PNG's chunks up to its end, and whether the end is there. The last chunk may be cut off."""
    found: list[_Chunk] = []
    at = len(_PNG)
    while at + 8 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind == b"IEND":
            return found, True
        body = data[at + 8 : at + 8 + length]
        checksum = data[at + 8 + length : at + 12 + length]
        found.append(_Chunk(kind, body, zlib.crc32(body, zlib.crc32(kind)) == int.from_bytes(checksum, "big")))
        at += 12 + length
    return found, False


def _written(chunk: _Chunk) -> bytes:
    checksum = zlib.crc32(chunk.data, zlib.crc32(chunk.kind))
    if not chunk.sound:
        checksum ^= 1  # so that the decoder reports it
    return len(chunk.data).to_bytes(4, "big") + chunk.kind + chunk.data + checksum.to_bytes(4, "big")


def _packed_anew(header: bytes, pixels: list[_Chunk]) -> bytes | None:
    """The pixel data compressed again, where as many bytes unpack as the header says; ``None`` where they are fewer or
    damaged."""
    wanted = _bytes_of_pixels(header)
    unpacker, packer, made, count = zlib.decompressobj(), zlib.compressobj(1), [], 0
    for chunk in pixels:
        rest = chunk.data
        while rest and not unpacker.eof and count < wanted:
            try:
                piece = unpacker.decompress(rest, PIECE)
            except zlib.error:
                return None
            made.append(packer.compress(piece))
            count += len(piece)
            rest = unpacker.unconsumed_tail
    return b"".join([*made, packer.flush()]) if 0 < wanted <= count else None


def _bytes_of_pixels(header: bytes) -> int:
    """Unpacked bytes of all rows, with a filter byte each; 0 for an unusable header."""
    if len(header) != 13 or header[9] not in _CHANNELS:
        return 0
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    bits = header[8] * _CHANNELS[header[9]]
    total = 0
    for left, top, across, down in _ADAM7 if header[12] else ((0, 0, 1, 1),):
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total


def _unpacked(data: bytes) -> bytes | None:
    """Unpacked data, checksum ignored: a profile contains its own length, and is tried before use."""
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(data, PROFILE_MAX)
    except zlib.error:
        return None
    return profile if unpacker.eof else None


def _profile(before: list[_Chunk]) -> bytes | None:
    """The colour profile: empty for sRGB or untagged pictures, ``None`` where the tags cannot be used."""
    found = {one.kind: one.data for one in reversed(before) if one.sound or one.kind == b"iCCP"}
    if b"cICP" in found:  # takes precedence over all others
        return named_colours.of_cicp(found[b"cICP"])
    if b"iCCP" in found:
        return _unpacked(found[b"iCCP"].partition(b"\0")[2][1:])
    if b"sRGB" in found:
        return b""
    return named_colours.of_png(found.get(b"gAMA"), found.get(b"cHRM"))


def _moves(before: list[_Chunk]) -> bool:
    """Whether the PNG is animated (its still image need not be a frame)."""
    control = next((one.data for one in before if one.kind == b"acTL"), b"")
    hidden = not any(one.kind == b"fcTL" for one in before)
    return int.from_bytes(control[:4], "big") + hidden > 1


# ---------------------------------------------------------------- WebP


def _webp(data: bytes, most: int) -> Whole:
    kept: list[tuple[bytes, bytes]] = []
    at, cut_off, kind = 12, False, b""
    while at + 8 <= len(data):
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + length]
        if len(body) < length:
            cut_off = kind in (b"VP8 ", b"VP8L", b"ALPH", b"ANMF")
            break
        kept.append((kind, body))
        at += 8 + length + length % 2
    shown = {kind for kind, _ in kept}
    frames = sum(kind == b"ANMF" for kind, _ in kept) + (cut_off and kind == b"ANMF")
    cut_off = (cut_off and b"ANMF" not in shown) or not shown & {b"VP8 ", b"VP8L", b"ANMF"}
    needed = [(kind, body) for kind, body in kept if kind not in (b"XMP ",)]
    if needed and needed[0][0] == b"VP8X" and needed[0][1]:
        # The flags announce chunks; announcing a missing one makes the file unreadable.
        flags = needed[0][1][0] & (_ALPHA_FLAG | _ANIMATION_FLAG)
        flags |= _ICC_FLAG if b"ICCP" in shown else 0
        flags |= 0x08 if b"EXIF" in shown else 0
        needed[0] = (b"VP8X", bytes([flags]) + needed[0][1][1:])
    body = b"".join(k + len(b).to_bytes(4, "little") + b + b"\0" * (len(b) % 2) for k, b in needed)
    made = b"RIFF" + (4 + len(body)).to_bytes(4, "little") + b"WEBP" + body
    lacks = any(webp.filled(kind, body, most) for kind, body in kept if kind in (b"VP8 ", b"VP8L"))
    cut_off = cut_off or lacks
    return Whole(made, cut_off=cut_off, lacks=lacks, has_profile=b"ICCP" in shown, animated=frames > 1)
