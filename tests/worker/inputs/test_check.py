"""What people send is decoded in a process of its own, whatever it is, and only four kinds of pictures come out."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from make_pictures import (
    animation,
    bomb,
    commented,
    crumbled,
    encoded,
    gradient,
    hole,
    png,
    scanned,
    sixteen_bits,
    text_bomb,
    turned,
    turned_by,
)  # fmt: skip
from PIL import Image

from otterbot_worker.inputs import check
from otterbot_worker.inputs.files import CHECK_SECONDS, BadInput, InputFiles

PIXELS = 1_000_000
GOOD: dict[str, tuple[bytes, tuple[int, int], tuple[int, int, int]]] = {
    "png": (png(), (64, 48), (0, 0, 80)),
    "jpeg": (encoded(gradient(), "JPEG", quality=95), (64, 48), (0, 0, 80)),
    "webp": (encoded(gradient(), "WEBP", lossless=True), (64, 48), (0, 0, 80)),
    "an animated gif": (animation("GIF"), (40, 30), (255, 0, 0)),
    "an animated webp": (animation("WEBP"), (40, 30), (255, 0, 0)),
    "an animated png": (animation("PNG"), (40, 30), (255, 0, 0)),
    "cmyk": (encoded(Image.new("CMYK", (32, 32), (0, 255, 255, 0)), "JPEG"), (32, 32), (255, 0, 0)),
    "a palette": (encoded(Image.new("RGB", (32, 32), "lime").quantize(4), "PNG"), (32, 32), (0, 255, 0)),
    "a palette with a hole": (
        encoded(Image.new("RGB", (32, 32), "lime").quantize(4), "PNG", transparency=0), (32, 32), (255, 255, 255)
    ),
    "nothing but a hole": (encoded(Image.new("RGBA", (32, 32), (9, 9, 9, 0)), "PNG"), (32, 32), (255, 255, 255)),
    "half a hole": (encoded(Image.new("LA", (32, 32), (0, 128)), "PNG"), (32, 32), (127, 127, 127)),
    "grey": (encoded(Image.new("L", (32, 32), 90), "PNG"), (32, 32), (90, 90, 90)),
    "black and white": (encoded(Image.new("1", (32, 32), 1), "PNG"), (32, 32), (255, 255, 255)),
    "sixteen bits": (sixteen_bits(), (32, 32), (128, 128, 128)),
    "on its side": (turned(), (48, 64), (0, 255, 80)),
    "a jpeg with two images": (
        encoded(gradient(), "MPO", save_all=True, append_images=[gradient()]), (64, 48), (0, 0, 80)
    ),
    "as many scans as there may be": (scanned(100), (64, 48), (0, 0, 80)),
    "a bomb in the text": (text_bomb(), (64, 48), (0, 0, 80)),
    "an animated gif without its end": (animation("GIF")[:-12], (40, 30), (255, 0, 0)),
}  # fmt: skip
BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", check.UNREADABLE),
    "text": (b"I am an otter.png", check.UNREADABLE),
    "a truncated png": (png()[:-60], check.CUT_OFF),
    "a truncated jpeg": (encoded(gradient(), "JPEG")[:400], check.CUT_OFF),
    "a damaged png": (png()[:60] + b"\xff" * 20 + png()[80:], check.UNREADABLE),
    "a bmp": (encoded(gradient(), "BMP"), check.UNREADABLE),
    "a tiff": (encoded(gradient(), "TIFF"), check.UNREADABLE),
    "an icon": (encoded(gradient(), "ICO"), check.UNREADABLE),
    "a postscript file": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\nshowpage\n", check.UNREADABLE),
    "an svg": (b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"/>', check.UNREADABLE),
    "one pixel": (encoded(Image.new("RGB", (1, 1)), "PNG"), check.TOO_SMALL),
    "a line": (encoded(Image.new("RGB", (400, 2)), "PNG"), check.TOO_SMALL),
    "thirty thousand": (bomb(30_000, 20), check.TOO_LARGE),
    "a bomb": (bomb(16_000, 16_000), check.TOO_LARGE),
    "a bomb beyond all numbers": (bomb(2**31 - 1, 2**31 - 1), check.TOO_LARGE),
    "a little too large": (png(1001, 1000), check.TOO_LARGE),
    "too many scans": (scanned(101), check.TOO_COMPLEX),
    "too many parts": (crumbled(), check.TOO_COMPLEX),
    "too many comments": (commented(), check.TOO_COMPLEX),
}


@pytest.mark.parametrize("case", GOOD)
def test_it_becomes_a_plain_picture(tmp_path: Path, case: str) -> None:
    data, size, corner = GOOD[case]
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(data)
    with warnings.catch_warnings():
        made = check.convert(str(source), str(target), PIXELS)
    assert made[:2] == size
    assert made.animated == case.startswith("an animated")
    with Image.open(target) as kept:
        assert (kept.format, kept.mode, kept.size, dict(kept.info)) == ("PNG", "RGB", size, {})
        found = kept.getpixel((0, 0))
    assert isinstance(found, tuple)
    assert all(abs(a - b) <= 16 for a, b in zip(found, corner, strict=True)), found


@pytest.mark.parametrize("case", BAD)
def test_it_is_refused(tmp_path: Path, case: str) -> None:
    data, code = BAD[case]
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(data)
    with pytest.raises(check.Refused) as refused, warnings.catch_warnings():
        check.convert(str(source), str(target), PIXELS)
    assert refused.value.code == code
    assert not target.exists()


WHOLE = {name: GOOD[name][0] for name in ("png", "jpeg", "webp", "an animated gif", "an animated png", "on its side")}


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from([*WHOLE]), st.data())
def test_damage_of_any_kind_is_refused_or_harmless(tmp_path: Path, name: str, data: st.DataObject) -> None:
    damaged = bytearray(WHOLE[name])
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(damaged[: data.draw(st.integers(0, len(damaged)))] if data.draw(st.booleans()) else damaged)
    target.unlink(missing_ok=True)
    with warnings.catch_warnings(), contextlib.suppress(check.Refused):
        warnings.simplefilter("ignore")
        width, height, *_ = check.convert(str(source), str(target), PIXELS)
        assert width * height <= PIXELS
    if target.exists():
        with Image.open(target) as made:
            assert (made.format, made.mode) == ("PNG", "RGB")


def test_a_large_one_is_kept_smaller(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(png(2100, 2500))
    with warnings.catch_warnings():
        assert check.convert(str(source), str(target), 10_000_000) == (2100, 2500, False, False, "")
    with Image.open(target) as made:
        assert made.size == (2048, 2438)


HOLES: dict[str, tuple[bytes, tuple[int, int] | None, tuple[int, int]]] = {
    # Picture, least and greatest brightness of the mask, its size.
    "a hole": (hole(), (0, 255), (64, 48)),
    "a webp": (hole("WEBP", lossless=True), (0, 255), (64, 48)),
    "on its side": (hole(exif=turned_by(6)), (0, 255), (48, 64)),
    "nothing but a hole": (encoded(Image.new("RGBA", (32, 32), (9, 9, 9, 0)), "PNG"), (255, 255), (32, 32)),
    "half a hole": (encoded(Image.new("LA", (32, 32), (0, 127)), "PNG"), (128, 128), (32, 32)),
    "less than half": (encoded(Image.new("LA", (32, 32), (0, 128)), "PNG"), None, (32, 32)),
    "a palette": (encoded(Image.new("RGB", (32, 32)).quantize(4), "PNG", transparency=0), (255, 255), (32, 32)),
    "opaque": (encoded(Image.new("RGBA", (32, 32), "red"), "PNG"), None, (32, 32)),
    "a jpeg": (encoded(gradient(), "JPEG"), None, (64, 48)),
    "a large one": (hole(size=(2100, 2200)), (0, 255), (2048, 2146)),
}


@pytest.mark.parametrize("case", HOLES)
def test_holes_are_kept_beside_it(tmp_path: Path, case: str) -> None:
    data, brightness, size = HOLES[case]
    source, target = tmp_path / "source", tmp_path / "target.png"
    source.write_bytes(data)
    with warnings.catch_warnings():
        made = check.convert(str(source), str(target), 10 * PIXELS)
    assert made.alpha == (brightness is not None)
    assert sorted(os.listdir(tmp_path)) == ["source", *(["target.mask.png"] if made.alpha else []), "target.png"]
    if made.alpha:
        with Image.open(check.mask_path(str(target))) as mask, Image.open(target) as picture:
            assert (mask.format, mask.mode, mask.size, dict(mask.info)) == ("PNG", "L", size, {})
            assert mask.getextrema() == brightness
            assert picture.size == size
            if brightness == (0, 255):
                left_top = picture.getpixel((0, 0)), mask.getpixel((0, 0))
                assert left_top == ((255, 255, 255), 255), "where the hole is, the picture lies on white"


async def test_holes_go_with_their_picture(tmp_path: Path) -> None:
    files = InputFiles(tmp_path / "inputs", max_pixels=PIXELS)
    made = await files.add("otterbot", hole())
    path, mask = files.path("otterbot", made.id), files.mask_path("otterbot", made.id)
    assert made.alpha
    assert made.size == path.stat().st_size + mask.stat().st_size
    assert stat.S_IMODE(mask.stat().st_mode) == 0o600
    assert sorted(os.listdir(path.parent)) == sorted([path.name, mask.name])
    assert files.sweep({("otterbot", made.id)}) == 0
    assert files.has("otterbot", made.id, alpha=True)
    mask.unlink()
    assert not files.has("otterbot", made.id, alpha=True), "half of it is not enough"
    await files.add("otterbot", hole())
    files.delete("otterbot", made.id)
    assert os.listdir(path.parent) == []
    await files.add("otterbot", hole())
    assert files.sweep(set()) == 2


async def test_files_are_named_by_what_was_sent(tmp_path: Path) -> None:
    files = InputFiles(tmp_path / "inputs", max_pixels=PIXELS)
    data = turned()
    made = await files.add("otterbot", data)
    assert (made.id, made.width, made.height) == (hashlib.sha256(data).hexdigest(), 48, 64)
    path = files.path("otterbot", made.id)
    assert made.size == path.stat().st_size
    assert [stat.S_IMODE(place.stat().st_mode) for place in (path, path.parent)] == [0o600, 0o700]
    before = path.read_bytes()
    assert await files.add("otterbot", data) == made
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name], "nothing is left of what was sent"
    assert files.sweep({("otterbot", made.id)}) == 0
    (path.parent / "lost+found").mkdir()
    assert files.sweep(set()) == 1, "a folder is none of ours, and keeps no worker from starting"
    for name in ("../x", made.id + "/", made.id.upper(), ""):
        with pytest.raises(ValueError):
            files.path("otterbot", name)


@pytest.mark.parametrize("case", ["text", "a bomb", "one pixel"])
async def test_a_bad_one_leaves_nothing(tmp_path: Path, case: str) -> None:
    files = InputFiles(tmp_path / "inputs", max_pixels=PIXELS)
    data, code = BAD[case]
    with pytest.raises(BadInput) as bad:
        await files.add("otterbot", data)
    assert bad.value.code == code
    assert str(bad.value).endswith(".")
    assert os.listdir(tmp_path / "inputs" / "otterbot") == []


async def test_a_decoder_that_dies_or_hangs_hurts_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = InputFiles(tmp_path / "inputs", max_pixels=PIXELS)
    ends = {
        "kill -SEGV $$": check.UNREADABLE,
        "echo rubbish": check.UNREADABLE,
        "exec sleep 60": check.TOO_COMPLEX,
        "kill -XCPU $$": check.TOO_COMPLEX,
    }
    for number, (program, code) in enumerate(ends.items()):
        double = tmp_path / f"python-{number}"
        double.write_text(f"#!/bin/sh\n{program}\n")
        double.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(double))
        monkeypatch.setattr("otterbot_worker.inputs.files.CHECK_SECONDS", 0.5)
        with pytest.raises(BadInput) as bad:
            await files.add("otterbot", png())
        assert bad.value.code == code
    assert os.listdir(tmp_path / "inputs" / "otterbot") == []
    assert CHECK_SECONDS > check.CPU_SECONDS
