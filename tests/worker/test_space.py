"""Whether the disk has room: whoever is asked gives the same answer, at the same moment. And what is not here yet."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from core_lab import WORKER, Json, image, settings, worker_here

from otterbot_worker import space
from otterbot_worker.models.catalogue import load_catalogue
from otterbot_worker.models.fetching import download_bytes

FULL = {"min_free_gb": 1e9}


def doctor(data_dir: Path, min_free_gb: float) -> subprocess.CompletedProcess[str]:
    """By the command that people type, with everything but the disks left out of the settings."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(WORKER),
        "OTTERBOT_DATA_DIR": str(data_dir),
        "OTTERBOT_ARCHIVE__MIN_FREE_GB": str(min_free_gb),
        "OTTERBOT_GPU__DEVICE": "cpu",
        "HF_HUB_CACHE": str(data_dir / "hub"),
    }
    command = [sys.executable, "-m", "otterbot_worker.cli", "doctor"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)


async def test_submission_status_and_readiness_agree(tmp_path: Path) -> None:
    """Also where nothing waits, so that nobody has looked at the disk for a picture."""
    async with worker_here(settings(tmp_path, archive=FULL)) as here:
        for _ in range(2):
            status, problem = await here.api.call("POST", "/v1/jobs", image())
            assert (status, problem["code"]) == (507, "disk_full")
            _, info = await here.api.call("GET", "/v1/info")
            said = problem["detail"].partition(":")[0]  # how much is free may be another number in a moment
            assert said == "The disk with the pictures is nearly full"
            assert info["notice"].startswith(said)
            status, ready = await here.api.call("GET", "/readyz")
            assert (status, ready["reasons"]["image"].partition(":")[0]) == (503, said)
            assert str(tmp_path) not in str([problem, info, ready]), "rooms read that"
            await here.parts.dispatcher.pause(None)


async def test_room_that_was_made_counts_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with worker_here(settings(tmp_path)) as here:
        with monkeypatch.context() as patch:
            patch.setattr(space, "problem", lambda _: "The disk is full.")
            status, _ = await here.api.call("POST", "/v1/jobs", image())
            assert status == 507
            assert (await here.api.call("GET", "/v1/info"))[1]["notice"].startswith("The disk is full.")
        assert "full" not in ((await here.api.call("GET", "/v1/info"))[1]["notice"] or "")
        job = await here.api.submit(image())
        assert (await here.api.done(job["id"]))["state"] == "succeeded"


def test_the_doctor_says_the_same(tmp_path: Path) -> None:
    data = tmp_path / "data"
    done = doctor(data, 1e9)
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("FAIL") and "nearly full" in line]
    (expected,) = {
        room.problem and room.problem.partition(":")[0]
        for room in map(space.look, space.places(data / "archive", data, 1e9))
        if room.problem
    } - {None}
    assert expected in line
    assert str(data / "archive") in line, "an operator wants to know which folder"


def test_what_cannot_be_looked_at_is_not_called_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(space.shutil, "disk_usage", broken)
    found = space.problem(space.places(tmp_path, tmp_path, 1))
    assert found == "The disk with the pictures cannot be looked at (Input/output error); pictures wait until it can."


def test_a_folder_that_is_still_to_be_made_is_looked_at_where_it_will_be(tmp_path: Path) -> None:
    there = tmp_path / "not" / "yet"
    assert space.problem(space.places(there, there, 0)) is None
    assert "nearly full" in (space.problem(space.places(there, there, 1e9)) or "")


@pytest.mark.parametrize("downloads", [True, False])
async def test_the_list_says_what_is_not_here(tmp_path: Path, downloads: bool) -> None:
    async with worker_here(settings(tmp_path, images={"downloads": downloads}), paused=True) as here:
        _, answer = await here.api.call("GET", "/v1/models")
        found: dict[str, Json] = {model["name"]: model for model in answer["models"]}
        mini, large = found["otter-mini"], found["ssd-1b"]
        assert (mini["here"], mini["download_bytes"], mini["available"]) == (True, None, True)
        assert (large["here"], large["available"]) == (False, downloads)
        assert 4e9 < large["download_bytes"] < 5.5e9


def test_only_what_is_missing_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    images = load_catalogue(data_dir=tmp_path, downloads_allowed=True).images
    base, refined = download_bytes(images["sdxl"]), download_bytes(images["sdxl-refined"])
    assert base is not None
    assert refined is not None
    assert refined > base + 4e9, "with the refiner's U-Net"
