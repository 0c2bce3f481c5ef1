"""Requests with a mask: judged, drawn, recorded, forgotten; with the GPU process that is a small program."""

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
from core_lab import Here, Json, Process, image, settings, worker_here
from PIL import Image
from sent_pictures import black_and_white, encoded, hole, kept, png, send, sha

from otterbot_worker.gpu.messages import Draw


def masked(data: bytes, mask: bytes, key: str = "key-00001", **fields: Any) -> Json:
    return image(key, init_image={"id": sha(data)}, mask={"id": sha(mask)}, **fields)


async def test_holes_are_the_mask_of_their_own_picture(tmp_path: Path, tasks: list[Draw]) -> None:
    async with worker_here(settings(tmp_path)) as here:
        data = hole()
        assert "inpaint" in (await here.api.call("GET", "/v1/info"))[1]["features"]
        status, answer = await send(here.api, data)
        assert (status, answer["alpha"]) == (201, True)
        job = await here.api.done((await here.api.submit(masked(data, data, steps=10)))["id"])
        result = job["pictures"][0]["result"]
        used = result["record"]["used"]
        assert (used["mask"], used["init_image"], used["strength"]) == (sha(data), sha(data), 1.0)
        said = "The mask leaves 50 % of the picture to be drawn anew; the rest is only scaled, to 160x104."
        assert said in result["notes"], "otter-mini draws nothing so low"
        folder = tmp_path / "inputs" / "otterbot"
        start, mask = tasks[0].init_image, tasks[0].mask
        assert start is not None
        assert start.path == str(folder / f"{sha(data)}.png")
        assert mask is not None
        assert (mask.path, mask.of_init_image) == (str(folder / f"{sha(data)}.mask.png"), True)


async def test_the_rest_stays_as_it_is_or_is_said_to_be_scaled(tmp_path: Path, tasks: list[Draw]) -> None:
    """Of a size that the model draws, of one that is no multiple, of that one typed, and of another one typed."""
    stays, scaled = "the rest stays as it is.", "the rest is only scaled, to {}x{}."
    cases: list[tuple[tuple[int, int], Json, tuple[int, int], tuple[int, int] | None, str]] = [
        ((160, 104), {}, (160, 104), None, stays),
        ((101, 99), {}, (101, 99), (104, 104), stays),
        ((101, 99), {"width": 101, "height": 99}, (101, 99), (104, 104), stays),
        ((101, 99), {"width": 128, "height": 128}, (128, 128), None, scaled),
        ((400, 300), {}, (144, 112), None, scaled),
    ]
    async with worker_here(settings(tmp_path)) as here:
        for number, (sent, typed, drawn, canvas, said) in enumerate(cases):
            data = hole(*sent)
            await send(here.api, data)
            job = await here.api.done((await here.api.submit(masked(data, data, f"key-0000{number}", **typed)))["id"])
            result = job["pictures"][0]["result"]
            used = result["record"]["used"]
            assert ((used["width"], used["height"]), tasks[-1].canvas) == (drawn, canvas)
            (note,) = [note for note in result["notes"] if "The mask leaves" in note]
            assert note.endswith(said.format(*drawn))
            assert not any("rounded" in note for note in result["notes"])


async def test_another_picture_is_a_mask_by_its_brightness_or_its_holes(tmp_path: Path, tasks: list[Draw]) -> None:
    async with worker_here(settings(tmp_path)) as here:
        data, quarter, holes = png(), black_and_white(), hole(192, 128)
        for one in (data, quarter, holes):
            await send(here.api, one)
        for key, mask, percent in (("key-00001", quarter, 25), ("key-00002", holes, 50)):
            job = await here.api.done((await here.api.submit(masked(data, mask, key, strength=0.5)))["id"])
            result = job["pictures"][0]["result"]
            assert any(f"leaves {percent} % of" in note for note in result["notes"])
            assert result["record"]["used"]["strength"] == 0.5
        folder = tmp_path / "inputs" / "otterbot"
        assert [(task.mask.path, task.mask.of_init_image) for task in tasks if task.mask is not None] == [
            (str(folder / f"{sha(quarter)}.png"), False),
            (str(folder / f"{sha(holes)}.mask.png"), False),
        ]


BAD: dict[str, tuple[bytes, dict[str, Any], str, str]] = {
    "nothing to draw": (black_and_white(None), {}, "mask_empty", "leaves nothing to draw"),
    "only traces": (encoded(Image.new("L", (96, 64), 40)), {}, "mask_empty", "leaves nothing to draw"),
    "all of it cut off": (black_and_white((0, 0, 9, 63)), {"width": 96, "height": 96}, "mask_empty", "nothing to draw"),
    "another shape": (black_and_white(size=(64, 64)), {}, "mask_shape", "which has 96x64 pixels; it has 64x64"),
}


