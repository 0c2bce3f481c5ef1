"""The texts that a picture file carries, found without decoding a pixel.

========  ===============================================================
PNG       ``tEXt``, ``zTXt``, ``iTXt``, before and behind the pixels; ``eXIf``
JPEG      EXIF, in the first ``APP1`` that has some; comments
WebP      EXIF
========  ===============================================================

From EXIF, ``UserComment`` is read, which holds what PNGs have in ``parameters``, even where it stands in the wrong
directory. ComfyUI and SwarmUI put ``prompt:{…}`` or ``{…}`` into the description, the maker's name or the camera's
name. Draw Things puts ``UserComment`` into the XMP of its PNGs. A file is input like any other: what is read of it is
bounded in bytes, in parts and, where it is compressed, in what comes out.
"""

from __future__ import annotations

import codecs
import html
import stat
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal

PARAMETERS = "parameters"
"""The keyword of A1111's text, in PNGs; EXIF's ``UserComment`` goes by it as well."""

COMMENT, DESCRIPTION = "Comment", "Description"
"""PNG's keywords for what people write; a JPEG's comment and EXIF's description go by them as well."""

MAX_TEXT = 1024 * 1024
"""Bytes of one text, before and after it is unpacked."""
_MAX_PARTS = 50_000
"""Chunks of one file. A PNG may have its pixels in pieces of 8 KiB; a long WebP animation has a thousand chunks."""
_MAX_TEXTS = 64
"""Texts in one PNG, each up to ``MAX_TEXT``."""

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_EXIF_IFD, _USER_COMMENT = 0x8769, 0x9286
_DESCRIPTION = 0x010E
_NAMES = (_DESCRIPTION, 0x010F, 0x0110)
"""EXIF tags: description, maker, camera model."""
_XMP = "XML:com.adobe.xmp"


class BadPicture(ValueError):
    """A file that cannot be read as a picture. The message ends a sentence that begins with the file's name; it never
    holds what stands in the file."""


class NoSettings(BadPicture):
    """A picture or sidecar without settings, or with none that can be read."""


def texts(path: Path) -> dict[str, str | None]:
    """Keyword → text of the first such text in the file that is whole; ``None`` for one that is damaged or too large.

    :raises BadPicture: it is no file, or none of the three kinds
    :raises OSError: it cannot be opened or read
    """
    # Check first: opening a pipe would wait for its writer, and a device may never end.
    if not stat.S_ISREG(path.stat().st_mode):
        raise BadPicture("is not a file")
    with path.open("rb") as file:
        return texts_in(file)


def texts_in(file: BinaryIO) -> dict[str, str | None]:
    """The same of a file that is open at its beginning. :raises BadPicture: :raises OSError:"""
    head = file.read(12)
    if head.startswith(_PNG):
        file.seek(len(_PNG))
        found = _of_png(file)
    elif head.startswith(_JPEG):
        file.seek(2)
        found = _of_jpeg(file)
    elif head.startswith(b"RIFF") and head.endswith(b"WEBP"):
        found = _of_exif(_webp_exif(file))
    else:
        raise BadPicture("is not a PNG, JPEG or WebP picture")
    first: dict[str, str | None] = {}
    for keyword, text in islice(found, _MAX_TEXTS):
        if first.get(keyword) is None:
            first[keyword] = text
    return first


# ---------------------------------------------------------------- PNG


def _of_png(file: BinaryIO) -> Iterator[tuple[str, str | None]]:
    for _ in range(_MAX_PARTS):
        head = file.read(8)
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if len(head) < 8 or kind == b"IEND":
            return
        if kind not in (b"tEXt", b"zTXt", b"iTXt", b"eXIf"):
            file.seek(length + 4, 1)
            continue
        data = file.read(min(length, MAX_TEXT))
        file.seek(length - len(data), 1)
        whole = file.read(4) == zlib.crc32(kind + data).to_bytes(4, "big")
        if kind != b"eXIf":
            name, _, rest = data.partition(b"\x00")
            keyword, text = name[:79].decode("latin-1"), _png_text(kind, rest) if whole else None
            yield keyword, text
            if keyword == _XMP and text and (comment := _xmp_comment(text)):
                yield PARAMETERS, comment
        elif whole:
            yield from _of_exif(data)


def _png_text(kind: bytes, data: bytes) -> str | None:
    """The text after the keyword."""
    if kind == b"tEXt":
        return data.decode("latin-1")
    if kind == b"zTXt":
        unpacked = _unpack(data[1:])
        return None if unpacked is None else unpacked.decode("latin-1")
    # Two bytes that say whether and how it is packed, the language, the keyword in that language.
    packed, rest = data[:1] == b"\x01", data[2:].split(b"\x00", 2)
    body = _unpack(rest[-1]) if packed else rest[-1]
    return None if body is None or len(rest) < 3 else body.decode("utf-8", "replace")


