"""A job whose pictures differ in more than their seed: each is a row, a turn and a record of its own, and the job comes
back as it was where it is forgotten."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

from core_lab import Here, Json, image, settings, worker_here
from hollow_loras import ANY, put

from otterbot_worker.gpu.messages import Draw
from otterbot_worker.requests import several
from otterbot_worker.schemas.resolved import ResolvedRequest, joined

OTHER = "ssd-1b"
EACH: list[Json] = [
    {"asked": {"prompt": "otter", "guidance_scale": 4.0}, "guidance_scale": 4.0},
    {"width": 192, "height": 128, "steps": 4},
    {"prompt": "otter <lora:any:0.5>"},
    {"model": OTHER, "width": 256, "height": 256},
    {"model": OTHER, "width": 256, "height": 256, "seed": 8, "sampler": "Euler"},
]


def as_resolved(told: Json, each: Any, key: str = "key-each-1", **job: Any) -> Json:
    return {**image(key, **job), "kind": "resolved", "request": {**told, "each": each}}


async def one(here: Here, **fields: Any) -> Json:
    """What a picture is resolved to, from which the others differ. It is not drawn."""
    job = await here.api.submit(image("key-one-1", width=128, height=128, steps=2, **fields))
    await here.api.call("DELETE", f"/v1/jobs/{job['id']}")
    assert isinstance(job["resolved"], dict)
    return job["resolved"]


async def test_rows_records_and_files_are_each_pictures_own(tmp_path: Path, tasks: list[Draw]) -> None:
    put(tmp_path / "loras" / "any.safetensors", ANY)
    async with worker_here(settings(tmp_path), paused=True) as here:
        here.parts.catalogue._downloads_allowed = True
        told = await one(here)
        job = await here.api.submit(as_resolved(told, EACH))
        rows = (await here.parts.store.rows([job["id"]]))[job["id"]]
        assert [row.model for row in rows] == ["otter-mini"] * 3 + [OTHER] * 2
        assert [row.seed for row in rows] == [7, 7, 7, 7, 8]
        assert [round(row.work / 2, 6) for row in rows] == [0.016384, 0.049152, 0.016384, 0.065536, 0.065536]
        await here.api.call("POST", "/v1/resume")
        done = await here.api.done(job["id"])
        assert done["state"] == "succeeded"
        records = [picture["result"]["record"] for picture in done["pictures"]]
        used = [record["used"] for record in records]
        assert [(one["width"], one["height"], one["steps"]) for one in used[:2]] == [(128, 128, 2), (192, 128, 4)]
        assert [one["guidance_scale"] == 4.0 for one in used] == [True, False, False, False, False]
        assert [[lora["name"] for lora in one["loras"]] for one in used] == [[], [], ["any"], [], []]
        assert [one["model"] for one in used] == [row.model for row in rows]
        assert (used[4]["sampler"], used[4]["seed"]) == ("Euler", 8)
        assert records[0]["asked"] == EACH[0]["asked"]
        assert records[1]["asked"] == told["asked"]
        assert len({picture["result"]["image_id"] for picture in done["pictures"]}) == 5
        assert [[lora.name for lora in task.loras] for task in tasks] == [[], [], ["any"], [], []]
        assert [task.entry.name for task in tasks] == [row.model for row in rows]
        assert all(not task.each for task in tasks), "the GPU process gets one picture"


async def test_a_forgotten_job_comes_back_with_each_of_its_pictures(tmp_path: Path) -> None:
    for folder in ("one", "other"):
        put(tmp_path / folder / "loras" / "any.safetensors", ANY)
    async with worker_here(settings(tmp_path / "one"), paused=True) as here:
        here.parts.catalogue._downloads_allowed = True
        first = await here.api.submit(as_resolved(await one(here), EACH))
        told = first["resolved"]
        assert (told["count"], len(told["each"])) == (5, 5)
        assert (told["guidance_scale"], told["each"][0]) == (4.0, {}), "the whole is the first one's"
        assert "prompt" not in told["each"][1], "only what differs is kept"
        assert "each" not in first["request"]
        looked = (await here.api.job(first["id"]))["resolved"]
        assert looked == told
    async with worker_here(settings(tmp_path / "other"), paused=True) as here:
        here.parts.catalogue._downloads_allowed = True
        body = {**image("key-back-1"), "kind": "resolved", "request": told}
        again = await here.api.submit(body)
        assert again["resolved"] == told
        assert (await here.api.submit(body))["id"] == again["id"], "its key means it still"
        assert len(again["pictures"]) == 5


async def test_what_waits_is_estimated_and_scheduled_by_each_pictures_model(tmp_path: Path) -> None:
    """The rows of one model come together, wherever they stand; and the time is each picture's own."""
    async with worker_here(settings(tmp_path)) as here:
        here.parts.catalogue._downloads_allowed = True
        told = await one(here)
        for key, model in (("key-warm-1", OTHER), ("key-warm-2", "otter-mini")):
            side = 256 if model == OTHER else 128
            warm = image(key, model=model, prompt="slow", width=side, height=side, steps=4)
            assert (await here.api.done((await here.api.submit(warm))["id"]))["state"] == "succeeded"
        await here.api.call("POST", "/v1/pause", {})
        large = {"width": 512, "height": 512, "steps": 40}
        small = await here.api.submit(
            as_resolved(told, [{}, {"model": OTHER, "width": 256, "height": 256}], "key-small-1")
        )
        assert small["eta_s"] is not None
        await here.api.call("DELETE", f"/v1/jobs/{small['id']}")
        job = await here.api.submit(as_resolved(told, [{"model": OTHER, **large}, {}, {"model": OTHER, **large}]))
        assert job["eta_s"] > 10 * small["eta_s"]
        await here.api.call("POST", "/v1/resume")
        done = await here.api.done(job["id"])
        rows = (await here.parts.store.rows([job["id"]]))[job["id"]]
        assert done["state"] == "succeeded"
        when = [row.claimed_at or 0.0 for row in rows]
        assert not when[0] < when[1] < when[2], "no model is loaded twice"


