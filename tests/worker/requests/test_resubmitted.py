"""What a worker resolved and has forgotten comes again: as it was, within the bounds of everything else, said once."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from bad_values import Contract, wrong
from core_lab import Here, Json, image, settings, worker_here
from hollow_loras import ANY, put
from sent_pictures import hole, send, sha

from otterbot_worker.api import build
from otterbot_worker.schemas.new_jobs import NewImageJob

LAYERS = [{"layer": "room", "model": "gone"}, {"layer": "instance", "steps": 9, "sampler": "euler a"}]
OPEN: dict[str, Json] = {
    "nothing": {"steps": None},
    "layers": {"steps": None, "layers": LAYERS, "most": {"steps": 5}},
    "a size between multiples": {"width": 130, "height": 150},
    "a shape": {"aspect": "4:1", "asked": {"aspect": "4:1"}},
    "several": {"count": 3, "seed": 2**32 - 1, "theme": "otters"},
    "a variation": {"variation": {"seed": 9, "strength": 0.25}},
    "a second pass": {"hires": {"scale": 1.5}},
    "a picture": {"init_image": {"id": "hole"}},
    "a part of one": {"init_image": {"id": "hole"}, "mask": {"id": "hole"}},
    "larger": {"init_image": {"id": "hole"}, "upscale": 2, "prompt": ""},
    "weights": {"model": "otter-mini", "prompt": "(otter)++"},
    "previews": {"preview": True},
    "a film": {"film": True},
    "clip skip": {"clip_skip": 2},
    "a certain card": {"card": "NVIDIA GeForce GTX 1070"},
}


@pytest.fixture(autouse=True)
def _nothing_shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "SHIPPED", tmp_path / "nothing")


def again(resolved: Json, key: str = "key-again", **changes: Any) -> Json:
    body = image(key)
    return {**body, "kind": "resolved", "request": {**resolved, **changes}}


def asked(**fields: Any) -> Json:
    """Pictures named ``hole`` are the one that is sent below."""
    filled = json.dumps({name: value for name, value in fields.items() if value is not None})
    body = image(**json.loads(filled.replace('"hole"', json.dumps(sha(hole())))))
    return {
        **body,
        "request": {name: value for name, value in body["request"].items() if name in fields or name != "steps"},
    }


async def whole(here: Here, body: Json) -> Json:
    status, job = await here.api.call("POST", "/v1/jobs", body)
    assert status == 202, job
    assert job["kind"] == "image"
    assert isinstance(job["resolved"], dict)
    return job["resolved"]


@pytest.mark.parametrize("case", OPEN)
async def test_it_is_resolved_to_the_same(tmp_path: Path, case: str) -> None:
    """Word for word, by a worker that has forgotten it, and by one that has other defaults now."""
    async with worker_here(settings(tmp_path / "one"), paused=True) as here:
        await send(here.api, hole())
        told = await whole(here, asked(**OPEN[case]))
    async with worker_here(settings(tmp_path / "other", images={"default_model": "sd15"}), paused=True) as here:
        await send(here.api, hole())
        assert await whole(here, again(told)) == told
        assert await whole(here, again(told, "key-third")) == told


async def test_the_same_pictures_are_drawn_with_the_same_notes(tmp_path: Path) -> None:
    results = []
    told: Json | None = None
    for folder in ("one", "other"):
        async with worker_here(settings(tmp_path / folder)) as here:
            await send(here.api, hole())
            body = asked(**OPEN["a part of one"], count=2, asked={"count": 2})
            job = await here.api.submit(body if told is None else again(told))
            told = job["resolved"]
            done = await here.api.done(job["id"])
            results.append([picture["result"] for picture in done["pictures"]])
    for one, other in zip(*results, strict=True):
        assert one["record"]["used"] == other["record"]["used"]
        assert one["record"]["asked"] == other["record"]["asked"] == {"count": 2}
        assert one["notes"] == other["notes"]
        assert len(set(other["notes"])) == len(other["notes"])


async def test_the_key_means_that_body_still(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        first = image("key-00001")
        told = await whole(here, first)
        status, problem = await here.api.call("POST", "/v1/jobs", again(told, "key-00001"))
        assert (status, problem["code"]) == (409, "key_reused"), "it was not forgotten after all"
        body = again(told, "key-00002")
        job = await here.api.submit(body)
        assert (await here.api.submit(body))["id"] == job["id"]


async def test_files_that_are_others_now_are_said_once(tmp_path: Path) -> None:
    put(tmp_path / "loras" / "any.safetensors", ANY)
    xl = {"model": "ssd-1b", "width": 256, "height": 256}
    async with worker_here(settings(tmp_path), paused=True) as here:
        here.parts.catalogue._downloads_allowed = True
        told = await whole(here, image(prompt="otter <lora:any:0.5>", **xl))
        assert await whole(here, again(told)) == told
        changed = {**told, "loras": [{**told["loras"][0], "hash": "0" * 64}]}
        note = "The LoRA any was another file when this was asked for first."
        now = await whole(here, again(changed, "key-00003"))
        assert (now["loras"], now["notes"]) == (told["loras"], [note])
        once = await whole(here, again(now, "key-00004", loras=changed["loras"]))
        assert once["notes"] == [note]
        none = await whole(here, again(told, "key-00005", loras=[]))
        assert none["notes"] == ["The LoRA any was not there when this was asked for first."]
        word = {"token": "fur", "name": "fur", "hash": "1" * 64}
        fewer = await whole(here, again(told, "key-00006", embeddings=[word]))
        assert fewer["notes"] == ["There was one more embedding when this was asked for first."]
        (tmp_path / "loras" / "any.safetensors").unlink()
        status, problem = await here.api.call("POST", "/v1/jobs", again(told, "key-00007"))
        assert (status, problem["code"]) == (422, "unknown_lora")


async def test_what_it_names_has_to_be_here(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        await send(here.api, hole())
        told = await whole(here, asked(init_image={"id": "hole"}))
        other = {**told["init_image"], "id": "f" * 64}
        status, problem = await here.api.call("POST", "/v1/jobs", again(told, init_image=other))
        assert (status, problem["code"]) == (422, "input_gone")
        lied = await whole(here, again(told, init_image={**told["init_image"], "width": 5, "height": 10**9}))
        assert lied == told, "its size is looked at, not believed"
        for name, value, code in (("model", "no-such", "unknown_model"), ("sampler", "nine", "invalid_request")):
            status, problem = await here.api.call("POST", "/v1/jobs", again(told, "key-00009", **{name: value}))
            assert (status, problem["code"]) == (422, code)


CONTRACT = Contract(NewImageJob.model_json_schema())
SAME = (
    "prompt", "negative_prompt", "model", "steps", "guidance_scale", "width", "height", "sampler", "seed", "count",
    "strength", "theme", "safety", "preview", "variation.seed", "variation.strength", "hires.scale", "hires.strength",
    "hires.steps", "hires.upscaler", "init_image.id", "mask.id", "control.kind", "control.id", "control.scale",
    "control.start", "control.end",
)  # fmt: skip
PICTURE = {"id": "a" * 64, "width": 96, "height": 64}
WHOLE: Json = {
    "v": 1, "model": "otter-mini", "prompt": "otter", "negative_prompt": "", "steps": 2, "guidance_scale": 5.0,
    "width": 128, "height": 128, "sampler": "UniPC", "seed": 7, "variation": {"seed": 1, "strength": 0.5},
    "init_image": PICTURE, "mask": {"id": "a" * 64, "alpha": True}, "strength": 0.5,
    "control": {**PICTURE, "kind": "canny", "scale": 1.0, "start": 0.0, "end": 1.0, "name": "n", "hash": None,
                "hub": None},
    "hires": {"scale": 1.5, "strength": 0.5, "steps": 2, "upscaler": "lanczos", "width": 192, "height": 192,
              "tile": [128, 128]},
}  # fmt: skip


async def test_the_bounds_are_those_of_every_request(tmp_path: Path) -> None:
    fields = {field.dotted.removeprefix("request."): field for field in CONTRACT.fields()}
    async with worker_here(settings(tmp_path), paused=True) as here:

        async def post(path: str, raw: str) -> tuple[int, Json]:
            body = json.loads(json.dumps(again(WHOLE)))
            place = body["request"]
            *inner, last = path.split(".")
            for name in inner:
                place = place[name]
            place[last] = "the place"
            data = io.BytesIO(json.dumps(body).replace('"the place"', raw).encode("utf-8", "surrogatepass"))
            headers = {"Content-Type": "application/json"}
            return await here.api.call("POST", "/v1/jobs", data=data, headers=headers)

        for name in SAME:
            for raw in wrong(fields[name]):
                status, problem = await post(name, raw)
                assert (status, problem.get("code")) == (422, "invalid_request"), (name, raw[:60], problem)
                assert "passwd" not in json.dumps(problem)
        for name, raw in (
            ("notes", json.dumps(["x" * 2_001])), ("notes", json.dumps(["x"] * 101)), ("notes", '"x"'),
            ("notes", "[1]"), ("new_setting", "1"), ("layers", "[]"), ("v", "2"),
            ("upscale", '{"factor": 3, "tile": [1, 1]}'), ("loras", "7"), ("asked", "7"),
        ):  # fmt: skip
            status, problem = await post(name, raw)
            assert (status, problem.get("code")) == (422, "invalid_request"), (name, raw[:60], problem)
        assert (await here.api.call("GET", "/v1/jobs"))[1]["jobs"] == []
