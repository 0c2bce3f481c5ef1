"""Pictures whose pixels are whole are read, whatever lies around them; those with less are refused for that reason."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from make_pictures import animation, chunk, encoded, gradient, hole, jpeg_bomb, png, profile_bomb, turned, turned_by
from PIL import Image, ImageCms

from otterbot_worker.inputs import check

PIXELS = 1_000_000
PHOTO = Image.effect_noise((400, 300), 60).convert("RGB")


def behind_header(*chunks: bytes) -> bytes:
    whole = png()
    return whole[:33] + b"".join(chunks) + whole[33:]


def with_chunk(kind: bytes, data: bytes, *, checksum: bool = True) -> bytes:
    made = chunk(kind, data)
    return made if checksum else made[:-4] + b"\0\0\0\0"


def without_end(data: bytes) -> bytes:
    assert data.endswith(b"\xff\xd9")
    return data[:-2]


def pixels_checksum_wrong() -> bytes:
    data = png()
    at = data.index(b"IDAT")
    length = int.from_bytes(data[at - 4 : at], "big")
    end = at + 4 + length
    return data[:end] + b"\0\0\0\0" + data[end + 4 :]


def large_profile(mebibytes: int) -> bytes:
    """sRGB, and so much behind it that nobody needs."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile += os.urandom(1000) + bytes(mebibytes * 2**20)
    profile[:4] = struct.pack(">I", len(profile))
    return bytes(profile)