async def test_problems_are_told_together_and_name_their_pictures(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        told = await one(here)
        each = [{}, {"steps": 999}, {"sampler": "wrong"}, {"sampler": "other"}, {"model": "nobody"}]
        status, problem = await here.api.call("POST", "/v1/jobs", as_resolved(told, each))
        assert (status, problem["code"]) == (422, "invalid_request"), "bounds of every request come first"
        each[1] = {"steps": 180}
        status, problem = await here.api.call("POST", "/v1/jobs", as_resolved(told, each))
        assert (status, problem["code"]) == (422, "unknown_model")
        found = {one["code"]: one for one in problem["fields"]}
        assert found["unknown_sampler"]["details"]["pictures"] == ["3", "4"]
        assert found["unknown_sampler"]["message"].startswith("3, 4: ")
        assert found["unknown_model"]["details"]["pictures"] == ["5"]
        assert found["unknown_model"]["details"]["near"] == []
        every = [{"sampler": "wrong"}, {"sampler": "other"}]
        _, problem = await here.api.call("POST", "/v1/jobs", as_resolved(told, every))
        [said] = problem["fields"]
        assert "pictures" not in said["details"], "what all have is the request's own"
        assert (await here.api.call("GET", "/v1/jobs?state=open"))[1]["jobs"] == []


async def test_hostile_pictures_are_refused(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        told = await one(here)
        start = {"id": "a" * 64, "width": 64, "height": 64}
        for each in (
            [{}] * 65, [{"steps": "x"}], [7], {"steps": 4}, [{"v": 2}, {}], [{"prompt": "x" * 4_001}, {}],
            [{}, {"init_image": start}], [{"asked": 7}, {}], [{"prompt": None}],
            [{"new_setting": 1}], [{"notes": ["x" * 2_001]}],
            [{}, {"expansion": {"prompt": "p", "model": "m", "prompts": ["x"] * 9}}],
        ):  # fmt: skip
            status, problem = await here.api.call("POST", "/v1/jobs", as_resolved(told, each))
            assert (status, problem.get("code")) == (422, "invalid_request"), (str(each)[:80], problem)
        for values in ([], [1, 2, 3]):
            axes = [{"field": "seed", "values": values}, {"field": "steps", "values": [1]}]
            status, problem = await here.api.call("POST", "/v1/jobs", as_resolved({**told, "sweep": axes}, [{}, {}]))
            assert (status, problem.get("code")) == (422, "invalid_request"), "they are not the fields of that grid"
        words = [
            {"prompt": f"{number} " + "o" * 3_900, "negative_prompt": f"{number} " + "u" * 3_900}
            for number in range(64)
        ]
        body = BytesIO(json.dumps(as_resolved(told, words)).encode())
        headers = {"Content-Type": "application/json"}
        status, problem = await here.api.call("POST", "/v1/jobs", data=body, headers=headers)
        assert (status, [one["code"] for one in problem["fields"]]) == (422, ["too_long"]), problem


async def test_words_of_encrypted_rooms_go_from_each(tmp_path: Path) -> None:
    config = settings(tmp_path)
    async with worker_here(config, paused=True) as here:
        told = await one(here)
        job = await here.api.submit(as_resolved(told, [{}, {"prompt": "secret fox"}], private=True))
        await here.api.call("DELETE", f"/v1/jobs/{job['id']}")
        await here.parts.store.forget(9e9, private_requests=True)
        stored = await here.parts.store.by_key("otterbot", "key-each-1")
        assert stored is None or (stored.pictures.each, stored.pictures.prompt) == ((), "")
    assert b"secret fox" not in b"".join(path.read_bytes() for path in tmp_path.glob("*.sqlite"))


async def test_pictures_interrupted_by_a_restart_go_on_as_they_were(tmp_path: Path) -> None:
    config = settings(tmp_path)
    async with worker_here(config) as here:
        told = await one(here)
        each = [{"guidance_scale": value, "prompt": "slow otter", "steps": 10} for value in (3.0, 5.0, 7.0)]
        job = await here.api.submit(as_resolved(told, each))
        await here.api.until(job["id"], lambda job: job["pictures"][0]["state"] == "succeeded")
    async with worker_here(config) as here:
        done = await here.api.done(job["id"])
        assert [one["result"]["record"]["used"]["guidance_scale"] for one in done["pictures"]] == [3.0, 5.0, 7.0]


def test_a_row_of_before_is_read_and_one_of_now_by_a_reader_of_then() -> None:
    old = {
        "v": 1, "model": "m", "prompt": "otter", "negative_prompt": "", "steps": 2, "guidance_scale": 5.0,
        "width": 64, "height": 64, "sampler": "UniPC", "seed": 1, "count": 2,
    }  # fmt: skip
    request = ResolvedRequest.model_validate_json(json.dumps(old))
    assert [request.picture(index).seed for index in range(2)] == [1, 2]
    assert request.each == ()


def test_joined_and_taken_apart_again() -> None:
    base = {
        "model": "m", "prompt": "otter", "negative_prompt": "", "steps": 2, "guidance_scale": 5.0,
        "width": 64, "height": 64, "sampler": "UniPC", "seed": 1,
    }  # fmt: skip
    pictures = [
        ResolvedRequest.model_validate({**base, "notes": ["both", "first"]}),
        ResolvedRequest.model_validate(
            {**base, "notes": ["both"], "hires": None, "variation": {"seed": 3, "strength": 0.2}}
        ),
        ResolvedRequest.model_validate({**base, "notes": ["other", "both"], "canvas": [64, 72]}),
    ]
    whole = joined(pictures)
    assert (whole.count, whole.notes) == (3, ("both",))
    read = ResolvedRequest.model_validate_json(whole.model_dump_json())
    assert read == whole
    assert [read.single(index) for index in range(3)] == pictures
    assert several.as_one(pictures[:1]) is pictures[0]
