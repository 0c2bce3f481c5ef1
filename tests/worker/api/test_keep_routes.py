"""Somebody keeps a picture: its client says so, and the archive's limits know it."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest
from core_lab import Here, Json, image, settings, worker_here

from otterbot_worker.api import housekeeping
from otterbot_worker.archive import retention
from otterbot_worker.queue.image_rows import ImageRows


async def test_a_picture_is_kept_and_let_go(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.done((await here.api.submit(image()))["id"])
        place = f"/v1/images/{job['pictures'][0]['result']['image_id']}"
        kept = []
        for method in ("POST", "POST", "DELETE"):
            assert (await here.api.call(method, f"{place}/keep"))[0] == 204
            with sqlite3.connect(tmp_path / "jobs.sqlite") as database:
                kept += [row[0] for row in database.execute("SELECT kept FROM images")]
        assert kept == [1, 1, 0]
        assert (await here.other.call("POST", f"{place}/keep"))[0] == 404, "another client's"
        assert (await here.api.call("POST", "/v1/images/abc/keep"))[0] == 404
        await here.api.call("DELETE", place)
        assert (await here.api.call("POST", f"{place}/keep"))[0] == 204, "gone, and nothing to say"


async def sheet_of(here: Here) -> Json:
    job = await here.api.submit(image(count=4, seed=10, sheet={}))
    return await here.api.until(job["id"], lambda job: job["sheet"] is not None)


def left(here: Here) -> set[str]:
    """The ends of the pictures' names that stay where everything is too old."""
    archive = here.parts.archive
    limits, later = retention.Limits(keep_seconds=86_400.0), time.time() + 2 * 86_400
    doomed = retention.choose(retention.scan(archive.root), None, limits, later)
    return {file.relpath for file in retention.scan(archive.root)} - set(doomed)


async def test_the_mark_stands_beside_the_picture_too(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        jobs = [await here.api.done((await here.api.submit(image(f"key-0000{n}")))["id"]) for n in range(2)]
        ids = [job["pictures"][0]["result"]["image_id"] for job in jobs]
        place = f"/v1/images/{ids[0]}"
        before = (await here.api.call("GET", f"{place}.yml"))[1]
        await here.api.call("POST", f"{place}/keep")
        assert b"\nkept: true\n" in (await here.api.call("GET", f"{place}.yml"))[1]
        (stays,) = left(here)
        await here.parts.store._db.write("DELETE FROM images")  # the database is lost
        rows = ImageRows(here.parts.store._db)
        await housekeeping.find_strays(
            here.parts.tokens.names(), here.parts.store, here.parts.archive, rows, begun=time.time() + 60
        )
        kept = [(await rows.of(one)).kept for one in ids]  # type: ignore[union-attr]
        assert kept == [True, False]
        assert (await rows.of(ids[0])).relpath == stays  # type: ignore[union-attr]
        await here.api.call("DELETE", f"{place}/keep")
        assert (await here.api.call("GET", f"{place}.yml"))[1] == before
        assert left(here) == set()


async def test_with_a_sheet_all_pictures_on_it_are_kept(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await sheet_of(here)
        sheet, one = (
            f"/v1/images/{found['image_id']}" for found in (job["sheet"]["picture"], job["pictures"][1]["result"])
        )
        await here.api.call("POST", f"{sheet}/keep")
        assert len(left(here)) == 5
        await here.api.call("POST", f"{one}/keep")
        await here.api.call("DELETE", f"{sheet}/keep")
        assert left(here) == {(await here.parts.store.image(one.rpartition("/")[2], "otterbot")).relpath}  # type: ignore[union-attr]


@pytest.mark.parametrize("private", [False, True])
async def test_a_mark_says_nothing_of_encrypted_rooms(tmp_path: Path, private: bool) -> None:
    """The operator's word about them holds, whoever keeps a picture."""
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.done((await here.api.submit(image(private=private)))["id"])
        place = f"/v1/images/{job['pictures'][0]['result']['image_id']}"
        for call in ("keep", "delivered"):
            await here.api.call("POST", f"{place}/{call}")
        assert (await here.api.call("GET", place))[0] == (410 if private else 200)
