"""Variations through the API: what is asked, what the GPU process is given, what the record says; and that each picture
of a batch can be made again alone, with the real GPU process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from core_lab import Api, Json, Process, image, settings, worker_here
from PIL import Image

from otterbot_worker.archive import reading
from otterbot_worker.requests import variations
from otterbot_worker.schemas.requests import MAX_SEED

TOWARDS = {"seed": 99, "strength": 0.2}


def used(job: Json) -> list[Json]:
    return [picture["result"]["record"]["used"] for picture in job["pictures"]]


async def test_a_batch_of_variations_keeps_the_seed_and_counts_up_the_other(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        assert "variation" in (await here.api.call("GET", "/v1/info"))[1]["features"]
        towards = {"seed": MAX_SEED, "strength": 0.25}
        job = await here.api.done((await here.api.submit(image(count=3, seed=7, variation=towards)))["id"])
        assert [picture["seed"] for picture in job["pictures"]] == [7, 7, 7]
        assert [one["seed"] for one in used(job)] == [7, 7, 7]
        assert [one["variation"] for one in used(job)] == [
            {"seed": seed, "strength": 0.25} for seed in (MAX_SEED, 0, 1)
        ]


async def test_a_variation_of_nothing_is_none_and_said(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        body = image(count=2, variation={"seed": 9, "strength": 0})
        job = await here.api.done((await here.api.submit(body))["id"])
        assert [(one["seed"], one["variation"]) for one in used(job)] == [(7, None), (8, None)]
        assert all(variations.NONE in picture["result"]["notes"] for picture in job["pictures"])
        plain = await here.api.done((await here.api.submit(image("key-00002")))["id"])
        assert used(plain)[0]["variation"] is None
        assert variations.NONE not in plain["pictures"][0]["result"]["notes"]


@pytest.mark.parametrize(
    ("variation", "field"),
    [
        ({"seed": 9, "strength": 1.5}, "strength"),
        ({"seed": 9, "strength": -0.1}, "strength"),
        ({"seed": 9, "strength": "0.2"}, "strength"),
        ({"seed": -1, "strength": 0.2}, "seed"),
        ({"seed": 2**32, "strength": 0.2}, "seed"),
        ({"seed": 9.5, "strength": 0.2}, "seed"),
        ({"strength": 0.2}, "seed"),
        ({"seed": 9}, "strength"),
        ({"seed": 9, "strength": 0.2, "way": "slerp"}, "way"),
    ],
)
async def test_what_is_no_variation(tmp_path: Path, variation: Any, field: str) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        status, problem = await here.api.call("POST", "/v1/jobs", image(variation=variation))
        assert (status, problem["code"]) == (422, "invalid_request")
        assert [found["field"] for found in problem["fields"]] == [f"request.variation.{field}"]


async def test_each_picture_of_a_batch_is_made_again_alone(tmp_path: Path) -> None:
    """From what its own file says, to the same pixels."""
    many = {"model": "otter-mini", "count": 2, "steps": 2, "sampler": "Euler a", "seed": MAX_SEED}
    async with Process(tmp_path / "data").running() as api:
        for number, more in enumerate(({}, {"variation": TOWARDS})):
            job = await api.done((await api.submit(image(f"batch-0000{number}", **many, **more)))["id"], 300)
            first, second = [await file(api, one, tmp_path / f"{one['index']}.png") for one in job["pictures"]]
            assert pixels(first) != pixels(second)
            alone = reading.read(second).request
            assert ("variation" in alone) == bool(more)
            again = await api.done((await api.submit(image(f"alone-0000{number}", **alone)))["id"], 300)
            assert pixels(await file(api, again["pictures"][0], tmp_path / "again.png")) == pixels(second)


async def file(api: Api, picture: Json, path: Path) -> Path:
    assert picture["result"] is not None, picture["error"]
    path.write_bytes((await api.call("GET", f"/v1/images/{picture['result']['image_id']}"))[1])
    return path


def pixels(path: Path) -> bytes:
    with Image.open(path) as picture:
        return picture.tobytes()
