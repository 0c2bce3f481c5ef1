"""Contact sheets as pictures: what lies where, what can be read on them, and that they stay within their bounds."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from PIL import Image

from otterbot_worker.archive import Archive, ArchiveSettings, Contents, Field, Known, lettering, sheets
from otterbot_worker.archive.sheet_layout import MAX_PIXELS, MAX_SIDE, Bands, layout

CREATED = time.mktime((2024, 1, 21, 13, 20, 50, 0, 0, -1))
BLACK, WHITE = (0, 0, 0), (255, 255, 255)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    archive = Archive(tmp_path / "archive", ArchiveSettings())
    yield archive
    archive.close()


def painted(folder: Path, number: int, size: tuple[int, int], colour: tuple[int, int, int]) -> Path:
    path = folder / f"otter_2024012113{number:04}.png"
    Image.new("RGB", size, colour).save(path)
    return path


def fields(folder: Path, count: int, size: tuple[int, int]) -> list[Field]:
    """Each of another colour, as `colour_of` says."""
    return [Field(name=str(n + 1), picture=painted(folder, n, size, colour_of(n))) for n in range(count)]


def colour_of(number: int) -> tuple[int, int, int]:
    return (9 * number, 255 - 9 * number, 40)


def picture_of(composed: sheets.Composed) -> Image.Image:
    return Image.open(io.BytesIO(composed.encoded.data)).convert("RGB")


@pytest.mark.parametrize(
    ("count", "columns", "size"), [(4, 2, (96, 96)), (12, 3, (512, 640)), (12, 4, (640, 384)), (25, 5, (1024, 1024))]
)
def test_every_picture_is_in_its_field(tmp_path: Path, count: int, columns: int, size: tuple[int, int]) -> None:
    composed = sheets.compose(Contents(columns=columns, fields=fields(tmp_path, count, size)))
    sheet, found = picture_of(composed), layout(count, columns, size, Bands())
    assert sheet.size == found.size == (composed.encoded.width, composed.encoded.height)
    assert composed.shown == (True,) * count
    for number in range(count):
        box = found.field(number)
        seen = sheet.getpixel((box.left + box.width // 2, box.top + box.height * 2 // 3))
        assert isinstance(seen, tuple)
        assert all(abs(a - b) < 8 for a, b in zip(seen, colour_of(number), strict=True)), number


@pytest.mark.parametrize("ground", [BLACK, WHITE, (128, 128, 128)])
def test_numbers_can_be_read_on_any_picture(tmp_path: Path, ground: tuple[int, int, int]) -> None:
    """Black and white meet in the corner of each, whatever is drawn there."""
    pictures = [Field(name=str(n + 1), picture=painted(tmp_path, n, (256, 256), ground)) for n in range(4)]
    sheet, found = picture_of(sheets.compose(Contents(columns=2, fields=pictures))), layout(4, 2, (256, 256), Bands())
    for number in range(4):
        box = found.field(number)
        corner = sheet.crop((box.left, box.top, box.left + found.text * 2, box.top + found.text * 2)).convert("L")
        darkest, brightest = corner.getextrema()
        assert darkest < 40  # type: ignore[operator]
        assert brightest > 215  # type: ignore[operator]
        assert found.text * 390 / sheet.width >= 10, "letters of ten pixels on a phone"


def test_a_picture_that_is_missing_leaves_a_field_that_says_so(tmp_path: Path) -> None:
    whole = fields(tmp_path, 4, (256, 256))
    (tmp_path / "torn.png").write_bytes(whole[0].picture.read_bytes()[:200])  # type: ignore[union-attr]
    bad = [
        whole[0],
        Field(name="2", absence="failed"),
        Field(name="3", picture=tmp_path / "torn.png"),
        Field(name="4", picture=tmp_path / "gone.png"),
    ]
    composed = sheets.compose(Contents(columns=2, fields=bad))
    assert composed.shown == (True, False, False, False)
    sheet, found = picture_of(composed), layout(4, 2, (256, 256), Bands())
    for number in (1, 2, 3):
        box = found.field(number)
        middle = sheet.crop((box.left + 20, box.top + 100, box.left + 236, box.top + 156)).convert("L")
        assert middle.getextrema()[1] > 200, "words in the middle"  # type: ignore[operator]


def test_the_same_pictures_make_the_same_sheet(tmp_path: Path) -> None:
    contents = Contents(columns=2, fields=fields(tmp_path, 4, (96, 64)), caption="otter", titles=["a", "b", "c", "d"])
    assert sheets.compose(contents).encoded == sheets.compose(contents).encoded


@pytest.mark.parametrize("count", [2, 8, 25, 64])
@pytest.mark.parametrize("size", [(16, 16), (2048, 2048), (4096, 16), (16, 4096), (1216, 832)])
@pytest.mark.parametrize("bands", [Bands(), Bands(columns=True, rows=30.0, titles=True, caption=2)])
def test_a_sheet_is_bounded(count: int, size: tuple[int, int], bands: Bands) -> None:
    for columns in {1, min(5, count), count}:
        found = layout(count, columns, size, bands)
        width, height = found.size
        assert max(width, height) <= MAX_SIDE
        assert width * height <= MAX_PIXELS
        boxes = [found.field(number) for number in range(count)]
        assert all(box.left >= 0 and box.left + box.width <= width for box in boxes)
        assert all(box.top >= 0 and box.top + box.height <= height for box in boxes)


def test_noise_is_no_larger_in_bytes_than_a_sheet_may_be(tmp_path: Path) -> None:
    noise = Image.effect_noise((2048, 2048), 120).convert("RGB")
    noise.save(tmp_path / "noise.png", compress_level=0)
    four = [Field(name=str(n), picture=tmp_path / "noise.png") for n in range(4)]
    assert len(sheets.compose(Contents(columns=2, fields=four)).encoded.data) <= sheets.MAX_BYTES


def test_titles_are_written_and_never_too_long(tmp_path: Path) -> None:
    contents = Contents(
        columns=2,
        fields=fields(tmp_path, 4, (256, 192)),
        column_titles=["cfg 4", "a title that is much too long for a column of this width " * 3],
        row_titles=["euler a", "dpm++ 2m karras sde with words that go on and on"],
        caption="otter, cowboy hat " * 40,
    )
    sheet = picture_of(sheets.compose(contents))
    found = layout(4, 2, (256, 192), Bands(columns=True, rows=sheets._bands(contents).rows, caption=2))
    assert sheet.size == found.size
    for box in (found.column_title(0), found.column_title(1), found.row_title(0), found.row_title(1), found.caption()):
        band = sheet.crop((box.left, box.top, box.left + box.width, box.top + box.height)).convert("L")
        assert band.getextrema()[1] > 120, "something is written"  # type: ignore[operator]
    between = sheet.crop((found.field(0).left + 256, 0, found.field(1).left, found.top)).convert("L")
    assert between.getextrema()[1] < 60, "and nothing beyond its own column"  # type: ignore[operator]


@pytest.mark.parametrize("text", ["кошка", "Größe × 2", "カワウソ", "otter 💚", "a\u202eb\x00c\n d", ""])
def test_any_words_can_be_written(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for installed in (lettering.INSTALLED, ()):
        monkeypatch.setattr(lettering, "INSTALLED", installed)
        written, font = lettering.writable(text, 20)
        assert "\n" not in written
        assert font.getlength(lettering.fitting(written * 50, font, 90)) <= 90
    assert lettering.writable("Größe × 2", 20)[0] == "Grosse x 2", "without a font for it"


async def stored(archive: Archive, *, private: bool = False) -> str:
    folder = archive.root / "2024-01-21"
    folder.mkdir(exist_ok=True)
    contents = Contents(columns=2, fields=[*fields(folder, 3, (96, 96)), Field(name="4", absence="failed")])
    place = archive.sheet_beside(f"2024-01-21/{contents.fields[0].picture.name}")  # type: ignore[union-attr]
    found, shown = await archive.store_sheet(
        contents, place=place, image_id="5" * 32, private=private, created_at=CREATED
    )
    assert shown == (True, True, True, False)
    assert (found.relpath, found.mimetype) == ("2024-01-21/otter_20240121130000.sheet.jpg", "image/jpeg")
    return found.relpath


async def test_in_the_archive_it_lies_beside_its_pictures(archive: Archive) -> None:
    relpath = await stored(archive)
    names = {path.name for path in archive.path(relpath).parent.glob("*sheet*")}
    assert names == {f"otter_20240121130000.sheet.{ending}" for ending in ("jpg", "yml", "thumb.jpg")}
    sidecar = yaml.safe_load(archive.sidecar(relpath).read_text("utf-8"))
    assert sidecar["fields"]["2"] == "otter_20240121130001.png"
    assert sidecar["fields"]["4"] is None
    with Image.open(archive.thumbnail(relpath)) as small:
        assert max(small.size) <= 800
    await stored(archive)
    assert {path.name for path in archive.path(relpath).parent.glob("*sheet*")} == names, "once more is the same file"
    (stray,) = await archive.strays([])
    assert (stray.relpath, stray.mimetype) == (relpath, "image/jpeg"), "the pictures here have no sidecars"
    await archive.delete(relpath)
    assert not list(archive.path(relpath).parent.glob("*sheet*"))


async def test_limits_of_the_archive_take_sheets_as_well(archive: Archive) -> None:
    relpath = await stored(archive, private=True)
    for path in archive.path(relpath).parent.iterdir():
        os.utime(path, (CREATED, CREATED))
    rows = [Known(relpath=relpath, private=True, delivered=False)]
    assert await archive.sweep(rows, now=CREATED + 3_600) == [], "it is still to be delivered"
    assert archive.sidecar(relpath).exists(), "and its sidecar is none without a picture"
    assert archive.thumbnail(relpath).exists()
    assert await archive.sweep([Known(relpath=relpath, private=True, delivered=True)], now=CREATED + 3_600) == [relpath]
    alone = archive.thumbnail(relpath)
    alone.write_bytes(b"left by a crash")
    os.utime(alone, (CREATED, CREATED))
    await archive.sweep([], now=CREATED + 7_200)
    assert not alone.exists()
