"""Private stays private: who can read the files, how long they stay, and what a backup brings back."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from core_lab import Api, Here, Json, Process, image, settings, until, worker_here

from otterbot_worker.api import housekeeping
from otterbot_worker.archive.retention import UNDELIVERED_SECONDS
from otterbot_worker.queue.image_rows import ImageRows

CANARY = "canary5f1e"


def open_to_others(*roots: Path) -> Iterator[str]:
    """What somebody else on the machine could read or list, below these."""
    for root in roots:
        for path in root.rglob("*"):
            if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & 0o077:
                yield str(path.relative_to(root))


def result(job: Json) -> Json:
    found = job["pictures"][0]["result"]
    assert isinstance(found, dict)
    return found


def a_picture(folder: Path, stem: str) -> list[Path]:
    """As an older worker left it, with the umask that most people have."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    made = [folder / f"{stem}{ending}" for ending in (".png", ".yml", ".thumb.jpg")]
    for path in made:
        path.write_text("private: false\n")
        path.chmod(0o644)
    return made


async def test_files_are_this_users_alone_and_a_restored_database_leaves_none_behind(tmp_path: Path) -> None:
    archive, data = tmp_path / "pictures", tmp_path / "data"
    old = a_picture(archive / "2024-01-21", "otter_20240121132050")
    data.mkdir(mode=0o755)
    mine = archive / "2024-01-21" / "holiday.png"
    mine.write_text("mine")
    archive.chmod(0o755)
    for path in (mine, data):
        path.chmod(0o755 if path is data else 0o644)
    process = Process(data, under="umask 022", OTTERBOT_ARCHIVE__DIR=str(archive))
    async with process.running() as api:
        await until(lambda: not any(stat.S_IMODE(path.stat().st_mode) & 0o077 for path in old))
        before = shutil.copytree(data, tmp_path / "backup", ignore=shutil.ignore_patterns("hub", "*.lock"))
        hidden = await drawn(api, image("of-a-secret-room", private=True, theme="secret"))
        shown = await drawn(api, image("of-an-open-room", theme="open"))
        assert set(open_to_others(archive, data)) == {"2024-01-21/holiday.png"}
    for name in ("jobs.sqlite", "jobs.sqlite-wal", "jobs.sqlite-shm"):
        (data / name).unlink(missing_ok=True)
        if (before / name).exists():
            shutil.copyfile(before / name, data / name)
            (data / name).chmod(0o644)
    async with process.running() as api:
        await until(lambda: not list(archive.rglob("secret_*")))
        await until(lambda: answers(api, 200, "GET", shown["image_id"]))
        assert await answers(api, 404, "GET", hidden["image_id"])
        assert await answers(api, 204, "DELETE", shown["image_id"])
        assert await answers(api, 204, "DELETE", shown["image_id"]), "asked again it is the same"
        assert not list(archive.rglob(shown["filename"]))
        assert mine.read_text() == "mine"
        assert all(path.exists() for path in old), "of an open room, and whose it is nobody knows"
        assert set(open_to_others(archive, data)) == {"2024-01-21/holiday.png"}


async def answers(api: Api, status: int, method: str, image_id: str) -> bool:
    return (await api.call(method, f"/v1/images/{image_id}"))[0] == status


async def drawn(api: Api, body: Json) -> Json:
    return result(await api.done((await api.submit(body))["id"]))


def age(here: Here, relpath: str, seconds: float) -> None:
    archive = here.parts.archive
    for path in (archive.path(relpath), archive.sidecar(relpath), archive.thumbnail(relpath)):
        os.utime(path, (time.time() - seconds,) * 2)


def relpath(here: Here, found: Json) -> str:
    (path,) = here.parts.archive.root.rglob(found["filename"])
    return str(path.relative_to(here.parts.archive.root))


async def sweep(here: Here) -> None:
    await housekeeping.sweep(here.parts.store, here.parts.archive, ImageRows(here.parts.store._db))


