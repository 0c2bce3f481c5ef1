"""Requests with a picture that steers: the ControlNet is found, judged by its header, recorded, and found again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from core_lab import Here, Json, image, settings, worker_here
from hollow_controlnets import header, put, shapes
from sent_pictures import png, send, sha

from otterbot_worker.families import FAMILIES
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.models import controlnets
from otterbot_worker.models.estimates import Needs, Part
from otterbot_worker.models.estimates import steered as steered_needs
from otterbot_worker.models.header_reader import Patience
from otterbot_worker.models.user_files import BAD_NAME, PICKLE
from otterbot_worker.schemas.draw_files import ControlFiles


def put_folder(folder: Path, name: str, family: str = "sd", config: Any = None) -> Path:
    path = folder / name
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(config or {"_class_name": "ControlNetModel"}))
    (path / "diffusion_pytorch_model.safetensors").write_bytes(header(shapes(family)))
    return path


def steered(data: bytes, key: str = "key-00001", kind: str = "canny", model: str = "sd15", **control: Any) -> Json:
    return image(key, model=model, control={"kind": kind, "id": sha(data), **control})


CATALOGUE = """
models:
  sd15: &model
    folder: nowhere-sd
    family: sd
    about: a test
    defaults: {steps: 4, guidance_scale: 5.0, width: 512, height: 512, sampler: UniPC}
  xl: {<<: *model, folder: nowhere-xl, family: sdxl}
  of-hub: {<<: *model, folder: null, hub: owner/name, family: sdxl}
  three: {<<: *model, folder: nowhere-3, family: sd3, limits: {size_multiple: 16},
          defaults: {steps: 4, guidance_scale: 5.0, width: 512, height: 512, sampler: Euler}}
"""


def worker(folder: Path, *, paused: bool = False, **images: Any) -> Any:
    """Its models' files are empty: nothing reads them."""
    for name, width in (("sd", 768), ("xl", 2048), ("3", None)):
        model = folder / "models" / f"nowhere-{name}"
        parts = ("transformer",) if width is None else ("unet",)
        for part in parts:
            (model / part).mkdir(parents=True)
            (model / part / "x.safetensors").touch()
            (model / part / "config.json").write_text(json.dumps({"cross_attention_dim": width}))
        (model / "model_index.json").write_text(json.dumps({part: ["diffusers", "x"] for part in parts}))
    path = folder / "own.yaml"
    path.write_text(CATALOGUE)
    return worker_here(settings(folder, images={"catalogue": path, **images}), paused=paused)


async def refused(here: Here, body: Json, code: str) -> str:
    status, problem = await here.api.call("POST", "/v1/jobs", body)
    assert (status, problem["code"]) == (422, "invalid_request"), problem
    assert [found["code"] for found in problem["fields"]] == [code]
    assert problem["fields"][0]["field"].startswith("request.control")
    return str(problem["detail"])


async def test_it_is_drawn_and_recorded(tmp_path: Path, tasks: list[Draw]) -> None:
    path = put(tmp_path, "my_canny.safetensors")
    async with worker(tmp_path) as here:
        data = png()
        await send(here.api, data)
        assert "control" in (await here.api.call("GET", "/v1/info"))[1]["features"]
        job = await here.api.done((await here.api.submit(steered(data, scale=0.7, end=0.8)))["id"])
        result = job["pictures"][0]["result"]
        used = result["record"]["used"]
        assert used["control"] == {
            "kind": "canny", "name": "my_canny", "hash": "0" * 16, "id": sha(data),
            "scale": 0.7, "start": 0.0, "end": 0.8,
        }  # fmt: skip
        assert (result["width"], result["height"]) == (624, 416), "the shape of the picture that steers"
        said = "The picture that steers has 96x64 pixels and was drawn at 624x416 (its shape, in multiples of 8)."
        assert result["notes"] == [said]
        assert tasks[0].control == ControlFiles(
            kind="canny", id=sha(data), scale=0.7, start=0.0, end=0.8, width=96, height=64, name="my_canny",
            hash=controlnets.hash_of(path), hub=None, canny=True, path=str(path),
            picture=str(tmp_path / "inputs" / "otterbot" / f"{sha(data)}.png"),
        )  # fmt: skip
        assert tasks[0].init_image is None
        _, picture = await here.api.call("GET", f"/v1/images/{result['image_id']}")
        assert b'ControlNet 0: "Module: canny, Model: my_canny [00000000], Weight: 0.7, ' in picture
        job = await here.api.done((await here.api.submit(steered(data, "key-00002", "MY_canny")))["id"])
        assert job["pictures"][0]["result"]["record"]["used"]["control"]["kind"] == "MY_canny"
        assert tasks[1].control is not None
        assert (tasks[1].control.canny, tasks[1].control.name) == (False, "my_canny")


