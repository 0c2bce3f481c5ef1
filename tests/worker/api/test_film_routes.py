"""Films over the API: made of what was drawn for them, fetched, deleted with their picture; and why there is none."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

from core_lab import Json, image, settings, worker_here
from hollow_checker import put
from PIL import Image

from otterbot_worker.requests import resolve


async def drawn(api: object, **fields: object) -> list[Json]:
    job = await api.submit(image(**fields))  # type: ignore[attr-defined]
    return [picture["result"] for picture in (await api.done(job["id"]))["pictures"]]  # type: ignore[attr-defined]


async def test_each_picture_of_a_job_has_one(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        assert "film" in (await here.api.call("GET", "/v1/info"))[1]["features"]
        results = await drawn(here.api, steps=3, count=2, film=True)
        assert len(results) == 2
        for result in results:
            status, data = await here.api.call("GET", f"/v1/images/{result['image_id']}/film")
            assert status == 200
            told, opened = result["film"], Image.open(io.BytesIO(data))
            assert (told["size"], told["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
            assert (opened.format, opened.size) == ("WEBP", (told["width"], told["height"]))
            assert opened.n_frames == told["frames"] == 4
            assert not any("film" in note for note in result["notes"])
            assert b"otter" not in data
        assert (await here.other.call("GET", f"/v1/images/{results[0]['image_id']}/film"))[0] == 404
        await here.api.call("DELETE", f"/v1/images/{results[0]['image_id']}")
        assert (await here.api.call("GET", f"/v1/images/{results[0]['image_id']}/film"))[0] == 410
        assert (await here.api.call("GET", f"/v1/images/{results[1]['image_id']}/film"))[0] == 200


async def test_of_an_encrypted_room_it_is_gone_once_delivered(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        [result] = await drawn(here.api, film=True, private=True)
        place = f"/v1/images/{result['image_id']}"
        assert (await here.api.call("GET", f"{place}/film"))[0] == 200
        await here.api.call("POST", f"{place}/delivered")
        assert (await here.api.call("GET", f"{place}/film"))[0] == 410
        assert list((tmp_path / "archive").rglob("*.webp")) == []


async def test_nothing_to_look_at_meanwhile_unless_that_was_asked_for_too(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.submit(image(prompt="slow", steps=5, film=True))
        running = await here.api.running(job["id"], step=3)
        assert running["pictures"][0]["progress"]["preview"] == 0
        assert (await here.api.call("GET", f"/v1/jobs/{job['id']}/pictures/0/preview"))[1]["code"] == "no_preview"
        assert (await here.api.done(job["id"]))["pictures"][0]["result"]["film"]["frames"] == 6
        job = await here.api.submit(image("key-00002", prompt="slow", steps=5, film=True, preview=True))
        running = await here.api.running(job["id"], step=3)
        assert running["pictures"][0]["progress"]["preview"] >= 2
        assert (await here.api.done(job["id"]))["pictures"][0]["result"]["film"]["frames"] == 6


async def test_none_where_nobody_asked_or_it_cannot_be_made(tmp_path: Path) -> None:
    config = settings(tmp_path / "data", images={"safety_checker": str(put(tmp_path / "checker")), "downloads": False})
    async with worker_here(config) as here:
        [plain] = await drawn(here.api)
        assert plain["film"] is None
        assert not any("film" in note for note in plain["notes"])
        status, problem = await here.api.call("GET", f"/v1/images/{plain['image_id']}/film")
        assert (status, problem["code"]) == (404, "no_film")
        [torn] = await drawn(here.api, key="key-00002", prompt="torn", film=True)
        assert torn["film"] is None
        assert "There is no film: it could not be made." in torn["notes"]
        [safe] = await drawn(here.api, key="key-00003", film=True, safety=True)
        assert safe["film"] is None
        assert [note for note in safe["notes"] if "film" in note] == [resolve.NO_FILM]


async def test_an_upscaled_picture_has_none(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        file = io.BytesIO()
        Image.new("RGB", (64, 64)).save(file, "PNG")
        headers = {"Content-Type": "image/png"}
        _, sent = await here.api.call("POST", "/v1/inputs?private=false", data=file.getvalue(), headers=headers)
        body = image(film=True, upscale=2, init_image={"id": sent["id"]})
        status, problem = await here.api.call("POST", "/v1/jobs", body)
        assert status == 422
        assert "request.film" in [field["field"] for field in problem["fields"]]
