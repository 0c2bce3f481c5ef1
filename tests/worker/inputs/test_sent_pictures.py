"""Pictures to start from: sent, used, gone, sent again; with the GPU process that is a small program."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from core_lab import Here, Process, image, settings, worker_here
from PIL import Image
from sent_pictures import kept, png, send, sha, started

from otterbot_worker.queue.input_rows import Input, Retention, choose


def gif() -> bytes:
    """It moves."""
    data = io.BytesIO()
    red, blue = (Image.new("RGB", (96, 64), colour) for colour in ("red", "blue"))
    red.save(data, "GIF", save_all=True, append_images=[blue])
    return data.getvalue()


async def test_a_picture_is_drawn_from(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        data = png()
        status, answer = await send(here.api, data)
        assert (status, answer) == (
            201,
            {"id": sha(data), "width": 96, "height": 64, "alpha": False, "animated": False},
        )
        assert await send(here.api, data) == (status, answer)
        job = await here.api.done((await here.api.submit(started(data, steps=10, asked={"strength": 0.6})))["id"])
        assert job["state"] == "succeeded"
        asked = job["request"]
        assert (asked["width"], asked["height"], asked["strength"]) == (160, 104, 0.6)
        result = job["pictures"][0]["result"]
        used = result["record"]["used"]
        assert (used["init_image"], used["strength"], used["steps"]) == (sha(data), 0.6, 10)
        assert result["record"]["asked"] == {"strength": 0.6}
        assert result["notes"] == [
            "The picture has 96x64 pixels and was drawn at 160x104 (its shape, in multiples of 8). "
            "A strength of 0.6 takes 6 of the 10 steps."
        ]
        _, drawn = await here.api.call("GET", f"/v1/images/{result['image_id']}")
        with Image.open(io.BytesIO(drawn)) as picture:
            assert "Denoising strength: 0.6," in picture.info["parameters"]
            assert picture.size == (160, 104)


async def test_of_an_animation_the_first_image_is_used_and_that_is_said(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        data = gif()
        status, answer = await send(here.api, data, "image/gif")
        assert (status, answer["animated"]) == (201, True)
        job = await here.api.done((await here.api.submit(started(data)))["id"])
        notes = job["pictures"][0]["result"]["notes"]
        assert notes[0] == "The picture to start from is an animation; only its first image is used."
        job = await here.api.done((await here.api.submit(started(data, "key-00002", upscale=2)))["id"])
        assert notes[0] in job["pictures"][0]["result"]["notes"]


async def test_whose_picture_it_is_may_be_said(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        for number, owner in enumerate(("%40me:here", "x" * 5_000, "")):
            headers = {"Content-Type": "image/png", "Otterbot-Owner": owner}
            data = png(96, 64 + number)
            async with here.api.session.post(
                f"{here.api.address}/v1/inputs", data=io.BytesIO(data), headers=headers
            ) as response:
                assert response.status == 201
                assert (await response.json())["id"] == sha(data)


async def test_a_picture_that_keeps_a_decoder_busy_is_refused(tmp_path: Path) -> None:
    data = io.BytesIO()
    Image.new("RGB", (96, 64), "red").save(data, "JPEG", progressive=True)
    jpeg = data.getvalue()
    last = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    async with worker_here(settings(tmp_path)) as here:
        status, problem = await send(here.api, jpeg[:-2] + last * 60_000 + jpeg[-2:], "image/jpeg")
        assert (status, problem["code"]) == (422, "picture_too_complex")
        assert problem["detail"].endswith("Save it anew with any program and send that.")


async def test_without_a_picture_nothing_says_strength(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.done((await here.api.submit(image()))["id"])
        result = job["pictures"][0]["result"]
        assert result["notes"] == []
        _, drawn = await here.api.call("GET", f"/v1/images/{result['image_id']}")
        assert b"enoising" not in drawn


async def test_what_is_not_here_is_said_to_be_gone(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        data = png()
        status, problem = await here.api.call("POST", "/v1/jobs", started(data))
        assert (status, problem["code"]) == (422, "input_gone")
        await send(here.other, data)
        status, problem = await here.api.call("POST", "/v1/jobs", started(data))
        assert problem["code"] == "input_gone", "a client sees only its own"
        await send(here.api, data)
        os.unlink(tmp_path / "inputs" / "otterbot" / f"{sha(data)}.png")
        assert (await here.api.call("POST", "/v1/jobs", started(data)))[1]["code"] == "input_gone"
        await send(here.api, data)
        job = await here.api.submit(started(data))
        os.unlink(tmp_path / "inputs" / "otterbot" / f"{sha(data)}.png")
        assert (await here.api.submit(started(data)))["id"] == job["id"], "what was accepted once stays so"


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "no strength at all": ({"strength": 0}, "request.strength", "more than 0"),
    "too much": ({"strength": 1.01}, "request.strength", "at most 1"),
    "text": ({"strength": "0.6"}, "request.strength", "number"),
    "no hash": ({"init_image": {"id": "../../etc/passwd"}}, "request.init_image.id", "form"),
    "a strange key": ({"init_image": {"id": "0" * 64, "path": "/etc"}}, "request.init_image.path", "does not know"),
    "a size that the model does not draw": ({"width": 1000, "height": 96}, "request.width", "multiples of 8"),
}


@pytest.mark.parametrize("case", BAD)
async def test_bad_requests_name_the_field(tmp_path: Path, case: str) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        fields, field, said = BAD[case]
        data = png()
        await send(here.api, data)
        status, problem = await here.api.call("POST", "/v1/jobs", started(data, **fields))
        assert (status, problem["code"]) == (422, "invalid_request")
        assert [found["field"] for found in problem["fields"]] == [field]
        assert said in problem["fields"][0]["message"]


async def test_a_strength_needs_a_picture(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        status, problem = await here.api.call("POST", "/v1/jobs", image(strength=0.5))
        assert (status, problem["code"], problem["fields"][0]["code"]) == (422, "invalid_request", "no_picture")


async def test_bad_uploads(tmp_path: Path) -> None:
    limits = {"max_mb": 0.05, "max_megapixels": 0.1}
    async with worker_here(settings(tmp_path, inputs=limits), paused=True) as here:
        assert (await here.api.call("GET", "/v1/info"))[1]["limits"]["input_bytes"] == 50_000
        cases = [
            (b"I am an otter", "image/png", "", 422, "picture_unreadable"),
            (png(1, 1), "image/png", "", 422, "picture_too_small"),
            (png(400, 300), "image/png", "", 422, "picture_too_large"),
            (b"x" * 60_000, "image/png", "", 413, "too_large"),
            (png(), "text/plain", "", 415, "unsupported_media_type"),
            (png(), "image/png", "?private=yes", 422, "invalid_request"),
            (png(), "image/png", "?x=1", 422, "invalid_request"),
        ]
        for data, kind, query, status, code in cases:
            found, problem = await send(here.api, data, kind, query)
            assert (found, problem["code"]) == (status, code)
            assert "otter" not in json.dumps(problem)
        assert kept(tmp_path) == []

        async def endless() -> Any:
            for _ in range(100):
                yield b"x" * 1000

        headers = {"Content-Type": "image/png"}
        async with here.api.session.post(f"{here.api.address}/v1/inputs", data=endless(), headers=headers) as response:
            assert response.status == 413, "counted, whatever the head of the request says"
        assert (await send(here.api, png()))[0] == 201, "the next one is taken"


async def test_it_may_be_larger_than_other_requests(tmp_path: Path) -> None:
    data = io.BytesIO()
    Image.frombytes("RGB", (800, 800), os.urandom(800 * 800 * 3)).save(data, "PNG")
    assert len(data.getvalue()) > 1024 * 1024
    async with worker_here(settings(tmp_path), paused=True) as here:
        assert (await send(here.api, data.getvalue()))[0] == 201


async def test_a_full_disk_takes_no_pictures(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path, archive={"min_free_gb": 1e9}), paused=True) as here:
        status, problem = await send(here.api, png())
        assert (status, problem["code"]) == (507, "disk_full")


def test_what_goes() -> None:
    keeping = Retention(seconds=1000, private_seconds=100, max_bytes=50)
    now = 10_000.0

    def one(name: str, age: float, **changes: Any) -> Input:
        values: dict[str, Any] = {"private": False, "wanted": False, "size": 10, **changes}
        return Input(client="c", id=name, width=1, height=1, used_at=now - age, **values)

    everything = [
        one("old", 2000),
        one("old but wanted", 2000, wanted=True),
        one("private", 200, private=True),
        one("private and wanted", 200, private=True, wanted=True),
        one("fresh", 200, size=20),
        one("private and fresh", 20, private=True, size=20),
        one("last", 10, size=5),
    ]
    assert [gone.id for gone in choose(everything, keeping, now)] == ["old", "private", "fresh"]
    assert [
        gone.id for gone in choose(everything, Retention(seconds=9e9, private_seconds=9e9, max_bytes=999), now)
    ] == []


async def _age(here: Here, folder: Path, seconds: float) -> None:
    """Everything was last used that long ago."""
    with closing(sqlite3.connect(folder / "jobs.sqlite")) as database, database:
        database.execute("UPDATE inputs SET used_at = used_at - ?", (seconds,))
    await here.parts.inputs.prune(time.time())


async def test_private_ones_go_when_nothing_needs_them(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        public, private, both = png(), png(colour="blue"), png(colour="lime")
        for data, query in ((public, ""), (private, "?private=true"), (both, "")):
            assert (await send(here.api, data, query=query))[0] == 201
        job = await here.api.submit(started(both, private=True))
        await _age(here, tmp_path, 5_000)
        assert kept(tmp_path) == sorted(f"{sha(data)}.png" for data in (public, both)), "a job needs the last"
        await here.api.call("DELETE", f"/v1/jobs/{job['id']}")
        await _age(here, tmp_path, 5_000)
        assert kept(tmp_path) == [f"{sha(public)}.png"], "a private job made it private"
        await _age(here, tmp_path, 90_000)
        assert kept(tmp_path) == []


async def test_a_private_record_forgets_its_picture(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        data = png()
        await send(here.api, data, query="?private=true")
        job = await here.api.done((await here.api.submit(started(data, private=True)))["id"])
        image_id = job["pictures"][0]["result"]["image_id"]
        await here.api.call("POST", f"/v1/images/{image_id}/delivered")
        await here.parts.store.forget(time.time() + 4_000, private_requests=True)
        job = await here.api.job(job["id"])
        assert sha(data) not in json.dumps(job)


async def test_a_restart_keeps_pictures_and_sweeps_the_rest(tmp_path: Path) -> None:
    data = png()
    async with worker_here(settings(tmp_path), paused=True) as here:
        await send(here.api, data)
        job = await here.api.submit(started(data))
    folder = tmp_path / "inputs" / "otterbot"
    for name in (f"{'0' * 64}.png", ".abc.sent"):
        (folder / name).write_bytes(b"left behind")
    async with worker_here(settings(tmp_path)) as here:
        assert kept(tmp_path) == [f"{sha(data)}.png"]
        await here.api.call("POST", "/v1/resume")
        assert (await here.api.done(job["id"]))["state"] == "succeeded"


async def test_a_worker_that_forgot_everything_asks_for_it_again(tmp_path: Path) -> None:
    data = png()
    results = []
    for name in ("one", "two"):
        async with worker_here(settings(tmp_path / name)) as here:
            if name == "two":
                assert (await here.api.call("POST", "/v1/jobs", started(data)))[1]["code"] == "input_gone"
            await send(here.api, data)
            job = await here.api.done((await here.api.submit(started(data)))["id"])
            record = job["pictures"][0]["result"]["record"]
            results.append({**record, "took": 0})
    assert results[0] == results[1]


async def test_the_real_thing_twice(tmp_path: Path) -> None:
    """A real GPU process with the shipped model: the same record is the same picture, byte by byte."""
    process = Process(tmp_path / "data")
    data = png(300, 200, "orange")
    pixels = []
    async with process.running() as api:
        await send(api, data)
        for key in ("key-00001", "key-00002"):
            job = await api.done((await api.submit(started(data, key, steps=4, strength=0.5)))["id"], 240)
            assert job["state"] == "succeeded", job
            image_id = job["pictures"][0]["result"]["image_id"]
            _, drawn = await api.call("GET", f"/v1/images/{image_id}")
            with Image.open(io.BytesIO(drawn)) as picture:
                pixels.append(picture.tobytes())
                assert picture.size == (160, 104)
    assert pixels[0] == pixels[1]
