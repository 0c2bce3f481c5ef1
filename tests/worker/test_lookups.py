"""Absent is what the system calls so. Where nobody could look, nobody says no: the request waits and is tried again."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from core_lab import WORKER, image, settings, worker_here
from hollow_models import OWN_CATALOGUE, SD1, SD2, write

from otterbot_worker.errors import CannotLook, JobFailed, look_failed
from otterbot_worker.models import checkpoint_probe, files, plain_files
from otterbot_worker.models.catalogue import load_catalogue
from otterbot_worker.models.loras import Library
from otterbot_worker.requests.loras import find_loras
from otterbot_worker.runner import held, pictures
from otterbot_worker.runner.held import HeldRows


def loop(path: Path) -> None:
    """A link to itself, which is neither there nor absent; for root as well."""
    path.unlink(missing_ok=True)
    path.symlink_to(path.name)


def data_of(tmp_path: Path) -> Path:
    return next(path for path in tmp_path.rglob("checkpoints") if path.is_dir()).parent


def test_absent_is_what_the_system_calls_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for absent in ("none", "file/below", "none/below", "a\0b"):
        assert not plain_files.is_file(tmp_path / absent)
        assert plain_files.names(tmp_path / absent) == []
    assert plain_files.is_file(tmp_path / "file")
    loop(tmp_path / "loop")
    for ask in (plain_files.is_file, plain_files.is_dir, plain_files.names, plain_files.status):
        with pytest.raises(CannotLook, match="symbolic links"):
            ask(tmp_path / "loop")
    with pytest.raises(CannotLook):
        files.find_file(hub=None, file=str(tmp_path / "loop"))
    with pytest.raises(CannotLook):
        files.find(hub=None, folder=str(tmp_path / "loop"))


def test_an_error_without_a_number_is_the_files() -> None:
    look_failed(OSError("no such config"), "a file")
    look_failed(FileNotFoundError(2, "No such file"), "a file")
    look_failed(ValueError(), "a file")
    with pytest.raises(CannotLook, match="a file could not be looked at: Input/output error"):
        look_failed(OSError(5, "Input/output error"), "a file")


NO_MORE = """
import json, os, pathlib, sys
from otterbot_worker.errors import CannotLook
from otterbot_worker.models.catalogue import load_catalogue
from otterbot_worker.models.loras import Library
catalogue = load_catalogue(data_dir=pathlib.Path(sys.argv[1]))
held = []
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
look = catalogue.look()
try:
    look.entry("a")
    answer = "found or absent"
except CannotLook as error:
    answer = str(error)
for one in held:
    os.close(one)
