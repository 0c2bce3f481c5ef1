"""A file that somebody dropped stops nothing: it is a line in a list, and everything else goes on."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from core_lab import WORKER, Process, image, settings, worker_here
from hollow_models import SD1, write
from hostile_files import HOSTILE

from otterbot_worker.models import header_reader

FOLDERS = ("checkpoints", "loras", "embeddings", "controlnets")
LOOK = """
import json, pathlib, sys
from otterbot_worker.models import header_process, header_reader
from otterbot_worker.models.catalogue import load_catalogue
from otterbot_worker.models.loras import Library
folder = pathlib.Path(sys.argv[1])
look, library = load_catalogue(data_dir=folder).look(100), Library(folder)
found = {"checkpoints": dict(look.broken), "unread": dict(look.unread)}
for kind in ("lora", "embedding"):
    found[kind] = {one.name: one.problem for one in library.listed(kind)}
found["controlnet"] = {one.name: one.problem for one in library.controlnets.listed()}
header_reader.READER.close()
status = pathlib.Path("/proc/self/status").read_text()
found["megabytes"] = int(status.partition("VmHWM:")[2].split()[0]) // 1024
found["limits"] = [header_reader.TOO_LONG, header_reader.ENDS, header_process.TOO_MUCH, header_process.UNREADABLE]
print(json.dumps(found))
"""


def looked(folder: Path) -> dict[str, Any]:
    """In a process of its own, which ends the test where it stands still."""
    command = [sys.executable, "-W", "error", "-c", LOOK, str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(WORKER), "HF_HUB_CACHE": str(folder / "hub")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def drop(folder: Path) -> None:
    for name, data in HOSTILE.items():
        place = folder / "checkpoints"
        place.mkdir(exist_ok=True)
        (place / name).write_bytes(data)
        small = len(data) < 1_000_000 or name == "nested.safetensors"
        for other in FOLDERS[1:] if name.endswith(".safetensors") and small else ():
            (folder / other).mkdir(exist_ok=True)
            (folder / other / name).write_bytes(data)


def drop_what_is_no_file(folder: Path) -> list[str]:
    """Into each folder; the names that they have in a list."""
    for name in FOLDERS:
        place = folder / name
        place.mkdir(exist_ok=True)
        os.mkfifo(place / "pipe.safetensors")
        (place / "zero.safetensors").symlink_to("/dev/zero")
        (place / "dangling.safetensors").symlink_to("nothing")
        (place / "loop.safetensors").symlink_to("loop.safetensors")
        with socket.socket(socket.AF_UNIX) as made:
            here = Path.cwd()
            os.chdir(place)  # its path may be too long for a socket's name
            made.bind("socket.safetensors")
            os.chdir(here)
        os.mkfifo(place / "a\nb\u202e.safetensors")
        os.mkfifo(place / os.fsdecode(b"caf\xe9.safetensors"))
    return ["pipe", "zero", "dangling", "loop", "socket", "a\ufffdb\ufffd", "caf\ufffd"]


def test_hostile_headers_are_lines(tmp_path: Path) -> None:
    drop(tmp_path)
    found = looked(tmp_path)
    assert sorted(found["checkpoints"]) == sorted(name.rpartition(".")[0] for name in HOSTILE)
    assert found["unread"] == {}
    for kind, folder in (("lora", "loras"), ("embedding", "embeddings"), ("controlnet", "controlnets")):
        assert set(found[kind]) == {path.stem for path in (tmp_path / folder).iterdir()}
    lines = [line for kind in ("checkpoints", "lora", "embedding", "controlnet") for line in found[kind].values()]
    assert all(line and line.isprintable() and len(line) < 300 for line in lines)
    assert found["megabytes"] < 200
    beyond = {name: line for name, line in found["checkpoints"].items() if any(end in line for end in found["limits"])}
    assert beyond == {}, "bounds that come before the work were not enough, and the kernel had to end it"


def test_what_is_no_file_is_a_line_and_nobody_waits_for_it(tmp_path: Path) -> None:
    names = drop_what_is_no_file(tmp_path)
    found = looked(tmp_path)
    for kind in ("checkpoints", "lora", "embedding", "controlnet"):
        assert set(names) <= set(found[kind]), kind
        assert "is a pipe, not a file" in found[kind]["pipe"]
        assert "is a device, not a file" in found[kind]["zero"]
        assert "is a socket, not a file" in found[kind]["socket"]
        assert "is a link to a file that is not there" in found[kind]["dangling"]
        assert "is a link that leads to itself" in found[kind]["loop"]


async def test_the_worker_starts_lists_and_ends_with_them(tmp_path: Path) -> None:
    folder = tmp_path / "worker"
    folder.mkdir()
    drop(folder)
    names = drop_what_is_no_file(folder)
    process = Process(folder)
    async with process.running() as api:
        status, listed = await api.call("GET", "/v1/models")
        problems = {model["name"]: model.get("problem") for model in listed["models"]}
        assert status == 200
        assert all(problems[name] for name in [*names, "infinite", "nested", "texts", "colliding"])
        assert problems["otter-mini"] is None
        for path in ("/v1/loras", "/v1/controlnets"):
            assert (await api.call("GET", path))[0] == 200
    code, said = await process.command("models")
    assert code == 0, said
    assert "\nTraceback" not in said
    assert sum(line.split()[:1] == ["infinite"] for line in said.splitlines()) == 1
    assert process.process is not None
    assert process.process.returncode == 0, process.log.read_text()
    assert "Traceback" not in process.log.read_text()


async def test_pictures_are_drawn_beside_them(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path, images={"downloads": False})) as here:
        data = next(path for path in tmp_path.rglob("checkpoints") if path.is_dir()).parent
        drop_what_is_no_file(data)
        for name in ("infinite.ckpt", "huge.ckpt", "half.safetensors"):
            (data / "checkpoints" / name).write_bytes(HOSTILE[name])
        write(data / "checkpoints" / "good.safetensors", SD1)
        job = await here.api.done((await here.api.submit(image(model="otter-mini")))["id"])
        assert job["state"] == "succeeded"
        status, problem = await here.api.call("POST", "/v1/jobs", image("key-00002", model="infinite"))
        assert (status, problem["fields"][0]["code"]) == (422, "model_broken")
        assert (await here.api.call("POST", "/v1/jobs", image("key-00003", model="good")))[0] == 202


async def test_the_event_loop_goes_on_while_a_header_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a file that nobody reads to its end, until somebody has heard that the worker is alive."""
    go, double = tmp_path / "go", tmp_path / "python"
    double.write_text(f"#!/bin/sh\necho ready; read line; while [ ! -e {go} ]; do sleep 0.02; done; exit 3\n")
    double.chmod(0o755)
    async with worker_here(settings(tmp_path, images={"downloads": False})) as here:
        folder = next(path for path in tmp_path.rglob("checkpoints") if path.is_dir())
        header_reader.READER.close()
        monkeypatch.setattr(sys, "executable", str(double))
        write(folder / "slow.safetensors", SD1)
        listing = asyncio.create_task(here.api.call("GET", "/v1/models"))
        await asyncio.wait([listing], timeout=0.2)
        job = asyncio.create_task(here.api.call("POST", "/v1/jobs", image(model="otter-mini")))
        assert (await here.api.call("GET", "/v1/info"))[0] == 200
        assert not listing.done()
        go.touch()
        status, listed = await listing
        assert (status, (await job)[0]) == (200, 202)
        assert "breaks whatever reads it" in {m["name"]: m.get("problem") for m in listed["models"]}["slow"]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_file_that_may_not_be_read_is_not_called_broken(tmp_path: Path) -> None:
    place = tmp_path / "checkpoints"
    place.mkdir()
    write(place / "a.safetensors", SD1).chmod(0)
    found = looked(tmp_path)
    assert "Permission denied" in found["unread"]["a"]


async def test_a_worker_that_reads_ends_when_it_is_told_to(tmp_path: Path) -> None:
    """A thread that looks at files keeps nobody from starting the worker, and from ending it."""
    folder = tmp_path / "worker"
    (folder / "checkpoints").mkdir(parents=True)
    for number in range(8):
        (folder / "checkpoints" / f"steps-{number}.ckpt").write_bytes(HOSTILE["steps.ckpt"])
    process = Process(folder)
    await process.start()
    assert await process.end(signal.SIGTERM) == 0