def riff(data: bytes, *more: bytes) -> bytes:
    """A WebP with more chunks."""
    body = data[8:] + b"".join(more)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def simple_webp(pixels: bytes, kind: bytes = b"VP8 ") -> bytes:
    body = b"WEBP" + kind + struct.pack("<I", len(pixels)) + pixels + bytes(len(pixels) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


LONG = zlib.compress(bytes(3 * 2**20))
JPEG, WEBP = encoded(PHOTO, "JPEG", quality=90), encoded(PHOTO, "WEBP")
EXIF = turned_by(6).tobytes()
EXTENDED = encoded(PHOTO, "WEBP", exif=turned_by(1), xmp=b"x" * 400)
VP8 = WEBP[20 : 20 + int.from_bytes(WEBP[16:20], "little")]
assert WEBP[12:16] == b"VP8 "
LOSSLESS = encoded(PHOTO, "WEBP", lossless=True)
WHOLE: dict[str, tuple[bytes, bytes]] = {
    # The file, and the same without the fault.
    "a text above a mebibyte": (behind_header(chunk(b"iTXt", b"workflow\0\1\0\0\0" + LONG)), png()),
    "an older text above a mebibyte": (behind_header(chunk(b"zTXt", b"Comment\0\0" + LONG)), png()),
    "a text that is no zlib": (behind_header(chunk(b"zTXt", b"Comment\0\0nothing")), png()),
    "a text with a wrong checksum": (behind_header(with_chunk(b"tEXt", b"Comment\0hi", checksum=False)), png()),
    "time with a wrong checksum": (behind_header(with_chunk(b"tIME", b"\x07\xe8" + bytes(5), checksum=False)), png()),
    "a chunk of no use": (behind_header(chunk(b"pHYs", b"x")), png()),
    "a profile with a wrong checksum": (
        behind_header(with_chunk(b"iCCP", b"x\0\0" + zlib.compress(large_profile(0)), checksum=False)), png()),
    "a profile of two mebibytes": (behind_header(chunk(b"iCCP", b"x\0\0" + zlib.compress(large_profile(2)))), png()),
    "pixels with a wrong checksum": (pixels_checksum_wrong(), png()),
    "a png without its end": (png()[:-12], png()),
    "a png that lacks its last checksum": (png()[:-20], png()),
    "an interlaced png": (encoded(gradient(), "PNG", interlace=1)[:-12], png()),
    "a moving png without its end": (animation("PNG")[:-20], encoded(Image.new("RGB", (40, 30), "red"), "PNG")),
    "a text behind the pixels, cut off": (png()[:-12] + b"\0\0\1\0tEXtpara", png()),
    "a jpeg without its end": (without_end(JPEG), JPEG),
    "a jpeg with half of its end": (JPEG[:-1], JPEG),
    "a jpeg with zeros in the place of its end": (JPEG[:-2] + bytes(500), JPEG),
    "a grey one": (without_end(encoded(PHOTO.convert("L"), "JPEG")), encoded(PHOTO.convert("L"), "JPEG")),
    "a progressive one": (
        without_end(encoded(PHOTO, "JPEG", progressive=True)), encoded(PHOTO, "JPEG", progressive=True)),
    "one with restarts": (
        without_end(encoded(PHOTO, "JPEG", restart_marker_blocks=3)), encoded(PHOTO, "JPEG", restart_marker_blocks=3)),
    "a jpeg in cyan, magenta, yellow": (
        without_end(encoded(PHOTO.convert("CMYK"), "JPEG")), encoded(PHOTO.convert("CMYK"), "JPEG")),
    "on its side": (without_end(turned()), turned()),
    "a jpeg whose index of images is broken": (JPEG[:2] + jpeg_segment(0xE2, b"MPF\0nonsense") + JPEG[2:], JPEG),
    "a jpeg whose photoshop block is broken": (
        JPEG[:2] + jpeg_segment(0xED, b"Photoshop 3.0\x008BIM\xff") + JPEG[2:], JPEG),
    "a jpeg of which a stream was cut out": (JPEG + b"junk behind its end", JPEG),
    "a webp whose metadata are cut off": (EXTENDED[:-100], WEBP),
    "a moving webp whose second image is cut off": (
        animation("WEBP")[:-20], animation("WEBP")),
    "a webp that says it is longer": (b"RIFF\xff\xff\0\0" + WEBP[8:], WEBP),
    "a webp that says it is shorter": (b"RIFF\x20\0\0\0" + WEBP[8:], WEBP),
    "a webp with zeros behind its pixels": (simple_webp(VP8 + bytes(300)), WEBP),
    "a jpeg with zeros behind its pixels": (JPEG[:-2] + bytes(300) + JPEG[-2:], JPEG),
    "exif with a wrong checksum": (
        behind_header(with_chunk(b"eXIf", EXIF[6:], checksum=False)), behind_header(chunk(b"eXIf", EXIF[6:]))),
    "exif with a wrong checksum behind the pixels": (
        png()[:-12] + with_chunk(b"eXIf", EXIF[6:], checksum=False) + png()[-12:],
        behind_header(chunk(b"eXIf", EXIF[6:]))),
    "exif of which one has a wrong checksum": (
        behind_header(with_chunk(b"eXIf", turned_by(3).tobytes()[6:], checksum=False), chunk(b"eXIf", EXIF[6:])),
        behind_header(chunk(b"eXIf", EXIF[6:]))),
    "a gif without its end": (encoded(gradient().quantize(16), "GIF")[:-1], encoded(gradient().quantize(16), "GIF")),
}  # fmt: skip
PROGRESSIVE = encoded(PHOTO, "JPEG", progressive=True)
LESS: dict[str, bytes] = {
    "half of a jpeg": JPEG[: len(JPEG) // 2],
    "nine tenths of a jpeg": JPEG[: len(JPEG) * 9 // 10],
    "a jpeg without its last bytes": JPEG[:-20],
    "a progressive one without its last scan": (
        lambda data: data[: data.rindex(b"\xff\xda")])(encoded(PHOTO, "JPEG", progressive=True)),
    "a progressive one without half of its last scan": (
        lambda data: data[: (data.rindex(b"\xff\xda") + len(data)) // 2])(encoded(PHOTO, "JPEG", progressive=True)),
    "half of a jpeg with an end put to it": JPEG[: len(JPEG) // 2] + b"\xff\xd9",
    "half of a jpeg, and zeros in the place of the rest": JPEG[: len(JPEG) // 2].ljust(len(JPEG), b"\0"),
    "half of a grey jpeg with an end": (lambda data: data[: len(data) // 2] + b"\xff\xd9")(
        encoded(PHOTO.convert("L"), "JPEG")),
    "half of a progressive jpeg with an end": PROGRESSIVE[: len(PROGRESSIVE) // 2] + b"\xff\xd9",
    "a progressive jpeg without its last scan, with an end": (
        PROGRESSIVE[: PROGRESSIVE.rindex(b"\xff\xda")] + b"\xff\xd9"),
    "a progressive jpeg without its last bytes, with an end": PROGRESSIVE[:-500] + b"\xff\xd9",
    "the header of a jpeg": JPEG[:300],
    "half of a png": encoded(PHOTO, "PNG")[:40_000],
    "the header of a png": png()[:33],
    "half of an interlaced png": encoded(PHOTO, "PNG", interlace=1)[:40_000],
    "half of a webp": WEBP[: len(WEBP) // 2],
    "half of a webp with holes": (lambda data: data[: len(data) // 2])(hole("WEBP", lossless=True, size=(200, 300))),
    "half of a webp, and zeros in the place of the rest": WEBP[: len(WEBP) // 2].ljust(len(WEBP), b"\0"),
    "nine tenths of a webp, and zeros": WEBP[: len(WEBP) * 9 // 10].ljust(len(WEBP), b"\0"),
    "half of a lossless webp, and zeros": LOSSLESS[: len(LOSSLESS) // 2].ljust(len(LOSSLESS), b"\0"),
    "half of a webp with metadata, and zeros": EXTENDED[: len(EXTENDED) // 2].ljust(len(EXTENDED), b"\0"),
    "three quarters of a jpeg, zeros and its end": JPEG[: len(JPEG) * 3 // 4].ljust(len(JPEG) - 2, b"\0") + b"\xff\xd9",
    "half of a jpeg, zeros and its end": JPEG[: len(JPEG) // 2].ljust(len(JPEG) - 2, b"\0") + b"\xff\xd9",
    "half of a gif": (lambda data: data[: len(data) // 2])(encoded(PHOTO.quantize(64), "GIF")),
}  # fmt: skip


def converted(tmp_path: Path, data: bytes) -> tuple[check.Converted, bytes]:
    source, target = tmp_path / "source", tmp_path / "target.png"
    source.write_bytes(data)
    made = check.convert(str(source), str(target), PIXELS)
    with Image.open(target) as picture:
        return made, picture.tobytes()


@pytest.mark.parametrize("side", [64, 650, 900])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        *(("JPEG", options) for options in ({}, {"optimize": True}, {"progressive": True}, {"quality": 1})),
        *(("WEBP", options) for options in ({}, {"quality": 1}, {"lossless": True}, {"method": 6})),
    ],
)
def test_black_pictures_are_whole(tmp_path: Path, side: int, kind: str, options: dict[str, Any]) -> None:
    """Their pixels are stored as long rows of zeros."""
    data = encoded(Image.new("RGB", (side, side)), kind, **options)
    _, pixels = converted(tmp_path, data)
    assert len(pixels) == side * side * 3
    assert max(pixels) <= 1
    assert (kind, options, side) != ("WEBP", {}, 900) or data.endswith(bytes(64))


@pytest.mark.parametrize("case", WHOLE)
def test_whole_pixels_are_read(tmp_path: Path, case: str) -> None:
    faulty, sound = WHOLE[case]
    assert faulty != sound
    made, pixels = converted(tmp_path, faulty)
    expected, same = converted(tmp_path, sound)
    assert pixels == same
    assert made[:2] == expected[:2]
    assert made.colours == ""
    assert made.animated == ("moving" in case)


@pytest.mark.parametrize("case", LESS)
def test_what_lacks_pixels_is_refused_for_that(tmp_path: Path, case: str) -> None:
    with pytest.raises(check.Refused) as refused:
        converted(tmp_path, LESS[case])
    assert refused.value.code == check.CUT_OFF


@pytest.mark.parametrize("short", range(3, 40))
def test_no_byte_of_a_jpegs_pixels_is_made_up(tmp_path: Path, short: int) -> None:
    """Cut anywhere near its end, it is read where the pixels come out the same, and refused else."""
    _, whole = converted(tmp_path, JPEG)
    with contextlib.suppress(check.Refused):
        assert converted(tmp_path, JPEG[:-short])[1] == whole


def test_damaged_pixels_stay_damaged(tmp_path: Path) -> None:
    """A wrong checksum of theirs counts where they are not whole."""
    data = bytearray(encoded(PHOTO, "PNG"))
    at = data.index(b"IDAT") + 3_000
    data[at : at + 40] = bytes(40)
    with pytest.raises(check.Refused) as refused:
        converted(tmp_path, bytes(data))
    assert refused.value.code == check.UNREADABLE


def test_damaged_holes_are_not_left_out(tmp_path: Path) -> None:
    """A palette's transparency says what is drawn anew: without it, nothing would be."""
    data = encoded(gradient().quantize(4), "PNG", transparency=0)
    end = data.index(b"tRNS") + 4 + int.from_bytes(data[data.index(b"tRNS") - 4 :][:4], "big")
    assert converted(tmp_path, data)[0].alpha
    with pytest.raises(check.Refused) as refused:
        converted(tmp_path, data[:end] + bytes(4) + data[end + 4 :])
    assert refused.value.code == check.UNREADABLE


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    made, pixels = converted(tmp_path, profile_bomb())
    assert pixels == converted(tmp_path, png())[1]
    assert made.colours == "unread", "a quarter of a gigabyte is no profile, and that is said"
    huge = jpeg_bomb()[:-2]
    with pytest.raises(check.Refused) as refused:
        converted(tmp_path, huge)
    assert refused.value.code == check.TOO_LARGE


def test_the_way_up_is_found_behind_the_pixels_too(tmp_path: Path) -> None:
    exif = EXIF.removeprefix(b"Exif\0\0")
    plain = png()
    made, _ = converted(tmp_path, plain[:-12] + chunk(b"eXIf", exif) + plain[-12:])
    assert made[:2] == (48, 64)


def test_nothing_of_the_file_is_kept(tmp_path: Path) -> None:
    converted(tmp_path, behind_header(chunk(b"tEXt", b"Comment\0canary5f1e"), chunk(b"eXIf", EXIF[6:])))
    assert b"canary5f1e" not in (tmp_path / "target.png").read_bytes()
    with Image.open(io.BytesIO((tmp_path / "target.png").read_bytes())) as kept:
        assert dict(kept.info) == {}
