"""Colour profiles are applied: what is kept is sRGB, and it is said where that changed anything."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from make_pictures import chunk, encoded, gradient, hole, printers_profile, profile
from PIL import Image, ImageCms

from otterbot_worker.inputs import check
from otterbot_worker.inputs.files import InputFiles
from otterbot_worker.queue.input_rows import Input
from otterbot_worker.requests.input_images import Sources, notes

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
P3 = profile(((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), gamma=2.2)
ADOBE = profile(((0.640, 0.330), (0.210, 0.710), (0.150, 0.060)), gamma=563 / 256)
PRO_PHOTO = profile(((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001)), gamma=1.8)
LINEAR = profile(((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)), gamma=1.0)
GREY_18 = profile(None, gamma=1.8)


def flat(mode: str, colour: Any) -> Image.Image:
    return Image.new(mode, (32, 32), colour)


def converted(tmp_path: Path, data: bytes) -> tuple[check.Converted, tuple[int, ...]]:
    source, target = tmp_path / "source", tmp_path / "target.png"
    source.write_bytes(data)
    made = check.convert(str(source), str(target), 1_000_000)
    with Image.open(target) as picture:
        assert picture.mode == "RGB"
        pixel = picture.getpixel((picture.width - 1, picture.height - 1))
    assert isinstance(pixel, tuple)
    return made, pixel


CONVERTED: dict[str, tuple[bytes, tuple[int, int, int]]] = {
    # By the formulas of the colour spaces, worked out apart from littleCMS.
    "Display P3": (encoded(flat("RGB", (200, 60, 40)), "PNG", icc_profile=P3), (219, 37, 13)),
    "Adobe RGB": (encoded(flat("RGB", (100, 160, 100)), "PNG", icc_profile=ADOBE), (53, 161, 96)),
    "no gamma": (encoded(flat("RGB", (55, 55, 55)), "PNG", icc_profile=LINEAR), (128, 128, 128)),
    "a jpeg": (encoded(flat("RGB", (200, 60, 40)), "JPEG", quality=100, icc_profile=P3), (219, 37, 13)),
    "a webp": (encoded(flat("RGB", (200, 60, 40)), "WEBP", lossless=True, icc_profile=P3), (219, 37, 13)),
    "a palette": (encoded(flat("RGB", (200, 60, 40)).quantize(4), "PNG", icc_profile=P3), (219, 37, 13)),
    "holes": (encoded(flat("RGBA", (200, 60, 40, 255)), "PNG", icc_profile=P3), (219, 37, 13)),
    "half a hole": (encoded(flat("RGBA", (200, 60, 40, 128)), "PNG", icc_profile=P3), (237, 146, 134)),
    "grey": (encoded(flat("L", 100), "PNG", icc_profile=GREY_18), (119, 119, 119)),
    "grey with holes": (encoded(flat("LA", (100, 255)), "PNG", icc_profile=GREY_18), (119, 119, 119)),
    "grey in a profile of colours": (encoded(flat("L", 55), "PNG", icc_profile=LINEAR), (128, 128, 128)),
    "a profile in parts": (encoded(flat("RGB", (200, 60, 40)), "JPEG", quality=100, icc_profile=P3 + bytes(90_000)),
                           (219, 37, 13)),
}  # fmt: skip


def with_cicp(*values: int) -> bytes:
    whole = encoded(flat("RGB", (200, 60, 40)), "PNG")
    return whole[:33] + chunk(b"cICP", bytes(values)) + whole[33:]


def by_camera(index: str, space: int = 0xFFFF) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 1
    exif.get_ifd(0x8769)[0xA001] = space
    exif.get_ifd(0x8769)[0xA005] = {1: index}
    return encoded(flat("RGB", (100, 160, 100)), "JPEG", quality=100, exif=exif)


def with_gamma(colour: tuple[int, int, int], gamma: int | None, *points: int, srgb: bool = False) -> bytes:
    whole = encoded(flat("RGB", colour), "PNG")
    more = b"" if gamma is None else chunk(b"gAMA", struct.pack(">I", gamma))
    more += chunk(b"cHRM", struct.pack(">8I", *points)) if points else b""
    return whole[:33] + more + (chunk(b"sRGB", b"\0") if srgb else b"") + whole[33:]


ADOBES = (31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000)
SRGBS = (31269, 32899, 63999, 33001, 30000, 60000, 15000, 5999)
CONVERTED |= {
    "a gamma of one": (with_gamma((55, 55, 55), 100_000), (128, 128, 128)),
    "a gamma of one, and sRGB's primaries": (with_gamma((55, 55, 55), 100_000, *SRGBS), (128, 128, 128)),
    "Adobe RGB by its primaries": (with_gamma((100, 160, 100), 45470, *ADOBES), (53, 161, 96)),
    # The curve of a real Display P3 is sRGB's.
    "P3 by name": (with_cicp(12, 13, 0, 1), (217, 42, 23)),
    "Adobe RGB by its camera": (by_camera("R03"), (53, 161, 96)),
    "Adobe RGB by a number of its camera's": (by_camera("R98", space=2), (53, 161, 96)),
}


@pytest.mark.parametrize(
    ("data", "colours"),
    [
        (with_cicp(1, 13, 0, 1), ""),
        (with_cicp(9, 16, 0, 1), "unread"),
        (with_cicp(12, 18, 0, 1), "unread"),
        (by_camera("R98"), ""),
        (by_camera("R03", space=1), ""),
        (with_gamma((200, 60, 40), 45455), ""),
        (with_gamma((200, 60, 40), 45455, *SRGBS), ""),
        (with_gamma((200, 60, 40), 100_000, *ADOBES, srgb=True), ""),
        (with_gamma((200, 60, 40), 0), "unread"),
        (with_gamma((200, 60, 40), 1, *(2**32 - 1,) * 8), "unread"),
        (with_gamma((200, 60, 40), 45455, *(0,) * 8), "unread"),
    ],
    ids=[
        "sRGB by name",
        "high dynamic range",
        "another curve",
        "another index",
        "sRGB by its camera",
        "sRGB's gamma",
        "sRGB's primaries",
        "sRGB before them",
        "no gamma",
        "no primaries",
        "no white",
    ],
)
def test_colours_that_are_only_named(tmp_path: Path, data: bytes, colours: str) -> None:
    assert converted(tmp_path, data)[0].colours == colours


@pytest.mark.parametrize("case", CONVERTED)
def test_colours_are_brought_to_srgb(tmp_path: Path, case: str) -> None:
    data, expected = CONVERTED[case]
    made, pixel = converted(tmp_path, data)
    assert all(abs(a - b) <= 2 for a, b in zip(pixel, expected, strict=True)), pixel
    assert made.colours == "converted"


def test_a_printers_profile(tmp_path: Path) -> None:
    """Cyan ink of that profile is no pure cyan of a screen; without one it is taken for that."""
    ink = flat("CMYK", (255, 0, 0, 0))
    made, plain = converted(tmp_path, encoded(ink, "JPEG", quality=100))
    assert (made.colours, plain) == ("", (0, 255, 255))
    made, pixel = converted(tmp_path, encoded(ink, "JPEG", quality=100, icc_profile=printers_profile()))
    assert made.colours == "converted"
    assert all(abs(a - b) <= 6 for a, b in zip(pixel, (0, 148, 209), strict=True)), pixel


@pytest.mark.parametrize(
    "data",
    [
        encoded(gradient(), "PNG", icc_profile=SRGB),
        encoded(gradient(), "PNG"),
        encoded(flat("L", 100), "PNG", icc_profile=SRGB),
        encoded(flat("RGB", "white"), "PNG", icc_profile=P3),
        hole(icc_profile=SRGB),
    ],
    ids=["sRGB", "none", "grey", "white", "holes"],
)
def test_nothing_is_said_where_nothing_changes(tmp_path: Path, data: bytes) -> None:
    made, _ = converted(tmp_path, data)
    assert made.colours == ""


def test_srgb_by_name_changes_no_pixel(tmp_path: Path) -> None:
    """Rounding would: what is outside a mask has to stay as it is, to the last bit."""
    converted(tmp_path, encoded(gradient(), "PNG", icc_profile=SRGB))
    with Image.open(tmp_path / "target.png") as kept:
        assert kept.tobytes() == gradient().tobytes()


@pytest.mark.parametrize(
    ("mode", "profile"),
    [
        ("RGB", b"nonsense"),
        ("RGB", P3[:200]),
        ("RGB", GREY_18),
        ("RGB", P3[:16] + b"Lab " + P3[20:]),
        ("CMYK", P3),
    ],
    ids=["nonsense", "half of one", "of grey", "of another space", "of a screen on ink"],
)
def test_a_profile_that_cannot_be_used_is_said(tmp_path: Path, mode: str, profile: bytes) -> None:
    picture = gradient().convert(mode)
    made, pixel = converted(tmp_path, encoded(picture, "JPEG", quality=100, icc_profile=profile))
    assert made.colours == "unread"
    assert all(abs(a - b) <= 6 for a, b in zip(pixel, (251, 249, 80), strict=True)), pixel


@pytest.mark.parametrize(("colours", "said"), [("converted", "brought to"), ("unread", "taken for"), ("", "")])
def test_it_is_said_once(colours: str, said: str) -> None:
    one = Input(
        client="c", id="0" * 64, width=64, height=64, size=1, private=False, used_at=0.0, alpha=True, colours=colours
    )
    found = notes(Sources(start=one, mask=one))
    assert [said in note for note in found] == ([True] if said else [])
    assert all(note.startswith("The picture to start from has a colour profile") for note in found)


async def test_the_process_says_it(tmp_path: Path) -> None:
    files = InputFiles(tmp_path / "inputs", max_pixels=1_000_000)
    assert (await files.add("otterbot", CONVERTED["Display P3"][0])).colours == "converted"
    assert (await files.add("otterbot", encoded(gradient(), "PNG"))).colours == ""


def test_it_is_one_line_of_json(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setattr(check, "limit_oneself", lambda: None)
    (tmp_path / "source").write_bytes(CONVERTED["a jpeg"][0])
    assert check.main([str(tmp_path / "source"), str(tmp_path / "target.png"), "1000000"]) == 0
    assert json.load(io.StringIO(capsys.readouterr().out))["colours"] == "converted"
