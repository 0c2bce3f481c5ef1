"""Contact sheets from the request to the file: when they are made, what they say, and when they leave."""

from __future__ import annotations

import errno
import hashlib
import io
import time
from pathlib import Path

import pytest
from core_lab import Here, Json, events, image, settings, until, worker_here
from PIL import Image

from otterbot_worker.api import housekeeping
from otterbot_worker.queue.image_rows import ImageRows
from otterbot_worker.queue.model import CHOOSING_SECONDS
from otterbot_worker.runner import sheets as runner

FOUR = {"count": 4, "seed": 10, "sheet": {}}
FINAL = ("succeeded", "failed", "cancelled")


async def sheet_of(here: Here, body: Json) -> Json:
    """The job, once its sheet is made."""
    job = await here.api.submit(body)
    return await here.api.until(job["id"], lambda job: job["state"] in FINAL and job["sheet"] is not None)


def file_of(here: Here, job: Json) -> Path:
    (path,) = here.parts.archive.root.rglob(job["sheet"]["picture"]["filename"])
    return path


async def test_a_sheet_follows_its_last_picture(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        stream = events(here.api)
        await anext(stream)
        job = await sheet_of(here, image(**FOUR))
        sheet, picture = job["sheet"], job["sheet"]["picture"]
        assert job["resolved"]["sheet"]["columns"] == sheet["columns"] == 2
        assert [(field["name"], field["shown"]) for field in sheet["fields"]] == [(str(n), True) for n in range(1, 5)]
        path = f"/v1/images/{picture['image_id']}"
        status, data = await here.api.call("GET", path)
        assert (status, len(data)) == (200, picture["size"])
        assert hashlib.sha256(data).hexdigest() == picture["sha256"]
        with Image.open(io.BytesIO(data)) as opened:
            assert (opened.format, opened.size) == ("JPEG", (picture["width"], picture["height"]))
            seen = opened.getpixel((picture["width"] // 4, picture["height"] * 2 // 5))
        assert max(seen) < 20, "the colour of seed 10"  # type: ignore[arg-type, type-var]
        _, small = await here.api.call("GET", f"{path}/thumbnail")
        assert hashlib.sha256(small).hexdigest() == picture["thumbnail"]["sha256"]
        _, sidecar = await here.api.call("GET", f"{path}.yml")
        assert b"otter_" in sidecar
        assert (await here.other.call("GET", path))[0] == 404, "another client's"
        async for name, told in stream:
            if name == "job" and told["job"]["sheet"] is not None:
                assert told["job"]["sheet"] == sheet, "who listens hears of it"
                break


async def test_fields_of_failed_and_cancelled_pictures_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    contents = runner.SheetRunner._contents
    monkeypatch.setattr(runner.SheetRunner, "_contents", lambda *args: asked.append(contents(*args)) or asked[-1])
    async with worker_here(settings(tmp_path)) as here:
        job = await sheet_of(here, image(prompt="failodd", **FOUR))
        assert (job["state"], [field["shown"] for field in job["sheet"]["fields"]]) == ("failed", [True, False] * 2)
        assert [field.absence for field in asked[0].fields][1] == "failed"
        cut = await here.api.submit(image("key-00002", prompt="slow", steps=20, count=3, sheet={}))
        await here.api.until(cut["id"], lambda job: job["pictures"][0]["state"] == "succeeded")
        await here.api.call("DELETE", f"/v1/jobs/{cut['id']}")
        cut = await here.api.until(cut["id"], lambda job: job["sheet"] is not None)
        assert [field["shown"] for field in cut["sheet"]["fields"]][::2] == [True, False]
        assert asked[1].fields[2].absence == "cancelled"


async def test_where_nothing_was_drawn_there_is_no_sheet(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.done((await here.api.submit(image(prompt="fail", **FOUR)))["id"])
        after = await sheet_of(here, image("key-00002", **FOUR))
        assert after["sheet"]["picture"] is not None
        assert (await here.api.job(job["id"]))["sheet"] is None
        assert await here.parts.sheets.owed() == []


async def test_twelve_of_different_sizes_whose_gpu_process_is_killed(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        one = await here.api.done((await here.api.submit(image()))["id"])
        each = [{"seed": number, "width": 192 if number % 2 else 96} for number in range(12)]
        twelve = {**one["resolved"], "prompt": "die:once:1", "count": 12, "each": each, "sheet": {"columns": 4}}
        job = await sheet_of(here, {**image("key-00002"), "kind": "resolved", "request": twelve})
        assert job["state"] == "succeeded"
        assert sorted(picture["attempt"] for picture in job["pictures"])[-2:] == [1, 2]
        assert len({picture["result"]["width"] for picture in job["pictures"]}) == 2
        assert [field["shown"] for field in job["sheet"]["fields"]] == [True] * 12
        assert job["resolved"]["sheet"]["columns"] == 4


async def test_a_worker_that_ends_before_makes_it_after_its_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with worker_here(settings(tmp_path)) as here:

        async def full(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, "full")

        with monkeypatch.context() as disk:
            disk.setattr(here.parts.archive, "store_sheet", full)
            job = await here.api.done((await here.api.submit(image(**FOUR)))["id"])
            assert job["sheet"] is None
    async with worker_here(settings(tmp_path), paused=True) as here:
        job = await here.api.until(job["id"], lambda job: job["sheet"] is not None)
        assert file_of(here, job).stat().st_size == job["sheet"]["picture"]["size"]
        assert len(list(tmp_path.glob("archive/2*/*.sheet.jpg"))) == 1


async def test_what_cannot_be_made_is_said_and_the_pictures_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with worker_here(settings(tmp_path)) as here:

        async def broken(*_: object, **__: object) -> None:
            raise ValueError("nobody knows why")

        monkeypatch.setattr(here.parts.archive, "store_sheet", broken)
        job = await sheet_of(here, image(**FOUR))
        assert (job["state"], job["sheet"]["picture"]) == ("succeeded", None)
        assert job["sheet"]["error"]["code"] == "sheet_failed"
        assert (await here.api.call("GET", f"/v1/images/{job['pictures'][0]['result']['image_id']}"))[0] == 200


async def test_pictures_that_are_deleted_before_leave_no_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it is being made, too."""
    async with worker_here(settings(tmp_path)) as here:
        archive = here.parts.archive
        store_sheet = archive.store_sheet

        async def beaten(*args: object, **options: object) -> object:
            made = await store_sheet(*args, **options)  # type: ignore[arg-type]
            for picture in (await here.api.job(job["id"]))["pictures"]:
                await here.api.call("DELETE", f"/v1/images/{picture['result']['image_id']}")
            return made

        monkeypatch.setattr(archive, "store_sheet", beaten)
        job = await here.api.submit(image(**FOUR))

        async def settled() -> bool:
            done = (await here.api.job(job["id"]))["state"] == "succeeded"
            found = await here.parts.store._db.fetch("SELECT 1 FROM jobs WHERE sheet_owed = 1")
            return done and not found

        await until(settled)
        assert not list(tmp_path.glob("archive/2*/*"))


async def test_deleted_with_its_pictures_and_they_with_it(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        first = await sheet_of(here, image("key-00001", **FOUR))
        for count, picture in enumerate(first["pictures"]):
            assert file_of(here, first).exists(), count
            await here.api.call("DELETE", f"/v1/images/{picture['result']['image_id']}")
        assert not list(tmp_path.glob("archive/2*/*")), "the last one takes it along"
        second = await sheet_of(here, image("key-00002", **FOUR))
        for _ in range(2):
            assert (await here.api.call("DELETE", f"/v1/images/{second['sheet']['picture']['image_id']}"))[0] == 204
        assert not list(tmp_path.glob("archive/2*/*"))
        status, _ = await here.api.call("GET", f"/v1/images/{second['pictures'][2]['result']['image_id']}")
        assert status == 410


async def test_of_an_encrypted_room_it_leaves_once_delivered_and_its_pictures_an_hour_later(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await sheet_of(here, image(prompt="canary5f1e", private=True, **FOUR))
        path = f"/v1/images/{job['sheet']['picture']['image_id']}"
        for _ in range(2):
            assert (await here.api.call("POST", f"{path}/delivered"))[0] == 204
        assert (await here.api.call("GET", path))[0] == 410
        assert not list(tmp_path.glob("archive/2*/*sheet*"))
        chosen = f"/v1/images/{job['pictures'][1]['result']['image_id']}"
        assert (await here.api.call("GET", chosen))[0] == 200, "people choose from it"
        assert (await here.api.call("POST", f"{chosen}/delivered"))[0] == 204
        assert (await here.api.call("GET", chosen))[0] == 410
        store, archive, sheets = here.parts.store, here.parts.archive, here.parts.sheets
        rows = ImageRows(store._db)
        await housekeeping.sweep(store, archive, rows)
        await housekeeping.no_longer_chosen_from(store, archive, rows, sheets)
        assert len(list(tmp_path.glob("archive/2*/*.png"))) == 3
        await store._db.write("UPDATE images SET keep_until = keep_until - ?", (CHOOSING_SECONDS,))
        await housekeeping.no_longer_chosen_from(store, archive, rows, sheets)
        assert not list(tmp_path.glob("archive/2*/*"))
        await store.forget(time.time() + 3_700, private_requests=True)
        words = await store._db.fetch(
            "SELECT 1 FROM jobs JOIN rows ON rows.job_id = jobs.id "
            "WHERE jobs.request || jobs.sheet || rows.result LIKE '%canary5f1e%'"
        )
        assert words == []


async def test_of_an_open_room_everything_stays(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await sheet_of(here, image(**FOUR))
        await here.api.call("POST", f"/v1/images/{job['sheet']['picture']['image_id']}/delivered")
        await here.parts.store._db.write("UPDATE images SET keep_until = 0 WHERE keep_until IS NOT NULL")
        rows = ImageRows(here.parts.store._db)
        await housekeeping.no_longer_chosen_from(here.parts.store, here.parts.archive, rows, here.parts.sheets)
        assert len(list(tmp_path.glob("archive/2*/*.png"))) == 4
        assert file_of(here, job).exists()


async def test_a_sheet_that_no_row_knows_is_taken_in_again(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await sheet_of(here, image(**FOUR))
        await here.parts.store._db.write("DELETE FROM images")
        rows, begun = ImageRows(here.parts.store._db), time.time() + 60
        await housekeeping.find_strays(here.parts.tokens.names(), here.parts.store, here.parts.archive, rows, begun)
        path = f"/v1/images/{job['sheet']['picture']['image_id']}"
        assert (await here.api.call("GET", path))[0] == 200
        assert (await here.api.call("DELETE", path))[0] == 204
        assert len(list(tmp_path.glob("archive/2*/*.png"))) == 4, "whose pictures they were is forgotten"


async def test_a_file_without_its_row_gets_one_row(tmp_path: Path) -> None:
    """The worker died between them: the file is taken in, and the sheet made again, in whatever order."""
    async with worker_here(settings(tmp_path)) as here:
        job = await sheet_of(here, image(**FOUR))
        database, image_id = here.parts.store._db, job["sheet"]["picture"]["image_id"]
        await database.write("DELETE FROM images WHERE idx < 0")
        await database.write("UPDATE jobs SET sheet = NULL, sheet_owed = 1")
        await housekeeping.find_strays(
            here.parts.tokens.names(), here.parts.store, here.parts.archive, here.parts.images, time.time() + 60
        )
        here.parts.hub.changed.set()
        again = await here.api.until(job["id"], lambda job: job["sheet"] is not None)
        assert again["sheet"]["picture"]["image_id"] == image_id
        rows = await database.fetch("SELECT job_id FROM images WHERE idx < 0")
        assert [row["job_id"] for row in rows] == [job["id"]]


async def test_a_picture_that_is_deleted_leaves_its_sheet(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await sheet_of(here, image(**FOUR))
        before, path = file_of(here, job).read_bytes(), f"/v1/images/{job['sheet']['picture']['image_id']}"
        await here.api.call("POST", f"{path}/keep")
        assert (await here.api.call("DELETE", f"/v1/images/{job['pictures'][0]['result']['image_id']}"))[0] == 204
        after = await here.api.until(job["id"], lambda job: not job["sheet"]["fields"][0]["shown"])
        assert [field["shown"] for field in after["sheet"]["fields"]] == [False, True, True, True]
        assert after["sheet"]["picture"]["image_id"] == job["sheet"]["picture"]["image_id"]
        _, data = await here.api.call("GET", path)
        assert hashlib.sha256(data).hexdigest() == after["sheet"]["picture"]["sha256"]
        assert data != before
        assert b"\nkept: true\n" in (await here.api.call("GET", f"{path}.yml"))[1], "the mark stays"
        assert len(list(tmp_path.glob("archive/2*/*.sheet.jpg"))) == 1


async def test_one_that_was_taken_in_speaks_for_no_other_picture(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await sheet_of(here, image(**FOUR))
        await here.parts.store._db.write("DELETE FROM images")
        rows, begun = ImageRows(here.parts.store._db), time.time() + 60
        await housekeeping.find_strays(here.parts.tokens.names(), here.parts.store, here.parts.archive, rows, begun)
        await here.api.call("POST", f"/v1/images/{job['sheet']['picture']['image_id']}/delivered")
        told = await here.parts.store._db.fetch("SELECT 1 FROM images WHERE delivered_at IS NOT NULL")
        assert len(told) == 1, "the sheet alone"


BAD = {
    "one picture": ({"count": 1, "sheet": {}}, "request.sheet", "too_few"),
    "titles of columns": (
        {"count": 4, "sheet": {"columns": 2, "column_titles": ["a", "b", "c"]}},
        "request.sheet.column_titles",
        "wrong_count",
    ),
    "titles of rows": (
        {"count": 4, "sheet": {"columns": 2, "row_titles": ["a"]}},
        "request.sheet.row_titles",
        "wrong_",
    ),
    "a long title": ({"count": 2, "sheet": {"titles": ["x" * 81, ""]}}, "request.sheet.titles.0", "string_too_long"),
    "no columns": ({"count": 2, "sheet": {"columns": 0}}, "request.sheet.columns", ""),
    "something else": ({"count": 2, "sheet": {"colour": "red"}}, "request.sheet.colour", "extra_forbidden"),
}


@pytest.mark.parametrize("case", BAD)
async def test_what_is_wrong_with_a_sheet_is_named(tmp_path: Path, case: str) -> None:
    fields, named, code = BAD[case]
    async with worker_here(settings(tmp_path), paused=True) as here:
        status, problem = await here.api.call("POST", "/v1/jobs", image(**fields))
        assert status == 422
        (field,) = problem["fields"]
        assert (field["field"], field["code"][: len(code)]) == (named, code)


async def test_titles_name_fields_and_come_back_when_it_is_submitted_again(tmp_path: Path) -> None:
    titles = {"columns": 2, "column_titles": ["cfg 4", "cfg 8"], "row_titles": ["a", "b"], "caption": "otter"}
    async with worker_here(settings(tmp_path)) as here:
        job = await sheet_of(here, image(count=4, seed=3, sheet=titles))
        assert [field["name"] for field in job["sheet"]["fields"]] == ["A1", "B1", "A2", "B2"]
        body = {**image("key-00002"), "kind": "resolved", "request": job["resolved"]}
        again = await sheet_of(here, body)
        assert again["resolved"]["sheet"] == job["resolved"]["sheet"]
        sheets = [one["sheet"]["picture"]["sha256"] for one in (job, again)]
        assert sheets[0] == sheets[1], "the same pictures make the same sheet"


# ---------------------------------------------------------------- one of them once more


async def chosen(here: Here, job: Json, index: int, **changes: object) -> Json:
    """A job for one picture of another one, as a client asks for it."""
    used = job["pictures"][index]["result"]["record"]["used"]
    names = ("prompt", "negative_prompt", "model", "steps", "guidance_scale", "width", "height", "sampler", "seed")
    fields = {name: used[name] for name in names} | {"drawn_before": job["pictures"][index]["result"]["image_id"]}
    outer = {name: job[name] for name in ("room", "private")}
    return await here.api.submit(image(f"key-chosen-{len(changes)}-{index}", **{**outer, **fields, **changes}))


async def test_what_is_in_the_archive_is_not_drawn_again(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await sheet_of(here, image(**FOUR))
        await here.api.call("POST", "/v1/pause", {})
        again = await chosen(here, job, 1)
        assert again["state"] == "succeeded", "at once, although nothing is drawn now"
        assert again["pictures"][0]["result"] == job["pictures"][1]["result"]
        assert (await chosen(here, job, 1))["id"] == again["id"]


@pytest.mark.parametrize("sheet_first", [False, True])
async def test_the_file_goes_with_the_last_job_that_has_it(tmp_path: Path, sheet_first: bool) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await sheet_of(here, image(**FOUR))
        again = await chosen(here, job, 1, owner="@bob:here")
        sheet, one = (
            f"/v1/images/{found['image_id']}" for found in (job["sheet"]["picture"], job["pictures"][1]["result"])
        )
        calls = [(one, again["key"]), (sheet, job["key"])]
        (first, key), (second, other) = reversed(calls) if sheet_first else calls
        for _ in range(2):
            assert (await here.api.call("DELETE", f"{first}?key={key}"))[0] == 204
        assert (await here.api.call("GET", one))[0] == 200, "the other one still has it"
        assert len(list(tmp_path.glob("archive/2*/*.png"))) == (1 if sheet_first else 4)
        assert (await here.api.call("DELETE", f"{second}?key={other}"))[0] == 204
        assert not list(tmp_path.glob("archive/2*/*"))
        assert (await here.api.call("DELETE", f"{one}?kye=x"))[0] == 422


async def test_who_names_no_job_deletes_for_all(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await sheet_of(here, image(**FOUR))
        await chosen(here, job, 1)
        one = f"/v1/images/{job['pictures'][1]['result']['image_id']}"
        assert (await here.api.call("DELETE", one))[0] == 204
        assert (await here.api.call("GET", one))[0] == 410


OTHERS: dict[str, Json] = {
    "another seed": {"seed": 99},
    "other words": {"prompt": "fox"},
    "another room": {"room": "!other:here"},
    "more steps": {"steps": 3},
    "two of them": {"count": 2},
    "a second pass": {"hires": {"scale": 2.0}},
    "another layer of the encoder": {"clip_skip": 2},
    "a film": {"film": True},
    "an id of nobody's": {"drawn_before": "../../etc/passwd"},
}


@pytest.mark.parametrize("case", OTHERS)
async def test_what_is_not_that_picture_is_drawn(tmp_path: Path, case: str) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await sheet_of(here, image(**FOUR))
        await here.api.call("POST", "/v1/pause", {})
        again = await chosen(here, job, 1, **OTHERS[case])
        assert again["state"] == "queued"
        await here.api.call("POST", "/v1/resume")
        done = await here.api.done(again["id"])
        assert done["pictures"][0]["result"]["image_id"] != job["pictures"][1]["result"]["image_id"]


async def test_one_that_is_gone_is_drawn_and_the_same(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await sheet_of(here, image(private=True, **FOUR))
        await here.api.call("POST", f"/v1/images/{job['sheet']['picture']['image_id']}/delivered")
        before = f"/v1/images/{job['pictures'][1]['result']['image_id']}"
        await here.api.call("POST", f"{before}/delivered")
        assert (await here.api.call("GET", before))[0] == 410
        again = await here.api.done((await chosen(here, job, 1))["id"])
        assert again["pictures"][0]["result"]["record"]["used"]["seed"] == 11


async def test_its_words_are_forgotten_with_the_job_that_took_it_over(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await sheet_of(here, image(prompt="canary5f1e", private=True, **FOUR))
        again = await chosen(here, job, 1)
        assert again["state"] == "succeeded"
        for picture in job["pictures"]:
            await here.api.call("DELETE", f"/v1/images/{picture['result']['image_id']}")
        await here.parts.store.forget(time.time() + 3_700, private_requests=True)
        words = await here.parts.store._db.fetch(
            "SELECT 1 FROM jobs JOIN rows ON rows.job_id = jobs.id "
            "WHERE jobs.request || coalesce(jobs.sheet, '') || rows.result LIKE '%canary5f1e%'"
        )
        assert words == []
