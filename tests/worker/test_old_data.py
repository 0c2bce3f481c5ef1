"""A data directory that an older worker has left: its queue goes on, its pictures are there and can be made again.

The files are those of :mod:`old`; nothing but the command and its HTTP API is looked at.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from core_lab import Api, Json, Process
from PIL import Image

from doubles.ollama import OllamaDouble
from old import VERSIONS, Old

MOVED = ("created_at",)
DONE = ("plain", "extras", "changed", "private")
WAITED = ("runs", "waits", "waits to change", "waits to be large", "waits to be said")


class Opened:
    """A worker of today on an old directory, when all that waited there is done."""

    def __init__(self, old: Old, process: Process, api: Api) -> None:
        self.old, self.process, self.api = old, process, api

    async def job(self, name: str) -> Json:
        """By its key, as its client asks for it."""
        status, found = await self.api.call("GET", f"/v1/jobs?key={self.old.jobs[name]['body']['key']}")
        assert status == 200
        [job] = found["jobs"]
        assert isinstance(job, dict)
        return job

    def file(self, name: str) -> Path:
        """A picture's own, in the old archive."""
        filename = self.old.jobs[name]["answer"]["pictures"][0]["result"]["filename"]
        [found] = (self.old.folder / "worker" / "archive").rglob(filename)
        return found


@pytest_asyncio.fixture(scope="module", params=VERSIONS, ids=repr)
async def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Opened]:
    data = tmp_path_factory.mktemp("old") / "data"
    data.mkdir()
    request.param.worker_data(data)
    async with OllamaDouble({"models": [{"name": "tiny"}]}) as ollama:
        settings = {
            "OTTERBOT_CHAT__OLLAMA_URL": ollama.url, "OTTERBOT_CHAT__DEFAULT_MODEL": "tiny",
            "OTTERBOT_IMAGES__DEFAULT_MODEL": "otter-mini", "OTTERBOT_IMAGES__DOWNLOADS": "false",
        }  # fmt: skip
        process = Process(data, **settings)
        async with process.running() as api:
            found = Opened(request.param, process, api)
            for name in WAITED:
                await api.done((await found.job(name))["id"], seconds=600)
            yield found


def contains(now: Any, before: Any) -> bool:
    """Whether all that was said is said still; a later version may say more."""
    if isinstance(before, dict):
        return isinstance(now, dict) and all(
            key in MOVED or (key in now and contains(now[key], value)) for key, value in before.items()
        )
    if isinstance(before, list):
        return isinstance(now, list) and len(now) == len(before) and all(map(contains, now, before))
    return bool(now == before)


async def test_what_was_done_is_told_as_it_was(opened: Opened) -> None:
    told = {name: job["answer"] for name, job in opened.old.jobs.items() if job["answer"] is not None}
    assert {job["state"] for job in told.values()} == {"succeeded", "failed", "cancelled"}
    for name, before in told.items():
        now = await opened.job(name)
        assert contains(now, before), (name, now, before)


async def test_what_waited_is_done(opened: Opened) -> None:
    for name in WAITED:
        job = await opened.job(name)
        assert job["state"] == "succeeded", (name, job)
        request = opened.old.jobs[name]["body"]["request"]
        if job["turn"]:
            assert job["turn"]["result"]["text"].endswith("You said: are you there?")
            continue
        used = [picture["result"]["record"]["used"] for picture in job["pictures"]]
        assert [one["prompt"] for one in used] == [request["prompt"]] * request.get("count", 1)
        assert [one["seed"] for one in used] == [request["seed"] + n for n in range(len(used))]
        assert {one["steps"] for one in used} == {request["steps"]}
        for field in ("init_image", "mask"):
            assert {one[field] for one in used} == {request.get(field, {}).get("id")}
        assert all((one["hires"] is not None) is ("hires" in request) for one in used)


async def test_what_was_being_drawn_is_drawn_once_more(opened: Opened) -> None:
    [picture] = (await opened.job("runs"))["pictures"]
    assert (picture["state"], picture["attempt"]) == ("succeeded", 2)


async def test_the_archive_is_served_as_it_lies_there(opened: Opened) -> None:
    for name in DONE:
        image = opened.old.jobs[name]["answer"]["pictures"][0]["result"]["image_id"]
        file = opened.file(name)
        for path, kept in (
            ("", file), (".yml", file.with_suffix(".yml")), ("/thumbnail", file.with_suffix(".thumb.jpg")),
        ):  # fmt: skip
            status, data = await opened.api.call("GET", f"/v1/images/{image}{path}")
            assert status == 200, (name, path)
            assert data == kept.read_bytes()


async def test_the_same_body_is_the_same_job(opened: Opened) -> None:
    """Clients submit again what they have no answer to, over an update of the worker too."""
    for name, job in opened.old.jobs.items():
        status, found = await opened.api.call("POST", "/v1/jobs", job["body"])
        assert (status, found["id"]) == (200, (await opened.job(name))["id"]), name


async def test_pictures_are_shown_by_file_and_by_what_lies_beside(opened: Opened, tmp_path: Path) -> None:
    for name in DONE:
        used = opened.old.jobs[name]["answer"]["pictures"][0]["result"]["record"]["used"]
        for kept in (opened.file(name), opened.file(name).with_suffix(".yml")):
            place = tmp_path / kept.name
            shutil.copy(kept, place)
            code, page = await opened.process.command("show", str(place))
            assert code == 0, page
            assert page.startswith(f"!draw {used['prompt']} "), page
            assert f"--seed {used['seed']} " in page
            assert used["model_hash"] in page


@pytest.mark.parametrize("name", ["plain", "extras"])
async def test_a_picture_is_made_again_from_its_record(opened: Opened, name: str) -> None:
    code, shown = await opened.process.command("show", "--json", str(opened.file(name)))
    assert code == 0, shown
    body = {**opened.old.jobs[name]["body"], "key": f"again-{name}", "request": json.loads(shown)}
    job = await opened.api.done((await opened.api.submit(body))["id"])
    [picture] = job["pictures"]
    before = opened.old.jobs[name]["answer"]["pictures"][0]["result"]["record"]["used"]
    now = picture["result"]["record"]["used"]
    ours = {"versions": None, "parser": None}
    assert {**before, **ours} == {**{name: now[name] for name in before}, **ours}
    assert not any(now[name] for name in now.keys() - before.keys()), "what records have learned to say since"
    _, data = await opened.api.call("GET", f"/v1/images/{picture['result']['image_id']}")
    assert hashlib.sha256(data).hexdigest() == picture["result"]["sha256"]
    one, other = (np.asarray(Image.open(io.BytesIO(file)), int) for file in (data, opened.file(name).read_bytes()))
    assert np.abs(one - other).mean() < 1, "another processor adds up in another order"