@pytest.mark.parametrize("case", BAD)
async def test_bad_masks_are_refused(tmp_path: Path, case: str) -> None:
    mask, fields, code, said = BAD[case]
    async with worker_here(settings(tmp_path), paused=True) as here:
        data = png()
        for one in (data, mask):
            assert (await send(here.api, one))[0] == 201
        status, problem = await here.api.call("POST", "/v1/jobs", masked(data, mask, **fields))
        assert (status, problem["code"]) == (422, "invalid_request")
        assert [(found["field"], found["code"]) for found in problem["fields"]] == [("request.mask", code)]
        assert said in problem["detail"]


async def test_a_mask_needs_to_be_here_and_a_picture(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        data, mask = png(), black_and_white()
        await send(here.api, data)
        await send(here.other, mask)
        status, problem = await here.api.call("POST", "/v1/jobs", masked(data, mask))
        assert (status, problem["code"]) == (422, "input_gone"), "a client sees only its own"
        await send(here.api, mask)
        status, problem = await here.api.call("POST", "/v1/jobs", image(mask={"id": sha(mask)}))
        assert (status, problem["fields"][0]["field"], problem["fields"][0]["code"]) == (
            422, "request.mask", "no_picture",
        )  # fmt: skip
        for wrong in ({"id": "../x"}, {"id": sha(mask), "path": "/etc"}, sha(mask), {}):
            status, problem = await here.api.call("POST", "/v1/jobs", image(init_image={"id": sha(data)}, mask=wrong))
            assert (status, problem["code"]) == (422, "invalid_request")
            assert all(found["field"].startswith("request.mask") for found in problem["fields"])


async def _age(here: Here, folder: Path, seconds: float) -> None:
    with closing(sqlite3.connect(folder / "jobs.sqlite")) as database, database:
        database.execute("UPDATE inputs SET used_at = used_at - ?", (seconds,))
    await here.parts.inputs.prune(time.time())


async def test_masks_and_holes_stay_as_long_as_a_job_needs_them(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        data, mask = hole(), black_and_white()
        for one in (data, mask):
            await send(here.api, one, query="?private=true")
        job = await here.api.submit(masked(data, mask, private=True))
        await _age(here, tmp_path, 90_000)
        assert kept(tmp_path) == sorted([f"{sha(data)}.png", f"{sha(data)}.mask.png", f"{sha(mask)}.png"])
        await here.api.call("DELETE", f"/v1/jobs/{job['id']}")
        await _age(here, tmp_path, 90_000)
        assert kept(tmp_path) == []


async def test_a_private_record_forgets_its_mask(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        data, mask = png(), black_and_white()
        for one in (data, mask):
            await send(here.api, one, query="?private=true")
        job = await here.api.done((await here.api.submit(masked(data, mask, private=True)))["id"])
        image_id = job["pictures"][0]["result"]["image_id"]
        await here.api.call("POST", f"/v1/images/{image_id}/delivered")
        await here.parts.store.forget(time.time() + 4_000, private_requests=True)
        assert sha(mask) not in json.dumps(await here.api.job(job["id"]))


async def test_a_mask_that_lost_its_file_is_gone(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        data = hole()
        await send(here.api, data)
        os.unlink(tmp_path / "inputs" / "otterbot" / f"{sha(data)}.mask.png")
        status, problem = await here.api.call("POST", "/v1/jobs", masked(data, data))
        assert (status, problem["code"]) == (422, "input_gone")
        await send(here.api, data)
        assert (await here.api.call("POST", "/v1/jobs", masked(data, data)))[0] == 202


async def test_the_real_thing(tmp_path: Path) -> None:
    """A real GPU process with the shipped model: what is not transparent comes back as it was sent, also where the
    model draws no picture of just that size."""
    process = Process(tmp_path / "data")
    async with process.running() as api:
        for key, (width, height) in (("key-00001", (160, 104)), ("key-00002", (154, 101))):
            data = hole(width, height)
            await send(api, data)
            job = await api.done((await api.submit(masked(data, data, key, steps=4)))["id"], 240)
            assert job["state"] == "succeeded", job
            _, drawn = await api.call("GET", f"/v1/images/{job['pictures'][0]['result']['image_id']}")
            half = width // 2
            with Image.open(io.BytesIO(drawn)) as picture:
                assert picture.size == (width, height)
                assert picture.crop((half, 0, width, height)).getcolors() == [((width - half) * height, (255, 0, 0))]
                assert len(picture.crop((0, 0, half, height)).getcolors(half * height) or []) > 100