def _xmp_comment(xmp: str) -> str | None:
    """The text of ``exif:UserComment`` in XMP, in the first language."""
    _, _, rest = xmp.partition("<exif:UserComment>")
    inside, end, _ = rest.partition("</exif:UserComment>")
    _, _, item = inside.partition("<rdf:li")
    return html.unescape(item.partition(">")[2].partition("</rdf:li>")[0]) if end else None


def _unpack(data: bytes) -> bytes | None:
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(data, MAX_TEXT)
    except zlib.error:
        return None
    return unpacked if unpacker.eof else None


# ---------------------------------------------------------------- JPEG, EXIF


def _of_jpeg(file: BinaryIO) -> Iterator[tuple[str, str | None]]:
    seen = False
    for _ in range(_MAX_PARTS):
        head = file.read(4)
        length = int.from_bytes(head[2:], "big") - 2
        # 0xDA: the pixels begin. A segment is 64 KiB at most.
        if len(head) < 4 or head[0] != 0xFF or head[1] == 0xDA or length < 0:
            return
        if head[1] not in (0xE1, 0xFE):
            file.seek(length, 1)
            continue
        data = file.read(length)
        if head[1] == 0xFE:
            yield COMMENT, data.decode("utf-8", "replace").strip("\x00")
        elif not seen and data.startswith(b"Exif\x00\x00"):
            seen = True
            yield from _of_exif(data[6:])


def _webp_exif(file: BinaryIO) -> bytes | None:
    for _ in range(_MAX_PARTS):
        head = file.read(8)
        if len(head) < 8:
            return None
        length = int.from_bytes(head[4:], "little")
        if head[:4] == b"EXIF":
            return file.read(min(length, MAX_TEXT)).removeprefix(b"Exif\x00\x00")
        file.seek(length + length % 2, 1)
    return None


def _of_exif(tiff: bytes | None) -> Iterator[tuple[str, str | None]]:
    """ComfyUI's texts begin with the keyword of its PNG chunks; SwarmUI's are the same as in its PNGs."""
    for tag, value in _entries(tiff) if tiff else ():
        if tag == _USER_COMMENT:
            if comment := _decoded(value):
                yield PARAMETERS, comment
        else:
            text = value.decode("utf-8", "replace").strip("\x00")
            keyword, _, rest = text.partition(":")
            if keyword.lower() in ("prompt", "workflow"):
                yield keyword.lower(), rest
            elif text.startswith("{"):
                yield PARAMETERS, text
            elif tag == _DESCRIPTION:
                yield DESCRIPTION, text


def _entries(tiff: bytes) -> Iterator[tuple[int, bytes]]:
    """The tags that are read, with their values."""
    order: Literal["little", "big"]
    if tiff.startswith(b"II*\x00"):
        order = "little"
    elif tiff.startswith(b"MM\x00*"):
        order = "big"
    else:
        return

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], order)

    def entry(directory: int, tag: int) -> int | None:
        first = directory + 2
        places = range(first, min(first + 12 * number(directory, 2), len(tiff) - 11), 12)
        return next((at for at in places if number(at, 2) == tag), None)

    def value(at: int) -> bytes:
        length = number(at + 4, 4)
        start = at + 8 if length <= 4 else number(at + 8, 4)
        return tiff[start : start + length]

    main = number(4, 4)
    pointer = entry(main, _EXIF_IFD)
    for directory in (None if pointer is None else number(pointer + 8, 4), main):
        if directory is not None and (at := entry(directory, _USER_COMMENT)) is not None:
            yield _USER_COMMENT, value(at)
    for tag in _NAMES:
        if (at := entry(main, tag)) is not None:
            yield tag, value(at)


def _decoded(comment: bytes) -> str:
    """A ``UserComment`` as text. Its first eight bytes name the encoding, but not the byte order of UTF-16."""
    code, text = comment[:8].upper(), comment[8:]
    if code != b"UNICODE\x00":
        text = text if code in (b"ASCII\x00\x00\x00", b"JIS\x00\x00\x00\x00\x00", bytes(8)) else comment
        return text.decode("utf-8-sig", "replace").strip("\x00")
    if 0 not in text.rstrip(b"\x00"):
        # No zero bytes, so no UTF-16: there the ASCII line of settings has a zero in every letter.
        return text.decode("utf-8-sig", "replace").strip("\x00")
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return text.decode("utf-16", "replace").strip("\x00")
    # Guess the byte order by the zeros of ASCII letters: A1111 writes big-endian, other tools the EXIF block's order.
    big = text[0::2].count(0) >= text[1::2].count(0)
    return text.decode("utf-16-be" if big else "utf-16-le", "replace").strip("\x00")
