from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import blurhash
import pytest
import yaml
from archive_records import record
from PIL import Image

from otterbot_worker import durable
from otterbot_worker.archive import Archive, ArchiveSettings, Known, Stored, files, pictures
from otterbot_worker.archive.reading import read_record
from otterbot_worker.errors import JobFailed
from otterbot_worker.schemas.resolved_parts import UsedWords

CREATED = time.mktime((2024, 1, 21, 13, 20, 50, 0, 0, -1))


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    archive = Archive(tmp_path / "archive", ArchiveSettings())
    yield archive
    archive.close()


def draw(archive: Archive, task: str = "t1", width: int = 48, height: int = 32) -> Path:
    scratch = archive.scratch(task)
    scratch.write_bytes(bytes((x * 5) % 256 for x in range(width * height * 3)))
    return scratch


async def put(archive: Archive, **changes: Any) -> Stored:
    width, height = changes.pop("width", 48), changes.pop("height", 32)
    options: dict[str, Any] = {
        "scratch": draw(archive, changes.pop("task", "t1"), width, height),
        "width": width,
        "height": height,
        "record": record(),
        "theme": None,
        "private": False,
        "created_at": CREATED,
    }
    return await archive.store(**options | changes)


def everything(archive: Archive) -> set[str]:
    return {str(path.relative_to(archive.root)) for path in archive.root.rglob("*") if path.is_file()}


async def test_a_picture_with_all_that_belongs_to_it(archive: Archive) -> None:
    stored = await put(archive)
    assert stored.relpath == "2024-01-21/otter_20240121132050.png"
    assert everything(archive) == {
        "2024-01-21/otter_20240121132050.png",
        "2024-01-21/otter_20240121132050.yml",
        "2024-01-21/otter_20240121132050.thumb.jpg",
    }
    data = archive.path(stored.relpath).read_bytes()
    assert stored.size == len(data)
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.size == (48, 32)
        assert picture.tobytes() == bytes((x * 5) % 256 for x in range(48 * 32 * 3))
        assert picture.info["parameters"].startswith("otter, cowboy hat\nNegative prompt: ugly")
    assert read_record(archive.path(stored.relpath)) == record().model_dump(mode="json")
    loaded = yaml.safe_load(archive.sidecar(stored.relpath).read_text("utf-8"))
    assert loaded["record"] == record().model_dump(mode="json")
    assert len(blurhash.decode(stored.blurhash, 4, 4)) == 4


async def test_the_thumbnail_is_small_and_says_nothing(archive: Archive) -> None:
    stored = await put(archive, width=1200, height=600, record=record(prompt="canary"))
    data = archive.thumbnail(stored.relpath).read_bytes()
    assert (stored.thumbnail.width, stored.thumbnail.height) == (400, 200)
    assert stored.thumbnail.size == len(data)
    assert stored.thumbnail.mimetype == "image/jpeg"
    assert b"canary" not in data
    with Image.open(io.BytesIO(data)) as thumbnail:
        assert thumbnail.format == "JPEG"
        assert thumbnail.size == (400, 200)


@pytest.mark.parametrize("size", [(16, 16), (16, 512), (1, 1), (2048, 16)])
async def test_any_shape(archive: Archive, size: tuple[int, int]) -> None:
    stored = await put(archive, width=size[0], height=size[1])
    assert (stored.width, stored.height) == size
    assert max(stored.thumbnail.width, stored.thumbnail.height) <= pictures.THUMBNAIL_SIDE
    assert stored.blurhash


async def test_prompts_in_any_script_come_back(archive: Archive) -> None:
    prompt = 'Oregon 💚, "выдра"\nNegative prompt: カワウソ \\ \u2028'
    stored = await put(archive, record=record(prompt=prompt))
    assert read_record(archive.path(stored.relpath))["used"]["prompt"] == prompt
    assert stored.filename == "oregon_20240121132050.png"


async def test_a_style_does_not_name_the_file(archive: Archive) -> None:
    around = record(prompt="loose watercolor of otter", styled=UsedWords(prompt="otter", negative_prompt=""))
    assert (await put(archive, record=around)).filename == "otter_20240121132050.png"