@pytest.mark.parametrize("downloads", [False, True])
async def test_edges_wait_where_the_file_for_them_cannot_be_read_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, downloads: bool
) -> None:
    """On a busy machine a header is not read in time: that does not mean that there is no ControlNet."""
    put(tmp_path, "my_canny.safetensors")
    async with worker(tmp_path, downloads=downloads) as here:
        data = png()
        await send(here.api, data)
        with monkeypatch.context() as busy:
            busy.setattr(controlnets, "Patience", lambda **how: Patience(0.0, **how))
            status, problem = await here.api.call("POST", "/v1/jobs", steered(data))
        assert (status, problem.get("code")) == (503, "cannot_look"), problem
        assert "my_canny" in problem["detail"]
        job = await here.api.submit(steered(data))
        assert job["resolved"]["control"]["name"] == "my_canny"


async def test_the_list(tmp_path: Path) -> None:
    for name, data in (
        ("a_canny.safetensors", None),
        ("b.safetensors", header(shapes("sdxl"))),
        ("c.safetensors", header(shapes(layout="ldm"))),
        ("d.safetensors", header(shapes(), cut=10)),
        ("e.safetensors", b"a text, and no weights at all"),
        ("f.safetensors", header({"unet.x.lora_A.weight": (2, 2)})),
        ("union.safetensors", header({**shapes("sdxl"), "task_embedding": (2, 2)})),
        ("pickled.pth", b""), (".hidden.safetensors", None), ("<x>.safetensors", None),
    ):  # fmt: skip
        put(tmp_path, name, data)
    put_folder(tmp_path / "controlnets", "z", "sdxl")
    put_folder(tmp_path / "controlnets", "y", config={"_class_name": "ControlNetUnionModel"})
    (tmp_path / "controlnets" / "empty").mkdir()
    lacking = put_folder(tmp_path / "controlnets", "x")
    (lacking / "diffusion_pytorch_model.safetensors").unlink()
    async with worker(tmp_path, paused=True) as here:
        status, listed = await here.api.call("GET", "/v1/controlnets")
        assert status == 200
        found = {net["name"]: net for net in listed["controlnets"]}
        unreadable = "is no ControlNet that this worker can read"
        assert {name: net["problem"] or net["family"] for name, net in found.items()} == {
            "a_canny": "sd", "b": "sdxl", "c": "sd", "d": "is cut off", "e": "is no safetensors file", "f": unreadable,
            "union": unreadable, "x": "has no diffusion_pytorch_model.safetensors in its folder", "y": unreadable,
            "z": "sdxl", "pickled": PICKLE, "<x>": BAD_NAME,
        }  # fmt: skip
        assert found["a_canny"]["canny"]
        assert len(found["z"]["hash"]) == 16
        data = png()
        await send(here.api, data)
        for name in ("d", "e", "f", "pickled", "union", "x", "y"):
            said = await refused(here, steered(data, kind=name), "controlnet_broken")
            assert said == f"The ControlNet `{name}` {found[name]['problem']}."
        for name in ("z", "b"):
            said = await refused(here, steered(data, kind=name), "controlnet_mismatch")
            assert said == f"The ControlNet `{name}` is made for SDXL models, and sd15 is none."
        for name in (
            "../controlnets/a_canny",
            "a_canny.safetensors",
            "/etc/passwd",
            ".hidden",
            "<x>",
            "empty",
        ):
            said = await refused(here, steered(data, kind=name), "unknown_controlnet")
            assert said == "No such ControlNet. For sd15 there are: `canny`, `a_canny`, `c`."


