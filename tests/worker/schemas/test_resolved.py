"""The resolved request: fixed once, told to the client, read back typed, also from rows of older versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from core_lab import chat, image, settings, worker_here
from make_requests import resolved
from pydantic import ValidationError

from otterbot_worker.gpu.messages import Drawn, Memory, UsedControlNet
from otterbot_worker.queue.model import Row, StoredJob
from otterbot_worker.runner import results
from otterbot_worker.schemas.resolved import ResolvedChat, ResolvedRequest

OLD: dict[str, Any] = {
    "prompt": "a fox <lora:x:0.8>", "negative_prompt": "", "model": "otter-mini", "steps": 4, "guidance_scale": 5,
    "width": 160, "height": 104, "sampler": "UniPC", "seed": 2**32 - 1, "asked": {"hires": {"scale": 2}},
    "canvas": [160, 104], "init_image": {"id": "7" * 64, "width": 96, "height": 64}, "strength": 0.6,
    "hires": {"scale": 2.0, "strength": 0.5, "steps": 2, "upscaler": "lanczos", "width": 320, "height": 208,
              "tile": [128, 128]},
    "loras": [{"name": "x", "weight": 0.8, "hash": "3" * 64, "autov3": "b" * 12}], "notes": ["Said."],
}  # fmt: skip
"""As versions before this type wrote it: without ``v``, and without what came later."""
JOB: dict[str, Any] = {
    "id": "j", "client": "c", "key": "k", "body_hash": "h", "kind": "image", "owner": "o", "room": "r", "private": 0,
    "created_at": 1.0, "content": None, "sheet": None,
}  # fmt: skip


def stored(request: dict[str, Any], **changes: Any) -> StoredJob:
    return StoredJob.from_row({**JOB, **changes, "request": json.dumps(request)})


def test_a_row_of_an_older_version_is_read() -> None:
    request = stored(OLD).pictures
    written = json.loads(request.model_dump_json())
    assert {name: written[name] for name in OLD} == OLD, "nothing of it is lost, and what was asked is not more"
    assert (written["v"], written["count"], written["variation"], written["safety"]) == (1, 1, None, False)
    assert request.hires is not None
    assert request.hires.tile == (128, 128)
    assert ResolvedRequest.model_validate_json(request.model_dump_json(), strict=True) == request


def test_a_row_of_a_newer_version_is_read() -> None:
    asked = {"prompt": "otter", "steps": 0, "later": 2}
    request = stored({**OLD, "v": 1, "later": 2, "asked": asked, "hires": {**OLD["hires"], "more": 1}}).pictures
    assert request.asked.model_dump(exclude_unset=True) == {"prompt": "otter"}, "what nobody can ask for is left out"


def test_a_row_whose_words_are_forgotten_is_read() -> None:
    gone = dict.fromkeys(("theme", "init_image", "mask", "control"))
    empty = {"prompt": "", "asked": {}, "loras": [], "embeddings": [], "notes": []}
    assert stored({**OLD, **gone, **empty}).pictures.init_image is None


def test_a_row_of_a_chat() -> None:
    assert stored({"model": "tiny"}, kind="chat").request == ResolvedChat(model="tiny")


def test_it_is_never_changed() -> None:
    with pytest.raises(ValidationError):
        resolved().steps = 3  # type: ignore[misc]


def test_each_picture_has_a_seed_or_a_variation_of_its_own() -> None:
    several = resolved(seed=2**32 - 2, count=3)
    assert [several.picture(index).seed for index in range(3)] == [2**32 - 2, 2**32 - 1, 0]
    varied = several.model_copy(update={"variation": resolved(variation={"seed": 7, "strength": 0.2}).variation})
    pictures = [varied.picture(index) for index in range(2)]
    assert [(one.seed, one.variation.seed) for one in pictures if one.variation] == [(2**32 - 2, 7), (2**32 - 2, 8)]


def test_the_record_is_the_request_and_what_was_measured() -> None:
    """What another program reads in it is as it was before there was this type, name by name and in its order."""
    control = {"kind": "canny", "id": "9" * 64, "scale": 0.7, "start": 0, "end": 0.8, "width": 1, "height": 2}
    job = stored({**OLD, "control": {**control, "name": "net", "hash": None, "hub": "a/net"}})
    row = Row(
        seq=1, job_id="j", idx=1, client="c", owner="o", kind="image", model="otter-mini", work=1, seed=0,
        state="running", attempt=1, gpu_deaths=0, worker_deaths=0, created_at=0, claimed_at=0, finished_at=None,
        overtaken_seconds=0.0, result=None, error=None,
    )  # type: ignore[arg-type]  # fmt: skip
    drawn = Drawn(
        task_id="t", width=320, height=208, seconds=1, pipeline_seconds=1, load_seconds=0, memory=Memory(),
        resident=None, model_hash="m", plan="tiled", control=UsedControlNet(name="net", hash="0" * 16),
    )  # fmt: skip
    record = results.record(row, job, drawn, took=1.23456).model_dump(mode="json")
    used = record.pop("used")
    assert record == {"v": 1, "asked": {"hires": {"scale": 2.0}}, "took": 1.235}
    assert list(used) == [
        "clip_skip", "prompt", "negative_prompt", "model", "model_hash", "sampler", "steps", "guidance_scale",
        "width", "height", "seed", "variation", "init_image", "strength", "mask", "control", "hires", "upscale", "tile",
        "loras", "embeddings", "refiner", "vae", "guidance_rescale", "safety", "plan", "parser", "versions",
        "chance", "expansion", "structure", "styles", "styled",
    ]  # fmt: skip
    assert (used["seed"], used["init_image"], used["hires"], used["loras"]) == (0, "7" * 64, OLD["hires"], OLD["loras"])
    assert used["control"] == {
        "kind": "canny", "name": "net", "hash": "0" * 16, "id": "9" * 64, "scale": 0.7, "start": 0.0, "end": 0.8,
    }  # fmt: skip


async def test_the_client_is_told_it_when_it_submits_and_later(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        body = image(width=130, height=130, count=2, asked={"width": 130})
        status, job = await here.api.call("POST", "/v1/jobs", body)
        assert status == 202
        told = job["resolved"]
        assert told == {"v": 1, **job["request"], "each": []}
        assert (told["width"], told["count"], told["asked"]) == (128, 2, {"width": 130})
        assert told["notes"] == ["130x130 was rounded to 128x128: otter-mini draws multiples of 8."]
        status, again = await here.api.call("POST", "/v1/jobs", body)
        assert (status, again["resolved"]) == (200, told)
        _, again = await here.api.call("GET", f"/v1/jobs/{job['id']}")
        assert again["resolved"] == told
        assert ResolvedRequest.model_validate(told).model_dump(mode="json") == told
        assert (await here.api.submit(chat("key-00002")))["resolved"] is None