print(json.dumps([answer, list(look.broken), sorted(set(catalogue.look().images) & {"a"})]))
"""


def test_without_one_more_open_file_nothing_is_missing(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    write(tmp_path / "checkpoints" / "a.safetensors", SD1)
    done = subprocess.run(
        [sys.executable, "-c", NO_MORE, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(WORKER), "HF_HUB_CACHE": str(tmp_path / "hub")},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)),
    )  # fmt: skip
    answer, broken, after = json.loads(done.stdout)
    assert answer.startswith("the model a could not be looked at: the folder checkpoints could not be looked at: ")
    assert answer.endswith("Too many open files")
    assert "checkpoints" in broken
    assert after == ["a"], "nothing of it is kept"


async def test_a_request_whose_model_nobody_can_look_at_is_asked_for_again(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(OWN_CATALOGUE)
    async with worker_here(settings(tmp_path, images={"downloads": False, "catalogue": own}), paused=True) as here:
        data = data_of(tmp_path)
        loop(data / "checkpoints" / "Named.safetensors")
        status, problem = await here.api.call("POST", "/v1/jobs", image(model="mine"))
        assert (status, problem["code"]) == (503, "cannot_look")
        assert "The model mine could not be looked at: " in problem["detail"]
        _, listed = await here.api.call("GET", "/v1/models")
        shown = {model["name"]: model for model in listed["models"]}["mine"]
        assert (shown["available"], "could not be looked at" in shown["problem"]) == (False, True)
        (data / "checkpoints" / "Named.safetensors").unlink()
        status, problem = await here.api.call("POST", "/v1/jobs", image(model="mine"))
        assert (status, problem["fields"][0]["code"]) == (422, "model_missing")
        write(data / "checkpoints" / "Named.safetensors", SD1)
        assert (await here.api.call("POST", "/v1/jobs", image(model="mine")))[0] == 202


@pytest.mark.parametrize("name", ["checkpoints", "loras", "embeddings", "controlnets"])
async def test_a_folder_that_nobody_can_look_into(tmp_path: Path, name: str) -> None:
    asks: dict[str, dict[str, Any]] = {
        "checkpoints": {"model": "dropped"},
        "loras": {"prompt": "an otter <lora:any:1>"},
        "controlnets": {"prompt": "an otter"},
        "embeddings": {"prompt": "an otter"},
    }
    async with worker_here(settings(tmp_path, images={"downloads": False}), paused=True) as here:
        folder = data_of(tmp_path) / name
        folder.rmdir()
        loop(folder)
        status, _ = await here.api.call("POST", "/v1/jobs", image("key-00001", model="otter-mini"))
        assert status == 202, "what needs nothing of it goes on"
        status, problem = await here.api.call("POST", "/v1/jobs", image("key-00002", **asks[name]))
        if name in ("checkpoints", "loras"):
            assert (status, problem["code"]) == (503, "cannot_look")
            assert "symbolic links" in problem["detail"]
        lists = {"checkpoints": "models", "controlnets": "controlnets"}.get(name, "loras")
        status, listed = await here.api.call("GET", f"/v1/{lists}")
        assert status == 200
        line = next(one for one in listed[lists] if one["name"] == name)
        assert "could not be looked at" in line["problem"]


def test_settings_that_nobody_can_look_at_make_no_file_broken(tmp_path: Path) -> None:
    """Those that an entry names for its single file; the process that reads that one needs them."""
    file, config = write(tmp_path / "a.safetensors", SD1), tmp_path / "config"
    (config / "unet").mkdir(parents=True)
    loop(config / "unet" / "config.json")
    found = checkpoint_probe.look(file, config=str(config))
    assert "symbolic links" in (found.unread or "")
    (config / "unet" / "config.json").unlink()
    found = checkpoint_probe.look(file, config=str(config))
    assert found.unread is None
    assert found.problem == "was not made with the settings that its entry names (config)"


def test_words_that_may_be_embeddings_are_said(tmp_path: Path) -> None:
    """Nobody knows whether a word is one; a picture without them is what most people asked for."""
    loop(tmp_path / "embeddings")
    entry = load_catalogue(data_dir=tmp_path).images["sd15"]
    wanted = find_loras("an otter", "", entry, Library(tmp_path))
    assert wanted.problems == []
    assert [note.partition(" could")[0] for note in wanted.notes] == ["No embedding was used: the folder embeddings"]


async def test_an_accepted_picture_waits_alone_and_is_drawn_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "UNREAD_SECONDS", 0.05)
    own = tmp_path / "own.yaml"
    own.write_text(OWN_CATALOGUE)
    async with worker_here(settings(tmp_path, images={"downloads": False, "catalogue": own}), paused=True) as here:
        place = data_of(tmp_path) / "checkpoints" / "Named.safetensors"
        write(place, SD1)
        waits = await here.api.submit(image("key-00001", model="mine", safety=False))
        loop(place)
        other = await here.api.submit(image("key-00002", model="otter-mini"))
        await here.api.call("POST", "/v1/resume")
        assert (await here.api.done(other["id"]))["state"] == "succeeded"
        _, job = await here.api.call("GET", f"/v1/jobs/{waits['id']}")
        assert job["state"] in ("queued", "running")
        place.unlink()
        write(place, SD1)
        assert (await here.api.done(waits["id"]))["state"] == "succeeded"


async def test_an_accepted_picture_ends_with_a_sentence_where_it_never_gets_better(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "UNREAD_SECONDS", 0.05)
    monkeypatch.setattr(held, "MOST_SECONDS", 0.2)
    own = tmp_path / "own.yaml"
    own.write_text(OWN_CATALOGUE)
    async with worker_here(settings(tmp_path, images={"downloads": False, "catalogue": own}), paused=True) as here:
        place = data_of(tmp_path) / "checkpoints" / "Named.safetensors"
        write(place, SD1)
        waits = await here.api.submit(image("key-00001", model="mine"))
        loop(place)
        await here.api.call("POST", "/v1/resume")
        error = (await here.api.done(waits["id"]))["pictures"][0]["error"]
        assert error["code"] == "model_broken"
        assert "symbolic links" in error["message"]
        assert error["message"].endswith(held.GAVE_UP)


def test_rows_that_wait_alone() -> None:
    now = 100.0
    rows = HeldRows(lambda: now)
    assert rows.hold(1, 15.0)
    assert (rows.holds(1), rows.holds(2), rows.moments) == (True, False, [115.0])
    now = 116.0
    assert (rows.holds(1), rows.moments) == (False, [])
    assert rows.hold(1, 15.0)
    now = 700.0
    assert not rows.hold(1, 15.0), "it has waited for ten minutes"
    assert rows.hold(1, 15.0), "and is forgotten then"
    now = 5_000.0
    assert not rows.holds(1)
    assert rows._rows == {}


def test_the_default_is_none_that_nobody_can_look_at(tmp_path: Path) -> None:
    place = tmp_path / "checkpoints"
    place.mkdir()
    loop(place / "a.safetensors")
    (place / "b.safetensors").write_bytes(b"no model")
    write(place / "c.safetensors", SD1)
    catalogue = load_catalogue(data_dir=tmp_path)
    assert catalogue.default_model("cpu")[0] == "c"
    assert catalogue.find_default("cpu").settled
    (place / "c.safetensors").unlink()
    assert (catalogue.find_default("cpu").name, catalogue.find_default("cpu").settled) == ("otter-mini", True)
    write(place / "c.safetensors", SD2)
    assert not catalogue.find_default("cpu", seconds=0).settled, "it was not read"
    write(place / "c.safetensors", SD1)
    assert [catalogue.may_have(name) for name in ("c", "b", "none", "otter-mini")] == [True, False, False, True]


def test_the_engines_words_come_as_a_failure_that_waits() -> None:
    """What ``jobs.pictures`` hands back is told from what ended by its code alone."""
    error = CannotLook("the file a.ckpt", "Input/output error")
    assert error.sentence == "The file a.ckpt could not be looked at: Input/output error."
    assert JobFailed(pictures.CANNOT_LOOK, error.sentence).code == "cannot_look"


async def test_a_picture_is_not_gone_while_its_disk_is_missing(tmp_path: Path) -> None:
    """Where the archive is a disk of its own that is not mounted, its folder is there and empty, or not there."""
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.done((await here.api.submit(image()))["id"])
        path = f"/v1/images/{job['pictures'][0]['result']['image_id']}"
        archive, away = here.parts.archive.root, tmp_path / "away"
        archive.rename(away)
        for _ in range(2):
            for ending in ("", "/thumbnail", ".yml"):
                status, problem = await here.api.call("GET", path + ending)
                assert (status, problem["code"]) == (503, "cannot_look")
            archive.mkdir(exist_ok=True)
        archive.rmdir()
        away.rename(archive)
        assert (await here.api.call("GET", path))[0] == 200