async def test_names_are_unique_also_beside_a_crash(archive: Archive) -> None:
    stored = [await put(archive, theme="otter") for _ in range(3)]
    (archive.root / "2024-01-21" / ".otter_20240121132050_4.png.tmp").write_bytes(b"half")
    stored.append(await put(archive, theme="otter"))
    assert [one.filename for one in stored] == [
        "otter_20240121132050.png",
        "otter_20240121132050_2.png",
        "otter_20240121132050_3.png",
        "otter_20240121132050_5.png",
    ]
    assert len({one.image_id for one in stored}) == 4


async def test_a_name_is_not_passed_on_within_its_second(archive: Archive) -> None:
    """Delivered and deleted at once, as pictures of encrypted rooms are: the next one has a name of its own."""
    first = await put(archive)
    await archive.delete(first.relpath)
    assert (await put(archive)).relpath != first.relpath


async def test_a_theme_is_no_path(archive: Archive) -> None:
    stored = await put(archive, theme="../../../tmp/x")
    assert stored.relpath == "2024-01-21/tmp-x_20240121132050.png"


@pytest.mark.parametrize(
    "relpath", ["../x.png", "/etc/passwd", "a/../../x.png", ".scratch/x.rgb", "x", "", "a/.b", "a/b/c"]
)
async def test_paths_stay_inside(archive: Archive, relpath: str) -> None:
    with pytest.raises(ValueError):
        archive.path(relpath)
    with pytest.raises(ValueError):
        await archive.delete(relpath)


async def test_pixels_that_are_not_all_there(archive: Archive) -> None:
    scratch = draw(archive)
    scratch.write_bytes(b"short")
    with pytest.raises(JobFailed) as caught:
        await archive.store(
            scratch=scratch, width=48, height=32, record=record(), theme=None, private=False, created_at=CREATED
        )
    assert caught.value.code == "image_failed"
    assert everything(archive) == set()


