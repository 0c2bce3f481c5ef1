"""Films of pictures: what they show, how long, how large; and that they live and go with their picture."""

from __future__ import annotations

import asyncio
import io
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archive_records import record
from PIL import Image

from otterbot_worker.archive import Archive, ArchiveSettings, Known, Stored, films
from otterbot_worker.archive.films import Frames, make
from otterbot_worker.runner.reel import Reel
from otterbot_worker.schemas.resolved import ResolvedRequest

CREATED = time.mktime((2024, 1, 21, 13, 20, 50, 0, 0, -1))


def jpeg(colour: tuple[int, int, int], size: tuple[int, int] = (32, 16)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "JPEG", quality=95)
    return file.getvalue()


def noise(folder: Path, width: int, height: int) -> Path:
    """A picture that is as hard to compress as any."""
    path = folder / "noise.rgb"
    path.write_bytes(np.random.default_rng(1).integers(0, 256, width * height * 3, np.uint8).tobytes())
    return path


def shown(webp: bytes) -> list[tuple[np.ndarray[Any, Any], int]]:
    """Each image with its milliseconds."""
    film = Image.open(io.BytesIO(webp))
    found = []
    for number in range(film.n_frames):
        film.seek(number)
        film.load()
        found.append((np.asarray(film.convert("RGB"), float), int(film.info["duration"])))
    return found


RED, GREEN, BLUE = (200, 30, 30), (30, 200, 30), (30, 30, 200)


def test_the_early_steps_in_their_order_and_the_picture_last_and_longest(tmp_path: Path) -> None:
    scratch = tmp_path / "blue.rgb"
    scratch.write_bytes(bytes(BLUE) * 64 * 32)
    film = make(Frames(jpegs=[jpeg(RED), jpeg(GREEN)]), scratch, 64, 32)
    assert film is not None
    assert (film.width, film.height, film.frames) == (64, 32, 3), "no larger than its picture"
    images = shown(film.webp)
    for (image, _), colour in zip(images, (RED, GREEN, BLUE), strict=True):
        assert image.shape == (32, 64, 3)
        assert np.abs(image - colour).max() < 24
    assert [milliseconds for _, milliseconds in images] == [400, 400, 2500]
    opened = Image.open(io.BytesIO(film.webp))
    assert (opened.format, opened.info.get("exif"), opened.info.get("xmp")) == ("WEBP", None, None)


@pytest.mark.parametrize(("size", "expected"), [((1024, 512), (512, 256)), ((300, 900), (171, 512))])
def test_it_is_small(tmp_path: Path, size: tuple[int, int], expected: tuple[int, int]) -> None:
    film = make(Frames(jpegs=[jpeg(RED)] * 24), noise(tmp_path, *size), *size)
    assert film is not None
    assert (film.width, film.height) == expected
    assert len(film.webp) <= films.MOST_BYTES
    assert sum(milliseconds for _, milliseconds in shown(film.webp)) <= 3_000 + 2_500


