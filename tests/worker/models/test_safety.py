"""Asking for the safety checker: refused where there is none, and what it finds is not kept; with a double."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from core_lab import Here, image, settings, worker_here
from hollow_checker import put

from otterbot_worker.models import safety
from otterbot_worker.schemas.draw_files import CheckerFiles


def worker(folder: Path, checker: str | None, **images: Any) -> Any:
    return worker_here(settings(folder, images={"safety_checker": checker, "downloads": False, **images}))


async def refused(here: Here, key: str = "key-00001") -> None:
    status, problem = await here.api.call("POST", "/v1/jobs", image(key, safety=True))
    assert (status, problem["code"]) == (422, "invalid_request")
    assert [(found["field"], found["code"]) for found in problem["fields"]] == [("request.safety", "safety_missing")]
    assert "images.safety_checker" in problem["detail"]
    assert (await here.api.call("GET", "/v1/jobs"))[1]["jobs"] == []


@pytest.mark.parametrize("checker", [None, "owner/name", "/nowhere"])
async def test_without_a_checker_it_is_refused(tmp_path: Path, checker: str | None) -> None:
    async with worker(tmp_path, checker) as here:
        await refused(here)
        job = await here.api.done((await here.api.submit(image(safety=False)))["id"])
        assert job["state"] == "succeeded"


@pytest.mark.parametrize("lost", safety.FILES)
async def test_a_checker_in_parts_is_none(tmp_path: Path, lost: str) -> None:
    folder = put(tmp_path / "checker", *(name for name in safety.FILES if name != lost), "pytorch_model.bin")
    async with worker(tmp_path / "data", str(folder)) as here:
        await refused(here)


async def test_what_it_finds_is_not_kept(tmp_path: Path) -> None:
    async with worker(tmp_path / "data", str(put(tmp_path / "checker"))) as here:
        assert "safety" in (await here.api.call("GET", "/v1/info"))[1]["features"]
        job = await here.api.done((await here.api.submit(image("key-00001", prompt="unsafe", safety=True)))["id"])
        (picture,) = job["pictures"]
        assert (picture["state"], picture["error"]["code"], picture["result"]) == ("failed", "unsafe", None)
        archive = here.parts.config.archive_dir
        assert [path.name for path in archive.rglob("*.png")] == []
        job = await here.api.done((await here.api.submit(image("key-00002", safety=True)))["id"])
        result = job["pictures"][0]["result"]
        assert result["record"]["used"]["safety"] is True
        _, sidecar = await here.api.call("GET", f"/v1/images/{result['image_id']}.yml")
        assert b"safety: true" in sidecar
        job = await here.api.done((await here.api.submit(image("key-00003", prompt="unsafe")))["id"])
        assert job["pictures"][0]["result"]["record"]["used"]["safety"] is False, "nobody asked"


async def test_one_that_is_lost_while_a_job_waits_ends_it(tmp_path: Path) -> None:
    folder = put(tmp_path / "checker")
    async with worker(tmp_path / "data", str(folder)) as here:
        await here.parts.dispatcher.pause(None)
        job = await here.api.submit(image(safety=True))
        (folder / "config.json").unlink()
        await here.parts.dispatcher.resume()
        job = await here.api.done(job["id"])
        assert job["pictures"][0]["error"]["code"] == "safety_missing"
        after = await here.api.done((await here.api.submit(image("key-00002")))["id"])
        assert after["state"] == "succeeded"


def test_the_models_own_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    other, model = put(tmp_path / "other"), tmp_path / "model"
    its = CheckerFiles(folder=str(other), features=str(other), hub=None)
    assert safety.place(None, str(other), downloads=False) == its
    model.mkdir()
    assert safety.place(model, str(other), downloads=False) == safety.place(None, str(other), downloads=False)
    put(model / "safety_checker", "config.json", "model.fp16.safetensors")
    put(model / "feature_extractor", "preprocessor_config.json")
    found = safety.place(model, str(other), downloads=False)
    own = (str(model / "safety_checker"), str(model / "feature_extractor"))
    assert found == CheckerFiles(folder=own[0], features=own[1], hub=None)
    to_fetch = CheckerFiles(folder=None, features=None, hub="owner/name")
    assert safety.place(None, "owner/name", downloads=True) == to_fetch
    root = tmp_path / "hub" / "models--owner--name"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text("abc")
    here = put(root / "snapshots" / "abc")
    assert safety.place(None, "owner/name", downloads=False) == CheckerFiles(
        folder=str(here), features=str(here), hub=None
    )


@pytest.mark.parametrize("bad", ["../x", "a", "a/b/c", ""])
def test_settings_are_a_repository_or_a_path(tmp_path: Path, bad: str) -> None:
    with pytest.raises(ValueError):
        settings(tmp_path, images={"safety_checker": bad})