async def test_what_is_never_delivered_goes_after_a_week(tmp_path: Path) -> None:
    """Of an encrypted room: the picture, and the words in the database, whoever deleted the file."""
    async with worker_here(settings(tmp_path / "data")) as here:
        found = [await drawn(here.api, image(f"key-{n:05}", prompt=CANARY, private=True)) for n in range(3)]
        old, fresh, without = (relpath(here, one) for one in found)
        age(here, old, UNDELIVERED_SECONDS + 60)
        age(here, fresh, UNDELIVERED_SECONDS - 3_600)
        here.parts.archive.path(without).unlink()
        await here.parts.store._db.write("UPDATE images SET created_at = 0 WHERE relpath = ?", (without,))
        await sweep(here)
        assert not here.parts.archive.path(old).exists()
        assert not here.parts.archive.sidecar(old).exists()
        assert here.parts.archive.path(fresh).exists()
        status, problem = await here.api.call("GET", f"/v1/images/{found[0]['image_id']}")
        assert (status, problem["code"]) == (410, "image_gone")
        # An hour after the end of a job its own words go as well.
        await here.parts.store.forget(time.time() + 7_200, private_requests=True)
        rows = await here.parts.store._db.fetch(
            "SELECT jobs.key FROM jobs JOIN rows ON rows.job_id = jobs.id WHERE request || rows.result LIKE ?",
            (f"%{CANARY}%",),
        )
        assert [row["key"] for row in rows] == ["key-00001"], "only of the one that may still be delivered"


async def test_an_undelivered_picture_counts_again_after_a_week(tmp_path: Path) -> None:
    """Of an open room: it stays, and within the limits of the archive like any other."""
    config = settings(tmp_path / "data", archive={"max_gb": 1e-9})
    async with worker_here(config) as here:
        found = [await drawn(here.api, image(f"key-{n:05}")) for n in range(2)]
        old, fresh = (relpath(here, one) for one in found)
        age(here, old, UNDELIVERED_SECONDS + 60)
        await sweep(here)
        assert not here.parts.archive.path(old).exists()
        assert here.parts.archive.path(fresh).exists()


async def test_a_deleted_picture_does_not_come_back_with_a_backup(tmp_path: Path) -> None:
    config = settings(tmp_path / "data")
    async with worker_here(config) as here:
        found = await drawn(here.api, image())
        place = here.parts.archive.path(relpath(here, found)).parent
        backup = await asyncio.to_thread(shutil.copytree, place, tmp_path / "backup")
        assert await answers(here.api, 204, "DELETE", found["image_id"])
        assert not place.exists()
        await asyncio.to_thread(shutil.copytree, backup, place)
        rows = ImageRows(here.parts.store._db)
        await housekeeping.find_strays(config.api.clients, here.parts.store, here.parts.archive, rows, time.time() + 60)
        assert not place.exists()


async def test_a_persons_own_files_are_left_alone(tmp_path: Path) -> None:
    """An archive that lies among somebody's photographs: nothing of theirs goes, whatever the limits say."""
    pictures = tmp_path / "Pictures"
    theirs = [
        pictures / "2024-01-21" / "holiday.png",
        pictures / "2024-01-21" / "notes.yml",
        pictures / "2024-01-21" / ".hidden.tmp",
        pictures / "2024-01-21" / "a.thumb.jpg",
        pictures / "2019 by the sea" / "beach_20190701120000.png",
        pictures / "1.png",
    ]
    for path in theirs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("private: true\n")
        os.utime(path, (0, 0))
    before = {path: path.stat().st_mode for path in theirs}
    config = settings(tmp_path / "data", archive={"dir": pictures, "max_gb": 1e-9, "keep_days": 1})
    async with worker_here(config) as here:
        await drawn(here.api, image())
        await sweep(here)
        await housekeeping.close_to_others(config, here.parts.archive)
        assert {path: path.stat().st_mode for path in theirs} == before


async def test_a_client_deletes_only_its_own(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path / "data")) as here:
        found = await drawn(here.api, image())
        assert await answers(here.other, 404, "DELETE", found["image_id"])
        assert await answers(here.api, 200, "GET", found["image_id"])
        assert await answers(here.api, 204, "DELETE", found["image_id"])
        assert await answers(here.api, 204, "DELETE", found["image_id"])