def test_what_is_too_large_becomes_smaller_and_then_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch, frames = noise(tmp_path, 600, 600), Frames(jpegs=[jpeg(RED)])
    whole = make(frames, scratch, 600, 600)
    assert whole is not None
    monkeypatch.setattr(films, "MOST_BYTES", len(whole.webp) // 2)
    smaller = make(frames, scratch, 600, 600)
    assert smaller is not None
    assert smaller.width in (384, 256)
    assert len(smaller.webp) <= films.MOST_BYTES
    monkeypatch.setattr(films, "MOST_BYTES", 1_000)
    assert make(frames, scratch, 600, 600) is None


def test_what_was_drawn_beside_a_masked_picture_is_not_shown(tmp_path: Path) -> None:
    both = Image.new("RGB", (64, 32), GREEN)
    both.paste(RED, (0, 0, 32, 32))
    file = io.BytesIO()
    both.save(file, "JPEG", quality=95)
    scratch = tmp_path / "red.rgb"
    scratch.write_bytes(bytes(RED) * 32 * 32)
    film = make(Frames(jpegs=[file.getvalue()], shown=(0.5, 1.0)), scratch, 32, 32)
    assert film is not None
    first, _ = shown(film.webp)[0]
    assert np.abs(first[:, :24] - RED).max() < 30
    assert first[:, :, 1].mean() < 60, "none of the green"


def request(**fields: Any) -> ResolvedRequest:
    usual = {"model": "m", "prompt": "otter", "negative_prompt": "", "steps": 4, "guidance_scale": 5, "width": 60,
             "height": 30, "sampler": "Euler", "seed": 1, "film": True}  # fmt: skip
    return ResolvedRequest.model_validate(usual | fields)


def test_the_frames_of_an_attempt_that_was_begun_anew_are_forgotten() -> None:
    reel = Reel()
    for step, frame in ((1, b"a"), (2, b"b"), (0, b"only looked at"), (1, b"c"), (2, b"d"), (3, b"e")):
        reel.add(frame, step)
    assert reel.frames(request()) == Frames(jpegs=[b"c", b"d", b"e"])
    reel.add(bytes(10**6), 4)
    for step in range(5, 200):
        reel.add(b"x", step)
    frames = reel.frames(request(canvas=(64, 32)))
    assert frames is not None
    assert (len(frames.jpegs), frames.shown) == (64, (60 / 64, 30 / 32))
    assert reel.frames(request(film=False)) is None


# ---------------------------------------------------------------- in the archive


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    archive = Archive(tmp_path / "archive", ArchiveSettings())
    yield archive
    archive.close()


async def put(archive: Archive, *, frames: Frames | None, private: bool = False) -> Stored:
    scratch = archive.scratch("task")
    scratch.write_bytes(bytes(BLUE) * 48 * 32)
    return await archive.store(
        scratch=scratch, width=48, height=32, record=record(), theme=None, private=private, created_at=CREATED,
        frames=frames,
    )  # fmt: skip


def files(archive: Archive) -> list[str]:
    return sorted(path.name for path in archive.root.rglob("*") if path.is_file())


async def test_it_lies_beside_its_picture_and_goes_with_it(archive: Archive) -> None:
    stored = await put(archive, frames=Frames(jpegs=[jpeg(RED)]))
    assert stored.film is not None
    stem = "otter_20240121132050"
    assert files(archive) == [f"{stem}.film.webp", f"{stem}.png", f"{stem}.thumb.jpg", f"{stem}.yml"]
    path = archive.film(stored.relpath)
    assert (stored.film.size, stored.film.mimetype, stored.film.frames) == (path.stat().st_size, "image/webp", 2)
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    await archive.delete(stored.relpath)
    assert files(archive) == []


async def test_one_that_cannot_be_made_leaves_the_picture(archive: Archive) -> None:
    for frames in (Frames(jpegs=[b"no picture"]), Frames(jpegs=[jpeg(RED)[:200]]), Frames(jpegs=[])):
        stored = await put(archive, frames=frames)
        assert stored.film is None
        assert archive.path(stored.relpath).is_file()
        await archive.delete(stored.relpath)


async def test_the_limits_of_the_archive_count_it(archive: Archive) -> None:
    stored = await put(archive, frames=Frames(jpegs=[jpeg(RED)]), private=True)
    [found] = await archive.strays([])
    beside = [archive.path(stored.relpath), archive.sidecar(stored.relpath), archive.thumbnail(stored.relpath),
              archive.film(stored.relpath)]  # fmt: skip
    assert found.size == sum(path.stat().st_size for path in beside)
    known = Known(relpath=stored.relpath, private=True, delivered=True)
    assert await archive.sweep([known], now=CREATED + 10) == [stored.relpath]
    assert files(archive) == []


async def test_one_whose_picture_never_came_is_swept_away(archive: Archive) -> None:
    stored = await put(archive, frames=Frames(jpegs=[jpeg(RED)]))
    path = archive.path(stored.relpath)
    for other in (path, archive.sidecar(stored.relpath), archive.thumbnail(stored.relpath)):
        other.unlink()
    someones = path.with_name("my holiday.webp")
    someones.write_bytes(b"theirs")
    for left in (archive.film(stored.relpath), someones):
        os.utime(left, (CREATED, CREATED))
    await archive.sweep([], now=CREATED + 100)
    assert len(files(archive)) == 2, "its picture may still be written"
    await archive.sweep([], now=CREATED + 7_200)
    assert files(archive) == ["my holiday.webp"]
    await asyncio.sleep(0)
