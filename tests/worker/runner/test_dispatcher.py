"""The dispatcher, its store and the API together, with a GPU process that is a small program."""

from __future__ import annotations

import asyncio
import hashlib
import io
import time
from pathlib import Path

import aiosqlite
import pytest
from core_lab import Json, image, settings, until, worker_here
from PIL import Image

from otterbot_worker import __version__
from otterbot_worker.queue.model import WORKER_DEATHS_ALLOWED
from otterbot_worker.runner import claims as claims_module


def first(job: Json) -> Json:
    picture = job["pictures"][0]
    assert isinstance(picture, dict)
    return picture


async def test_from_submission_to_bytes(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        sent = image(
            prompt="otter, cowboy hat", seed=2**32 - 1, count=2, asked={"prompt": "otter, cowboy hat", "count": 2}
        )
        job = await here.api.submit(sent)
        assert job["state"] == "queued"
        assert job["place"] == 0
        done = await here.api.done(job["id"])
        assert done["state"] == "succeeded"
        assert [picture["seed"] for picture in done["pictures"]] == [2**32 - 1, 0], "seeds go round"
        result = first(done)["result"]
        assert result["record"]["asked"] == sent["request"]["asked"]
        assert result["record"]["used"]["seed"] == 2**32 - 1
        assert result["record"]["used"]["versions"]["otterbot-worker"]
        assert result["filename"].startswith("otter_")
        status, png = await here.api.call("GET", f"/v1/images/{result['image_id']}")
        assert status == 200
        assert len(png) == result["size"]
        assert hashlib.sha256(png).hexdigest() == result["sha256"]
        assert Image.open(io.BytesIO(png)).getpixel((0, 0)) == (255, 0, 255)
        _, small = await here.api.call("GET", f"/v1/images/{result['image_id']}/thumbnail")
        assert len(small) == result["thumbnail"]["size"]
        assert hashlib.sha256(small).hexdigest() == result["thumbnail"]["sha256"]
        _, sidecar = await here.api.call("GET", f"/v1/images/{result['image_id']}.yml")
        assert b"cowboy hat" in sidecar


async def test_one_death_is_drawn_again_with_the_same_seed(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.submit(image(prompt="die:once:1", seed=99, steps=4))
        done = await here.api.done(job["id"])
        assert done["state"] == "succeeded"
        assert first(done)["attempt"] == 2
        assert first(done)["result"]["record"]["used"]["seed"] == 99


async def test_two_deaths_are_poison_and_the_queue_goes_on(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        bad = await here.api.submit(image("key-bad-1", prompt="die:twice:9", steps=4))
        good = await here.api.submit(image("key-good-1", owner="@bob:here"))
        assert (await here.api.done(good["id"]))["state"] == "succeeded"
        done = await here.api.done(bad["id"])
        assert done["state"] == "failed"
        error = first(done)["error"]
        assert error["code"] == "poison"
        assert "not tried again" in error["message"]
        assert first(done)["attempt"] == 2
        _, metrics = await here.api.call("GET", "/metrics")
        assert b"otterbot_gpu_process_deaths_total 2.0" in metrics


async def test_a_hang_is_a_death(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path, gpu={"step_timeout": 0.3})) as here:
        job = await here.api.submit(image(prompt="hang"))
        done = await here.api.done(job["id"])
        assert first(done)["error"]["code"] == "poison"
        assert first(done)["error"]["details"]["reason"]


async def test_a_failed_picture_fails_alone(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.submit(image(prompt="fail", count=1))
        done = await here.api.done(job["id"])
        assert (done["state"], first(done)["error"]["code"]) == ("failed", "nan")
        again = await here.api.submit(image("key-00002"))
        assert (await here.api.done(again["id"]))["state"] == "succeeded"


async def test_cancel_queued_and_running(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        running = await here.api.submit(image("key-run-1", prompt="slow", steps=100, count=2))
        waiting = await here.api.submit(image("key-wait-1"))
        await here.api.running(running["id"])
        for job in (waiting, running):
            status, cancelled = await here.api.call("DELETE", f"/v1/jobs/{job['id']}")
            assert (status, cancelled["state"]) == (200, "cancelled")
        status, again = await here.api.call("DELETE", f"/v1/jobs/{running['id']}")
        assert (status, again["state"]) == (200, "cancelled"), "cancelling twice is fine"
        started = time.monotonic()
        third = await here.api.submit(image("key-third-1"))
        assert (await here.api.done(third["id"]))["state"] == "succeeded"
        assert time.monotonic() - started < 5, "the GPU process stopped within a step"
        assert (await here.api.job(running["id"]))["state"] == "cancelled"


async def test_cancelled_while_it_is_archived(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with worker_here(settings(tmp_path)) as here:
        archive, reached, go_on = here.parts.archive, asyncio.Event(), asyncio.Event()
        store = archive.store

        async def held(**options: object) -> object:
            stored = await store(**options)  # type: ignore[arg-type]
            reached.set()
            await go_on.wait()
            return stored

        monkeypatch.setattr(archive, "store", held)
        job = await here.api.submit(image())
        await reached.wait()
        await here.api.call("DELETE", f"/v1/jobs/{job['id']}")
        go_on.set()
        # A picture that nobody wants is not kept.
        await until(lambda: not list(tmp_path.glob("archive/2*/*.png")))
        assert (await here.api.job(job["id"]))["state"] == "cancelled"


async def test_archiving_overlaps_the_next_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with worker_here(settings(tmp_path)) as here:
        archive, go_on = here.parts.archive, asyncio.Event()
        store = archive.store

        async def held(**options: object) -> object:
            await go_on.wait()
            return await store(**options)  # type: ignore[arg-type]

        monkeypatch.setattr(archive, "store", held)
        job = await here.api.submit(image(count=2, prompt="slow", steps=8))

        def second_runs(job: Json) -> bool:
            phases = [picture["progress"]["phase"] if picture["progress"] else None for picture in job["pictures"]]
            return phases == ["saving", "denoising"]

        await here.api.until(job["id"], second_runs)
        go_on.set()
        assert (await here.api.done(job["id"]))["state"] == "succeeded"


async def test_pause_frees_the_card_and_outlives_the_worker(tmp_path: Path) -> None:
    config = settings(tmp_path)
    async with worker_here(config) as here:
        job = await here.api.submit(image(prompt="slow", steps=20))
        await here.api.running(job["id"])
        status, paused = await here.api.call("POST", "/v1/pause")
        assert (status, paused) == (200, {"paused": True, "until": None})
        waiting = await here.api.until(job["id"], lambda job: job["state"] == "queued")
        assert first(waiting)["attempt"] == 0, "the attempt was given back"
        await until(lambda: here.parts.gpu.pid is None)
        assert (await here.api.call("GET", "/readyz"))[0] == 503
    async with worker_here(config) as here:
        _, info = await here.api.call("GET", "/v1/info")
        assert info["pause"]["paused"]
        await asyncio.sleep(0.1)
        assert (await here.api.job(job["id"]))["state"] == "queued"
        await here.api.call("POST", "/v1/resume")
        assert (await here.api.done(job["id"]))["state"] == "succeeded"


async def test_a_pause_with_an_end_ends(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        status, paused = await here.api.call("POST", "/v1/pause", {"minutes": 0.01})
        assert status == 200
        assert paused["until"] == pytest.approx(time.time() + 0.6, abs=0.5)
        job = await here.api.submit(image())
        assert (await here.api.done(job["id"]))["state"] == "succeeded"
        _, info = await here.api.call("GET", "/v1/info")
        assert not info["pause"]["paused"]


async def test_without_pictures_the_card_is_given_back_and_the_next_one_takes_it_again(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path, gpu={"idle_unload_s": 0.5})) as here:
        job = await here.api.done((await here.api.submit(image(prompt="slow", steps=20)))["id"])
        assert (first(job)["state"], first(job)["attempt"]) == ("succeeded", 1), "drawing is no idleness"
        await until(lambda: here.parts.gpu.pid is None)
        gpu = (await here.api.call("GET", "/v1/info"))[1]["gpu"]
        assert (gpu["state"], gpu["resident"]) == ("stopped", None)
        assert (await here.api.done((await here.api.submit(image("key-00002")))["id"]))["state"] == "succeeded"
    async with worker_here(settings(tmp_path, gpu={"idle_unload_s": 0})) as here:
        await here.api.done((await here.api.submit(image("key-00003")))["id"])
        await asyncio.sleep(1)
        assert here.parts.gpu.pid is not None


async def test_a_clean_end_leaves_the_running_row_queued(tmp_path: Path) -> None:
    config = settings(tmp_path)
    async with worker_here(config) as here:
        job = await here.api.submit(image(prompt="slow", steps=60))
        await here.api.running(job["id"])
        started = time.monotonic()
    assert time.monotonic() - started < 8
    async with aiosqlite.connect(config.database) as database:
        rows = await database.execute_fetchall("SELECT state, attempt, worker_deaths, gpu_deaths FROM rows")
    assert list(rows) == [("queued", 0, 0, 0)]


async def _left_running(database: Path, deaths: int) -> None:
    async with aiosqlite.connect(database) as connection:
        await connection.execute("UPDATE rows SET state = 'running', attempt = 1, worker_deaths = ?", (deaths,))
        await connection.commit()


async def test_a_start_takes_up_what_ran(tmp_path: Path) -> None:
    config = settings(tmp_path)
    async with worker_here(config, paused=True) as here:
        job = await here.api.submit(image())
    await _left_running(config.database, 0)
    async with worker_here(config) as here:
        assert first(await here.api.job(job["id"]))["state"] == "queued"
        await here.api.call("POST", "/v1/resume")
        done = await here.api.done(job["id"])
        assert (done["state"], first(done)["attempt"]) == ("succeeded", 2)


async def test_what_ends_the_worker_five_times_is_given_up(tmp_path: Path) -> None:
    config = settings(tmp_path)
    async with worker_here(config, paused=True) as here:
        job = await here.api.submit(image())
    await _left_running(config.database, WORKER_DEATHS_ALLOWED - 1)
    async with worker_here(config) as here:
        failed = first(await here.api.job(job["id"]))
        assert (failed["state"], failed["error"]["code"]) == ("failed", "worker_restarts")


async def test_a_gpu_process_that_does_not_start_blames_no_picture(tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.submit(image())
        await until(lambda: "image" in here.parts.dispatcher.obstacles)
        assert (await here.api.call("GET", "/readyz"))[0] == 503
        waiting = await here.api.until(job["id"], lambda job: job["state"] == "queued")
        assert first(waiting)["attempt"] == 0
        _, info = await here.api.call("GET", "/v1/info")
        assert "could not load torch" in info["notice"], "a sentence, not a code"
        (tmp_path / "broken").unlink()
        assert (await here.api.done(job["id"]))["state"] == "succeeded"


async def test_no_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        job = await here.api.submit(image())
        monkeypatch.setattr(claims_module, "FULL_DISK_SECONDS", 0.1)
        monkeypatch.setattr(here.parts.archive, "has_room", lambda: False)
        status, problem = await here.api.call("POST", "/v1/jobs", image("key-00002"))
        assert (status, problem["code"]) == (507, "disk_full")
        assert (await here.api.submit(image()))["id"] == job["id"], "what was accepted stays accepted"
        await here.api.call("POST", "/v1/resume")
        await until(lambda: "image" in here.parts.dispatcher.obstacles)
        monkeypatch.undo()
        assert (await here.api.done(job["id"]))["state"] == "succeeded"


async def test_delivered_pictures_of_encrypted_rooms_go(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        kept = await here.api.done((await here.api.submit(image("key-open-1")))["id"])
        gone = await here.api.done((await here.api.submit(image("key-private-1", private=True)))["id"])
        for job, after in ((kept, 200), (gone, 410)):
            path = f"/v1/images/{first(job)['result']['image_id']}"
            for _ in range(2):
                assert (await here.api.call("POST", f"{path}/delivered"))[0] == 204
            status, answer = await here.api.call("GET", path)
            assert status == after
        assert answer["code"] == "image_gone"
        assert len(list(tmp_path.glob("archive/2*/*.png"))) == 1


async def test_a_picture_names_the_worker_that_drew_it(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.done((await here.api.submit(image()))["id"])
        _, png = await here.api.call("GET", f"/v1/images/{first(job)['result']['image_id']}")
        assert f"Version: otterbot {__version__}".encode() in png


async def test_a_deleted_picture_is_gone(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.done((await here.api.submit(image()))["id"])
        path = f"/v1/images/{first(job)['result']['image_id']}"
        assert (await here.other.call("DELETE", path))[0] == 404, "another client's"
        assert (await here.api.call("DELETE", path))[0] == 204
        assert (await here.api.call("DELETE", path))[0] == 204
        assert (await here.api.call("GET", f"{path}/thumbnail"))[0] == 410
        assert not list(tmp_path.glob("archive/2*/*"))


async def test_what_did_not_fit_is_remembered_over_restarts_and_the_record_names_the_plan(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.done((await here.api.submit(image(prompt="tight")))["id"])
        assert job["pictures"][0]["result"]["record"]["used"]["plan"] == "tiled"
    async with worker_here(settings(tmp_path)) as here:
        for number, (prompt, plan) in enumerate((("tight", "tiled"), ("otter", "resident"))):
            job = await here.api.done((await here.api.submit(image(f"key-1000{number}", prompt=prompt)))["id"])
            assert job["pictures"][0]["result"]["record"]["used"]["plan"] == plan
        stored = await here.parts.store.meta("lessons")
        assert [len(ooms) for ooms in stored.values()] == [1], "what was told before is not learned again"


async def test_what_did_not_fit_is_remembered_of_a_picture_that_failed(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.done((await here.api.submit(image(prompt="tight fail")))["id"])
        assert job["state"] == "failed"
        assert "ooms" not in str(job), "they are no business of the client's"
        stored = await here.parts.store.meta("lessons")
        assert [[oom["plan"] for oom in ooms] for ooms in stored.values()] == [["resident"]]


async def test_what_was_learned_by_pixels_is_forgotten(tmp_path: Path) -> None:
    config = settings(tmp_path)
    async with worker_here(config) as here:
        job = await here.api.done((await here.api.submit(image(prompt="tight")))["id"])
        model = job["pictures"][0]["result"]["record"]["used"]["model"]
    async with worker_here(config, paused=True) as here:
        old = {"plan": "tiled", "pixels": 1, "available": 1}
        await here.parts.store.set_meta("lessons", {model: [old, 5], "gone": "nonsense"})
        await here.api.call("POST", "/v1/resume")
    async with worker_here(config) as here:
        job = await here.api.done((await here.api.submit(image("key-00002", prompt="tight fail")))["id"])
        assert job["state"] == "failed"
        stored = await here.parts.store.meta("lessons")
        assert [oom["plan"] for oom in stored[model]] == ["resident"]


async def test_speeds_are_measured_and_kept(tmp_path: Path) -> None:
    config = settings(tmp_path)
    async with worker_here(config) as here:
        await here.api.done((await here.api.submit(image(prompt="slow", steps=5)))["id"])
    async with worker_here(config, paused=True) as here:
        job = await here.api.submit(image("key-00002", steps=10, count=2))
        assert job["eta_s"] is not None
        assert 0.5 < job["eta_s"] < 5, "ten steps of a tenth of a second, twice"


async def test_people_take_turns(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        many = await here.api.submit(image("key-many-1", count=8))
        one = await here.api.submit(image("key-one-1", owner="@bob:here"))
        assert one["place"] == 1, "behind one picture of the eight"
        await here.api.call("POST", "/v1/resume")
        await here.api.done(one["id"])
        rows = (await here.api.job(many["id"]))["pictures"]
        assert sum(row["state"] == "succeeded" for row in rows) <= 4