async def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "canny2.safetensors", header(shapes(width=1024)))
    async with worker(tmp_path, paused=True, downloads=False) as here:
        data = png()
        await send(here.api, data)
        said = await refused(here, steered(data, kind="canny2"), "controlnet_mismatch")
        assert said == "The ControlNet `canny2` is made for another model than sd15."
        said = await refused(here, steered(data), "controlnet_missing")
        assert "No ControlNet for edges fits sd15." in said
        assert "lllyasviel/control_v11p_sd15_canny" in said
        assert "`controlnets/`" in said
        assert "diffusers/controlnet-canny-sdxl" in await refused(here, steered(data, model="xl"), "controlnet_missing")
        assert "three cannot be steered" in await refused(here, steered(data, model="three"), "no_control")
        put(tmp_path, "canny.safetensors", b"x")
        assert "The ControlNet `canny` is cut off." in await refused(here, steered(data), "controlnet_missing")
        (tmp_path / "controlnets" / "canny.safetensors").rename(tmp_path / "controlnets" / "canny.pth")
        assert "The ControlNet `canny` is a pickle" in await refused(here, steered(data), "controlnet_missing")
        put(tmp_path, "b_canny.safetensors")
        for start, end in ((0.5, 0.5), (0.6, 0.4), (0.0, 0.0)):
            await refused(here, steered(data, start=start, end=end), "bad_range")
        status, problem = await here.api.call("POST", "/v1/jobs", steered(b"never sent"))
        assert (status, problem["code"]) == (422, "input_gone")
        body = steered(data, "key-00009")
        body["request"] |= {"width": 256, "height": 256, "hires": {"scale": 2}}
        notes = (await here.api.submit(body))["request"]["notes"]
        assert "The second pass is not steered: it keeps what the first one drew." in notes
        job = await here.api.submit(steered(data, scale=0))
        assert job["request"]["control"]["name"] == "b_canny"


async def test_the_known_ones_come_from_the_hub(tmp_path: Path, tasks: list[Draw]) -> None:
    async with worker(tmp_path, downloads=True) as here:
        data = png()
        await send(here.api, data)
        job = await here.api.done((await here.api.submit(steered(data, model="xl")))["id"])
        assert job["pictures"][0]["result"]["record"]["used"]["control"]["name"] == "controlnet-canny-sdxl-1.0-small"
        assert tasks[0].control is not None
        assert tasks[0].control.hub == controlnets.AT_HUB[2048]
        assert (tasks[0].control.hash, tasks[0].control.path) == (None, None)
        repository = tmp_path / "hub" / "models--diffusers--controlnet-canny-sdxl-1.0-small"
        (repository / "refs").mkdir(parents=True)
        (repository / "refs" / "main").write_text("abc")
        folder = put_folder(repository / "snapshots", "abc", "sdxl")
        job = await here.api.done((await here.api.submit(steered(data, "key-00002", model="xl")))["id"])
        assert tasks[1].control is not None
        assert tasks[1].control.path == str(folder)
        assert len(tasks[1].control.hash or "") == 16
        _, listed = await here.api.call("GET", "/v1/controlnets")
        assert [net["name"] for net in listed["controlnets"]] == ["controlnet-canny-sdxl-1.0-small"]
        put(tmp_path, "own_canny.safetensors", header(shapes("sdxl")))
        job = await here.api.submit(steered(data, "key-00003", model="xl"))
        assert job["request"]["control"]["name"] == "own_canny", "the operator's own comes first"


async def test_one_that_is_lost_while_a_job_waits_ends_it(tmp_path: Path) -> None:
    path = put(tmp_path, "my_canny.safetensors")
    async with worker(tmp_path, paused=True) as here:
        data = png()
        await send(here.api, data)
        job = await here.api.submit(steered(data))
        path.unlink()
        await here.parts.dispatcher.resume()
        job = await here.api.done(job["id"])
        error = job["pictures"][0]["error"]
        assert (error["code"], error["message"]) == (
            "controlnet_missing", "The ControlNet my_canny is not on the worker any more.",
        )  # fmt: skip


@pytest.mark.parametrize("control", [{"kind": "canny"}, {"id": "0" * 64}, {"kind": "", "id": "0" * 64}, "canny", []])
async def test_half_a_control_is_refused(tmp_path: Path, control: Any) -> None:
    async with worker(tmp_path, paused=True) as here:
        status, problem = await here.api.call("POST", "/v1/jobs", image(control=control))
        assert (status, problem["code"]) == (422, "invalid_request")
        assert all(found["field"].startswith("request.control") for found in problem["fields"])


def test_what_it_takes_is_read_off_its_header(tmp_path: Path) -> None:
    model = Needs(parts={}, computing=FAMILIES["sd"].computing)
    path = put(tmp_path, "net.safetensors")
    values = 2 * 4 * 9 + 2 * 3 * 9 + 2 * 2 + 2 * 768
    asked = ControlFiles(
        kind="canny", id="0" * 64, scale=1.0, start=0.0, end=1.0, width=64, height=64, name="net", hash=None, hub=None,
        picture="", canny=True, path=str(path),
    )  # fmt: skip
    assert steered_needs(model, asked).steering == Part(values=values, largest=2 * 768)
    in_folder = asked.model_copy(update={"path": str(put_folder(tmp_path, "net"))})
    assert steered_needs(model, in_folder).steering is not None
    path.write_bytes(b"x")
    without = (asked.model_copy(update={"scale": 0.0}), asked.model_copy(update={"path": None}))
    for control in (None, *without, asked):
        assert steered_needs(model, control) is model