async def test_a_full_disk_leaves_nothing_half_written(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []
    real = durable.write

    def fill(target: Path, data: bytes, temporary: Path | None = None) -> None:
        if target.suffix == ".png":
            raise OSError(28, "No space left on device")
        written.append(target)
        real(target, data, temporary)

    monkeypatch.setattr(durable, "write", fill)
    with pytest.raises(OSError, match="No space"):
        await put(archive)
    assert written
    assert everything(archive) == set()


async def test_the_loop_goes_on_while_a_picture_is_encoded(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    real = pictures.encode
    monkeypatch.setattr(pictures, "encode", lambda *args: (release.wait(10), real(*args))[1])
    running = asyncio.create_task(put(archive))
    await asyncio.sleep(0.01)
    assert not running.done()
    release.set()
    assert (await running).size > 0


async def test_a_cancelled_store_leaves_no_picture(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    entered, release = threading.Event(), threading.Event()
    real = pictures.encode

    def encode(*args: Any) -> pictures.Encoded:
        entered.set()
        release.wait(10)
        return real(*args)

    monkeypatch.setattr(pictures, "encode", encode)
    first = asyncio.create_task(put(archive, task="a"))
    second = asyncio.create_task(put(archive, task="b"))
    await asyncio.to_thread(entered.wait, 10)
    for task in (first, second):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    release.set()
    await archive.clear_scratch()
    assert everything(archive) == set()


async def test_delete_is_whole_and_idempotent(archive: Archive) -> None:
    stored = await put(archive)
    other = await put(archive)
    await archive.delete(stored.relpath)
    assert len(everything(archive)) == 3
    await archive.delete(other.relpath)
    await archive.delete(other.relpath)
    assert everything(archive) == set()
    assert not (archive.root / "2024-01-21").exists()


def age(archive: Archive, stored: Stored, seconds: float, now: float) -> None:
    for path in (archive.path(stored.relpath), archive.sidecar(stored.relpath), archive.thumbnail(stored.relpath)):
        os.utime(path, (now - seconds, now - seconds))


async def test_keep_days(tmp_path: Path) -> None:
    archive = Archive(tmp_path, ArchiveSettings(keep_days=2))
    now = time.time()
    old, new = await put(archive), await put(archive, created_at=CREATED + 86_400)
    age(archive, old, 3 * 86_400, now)
    assert await archive.sweep(now=now) == [old.relpath]
    assert archive.path(new.relpath).exists()
    assert not (tmp_path / "2024-01-21").exists()
    archive.close()


async def test_max_gb_takes_the_oldest_but_nothing_undelivered(tmp_path: Path) -> None:
    archive = Archive(tmp_path, ArchiveSettings())
    now = time.time()
    stored = [await put(archive) for _ in range(4)]
    for place, one in enumerate(stored):
        age(archive, one, 50_000 - place * 1_000, now)
    size = sum(path.stat().st_size for path in (tmp_path / "2024-01-21").iterdir())
    archive.settings = ArchiveSettings(max_gb=size / 2 / files.GIGABYTE)
    rows = [Known(relpath=one.relpath, private=False, delivered=one is not stored[0]) for one in stored]
    assert await archive.sweep(rows, now=now) == [stored[1].relpath, stored[2].relpath]
    archive.settings = ArchiveSettings(max_gb=0)
    assert await archive.sweep(now=now) == [stored[0].relpath, stored[3].relpath]
    archive.close()


async def test_what_somebody_keeps_is_passed_over(tmp_path: Path) -> None:
    archive = Archive(tmp_path, ArchiveSettings(keep_days=1))
    now = time.time()
    kept, old, private = await put(archive), await put(archive), await put(archive, private=True)
    for one in (kept, old, private):
        age(archive, one, 2 * 86_400, now)
    rows = [
        Known(relpath=kept.relpath, private=False, delivered=True, kept=True),
        Known(relpath=old.relpath, private=False, delivered=True),
        Known(relpath=private.relpath, private=True, delivered=True, kept=True),
    ]
    assert set(await archive.sweep(rows, now=now)) == {old.relpath, private.relpath}, "an encrypted room's goes"
    archive.settings = ArchiveSettings(max_gb=0)
    assert await archive.sweep(rows, now=now) == []
    assert await archive.sweep([rows[1]], now=now) == [kept.relpath], "nobody keeps it any more"
    archive.close()


async def test_pictures_of_encrypted_rooms(tmp_path: Path) -> None:
    archive = Archive(tmp_path, ArchiveSettings())
    now = time.time()
    delivered, waiting, lost, fresh = [await put(archive, private=True) for _ in range(4)]
    public = await put(archive)
    age(archive, lost, 7_200, now)
    age(archive, public, 7_200, now)
    rows = [
        Known(relpath=delivered.relpath, private=True, delivered=True),
        Known(relpath=waiting.relpath, private=True, delivered=False),
    ]
    keeping = Archive(tmp_path, ArchiveSettings(encrypted_rooms="keep"))
    assert not keeping.gone_when_delivered(True)
    assert await keeping.sweep(rows, now=now) == []
    assert archive.gone_when_delivered(True)
    assert not archive.gone_when_delivered(False)
    assert set(await archive.sweep(rows, now=now)) == {delivered.relpath, lost.relpath}
    assert archive.path(waiting.relpath).exists()
    assert archive.path(fresh.relpath).exists()
    assert archive.path(public.relpath).exists()
    archive.close()
    keeping.close()


async def test_leftovers_of_crashes(archive: Archive) -> None:
    now = time.time()
    stored = await put(archive)
    folder = archive.root / "2024-01-21"
    name = "x_20240121132050_2"
    leftovers = [folder / f".{name}.png.tmp", folder / f"{name}.yml", folder / f"{name}.thumb.jpg"]
    leftovers.append(archive.scratch("dead"))
    empty = archive.root / "2024-01-20"
    empty.mkdir()
    for path in leftovers:
        path.write_bytes(b"x")
    await archive.sweep(now=now)
    assert all(path.exists() for path in leftovers), "they may be on their way"
    assert not empty.exists()
    await archive.sweep(now=now + 7_200)
    assert not any(path.exists() for path in leftovers)
    assert len(everything(archive)) == 3
    assert archive.path(stored.relpath).exists()


async def test_scratch_at_start(archive: Archive) -> None:
    draw(archive, "a")
    draw(archive, "b")
    assert await archive.clear_scratch() == 2
    assert everything(archive) == set()


def test_the_floor_of_free_space(tmp_path: Path) -> None:
    assert Archive(tmp_path, ArchiveSettings(min_free_gb=0)).has_room()
    full = Archive(tmp_path, ArchiveSettings(min_free_gb=1e9))
    assert not full.has_room()
    assert full.free_bytes() > 0


def test_importing_the_archive_is_cheap() -> None:
    code = (
        "import sys; import otterbot_worker.archive; "
        "bad = {'PIL', 'numpy', 'blurhash', 'torch', 'yaml'} & set(sys.modules); sys.exit(repr(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
