"""Forks are what new processes would be, and the program knows nothing of them (`forks`)."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from core_lab import WORKER

from forks import client, server
from otterbot_worker.gpu.messages import Draw
from otterbot_worker.gpu.process import GpuProcess
from otterbot_worker.models.header_reader import READY

HEADERS = "otterbot_worker.models.header_process"


@pytest.fixture
def asked(servers: client.Servers) -> Iterator[list[dict[str, Any]]]:
    """The requests of all forks since."""
    found: list[dict[str, Any]] = []

    class Watched:
        def __init__(self, real: client.Client) -> None:
            self._real, self.can_be = real, real.can_be

        def fork(self, files: Any, **request: Any) -> int:
            found.append(request)
            return self._real.fork(files, **request)

    with client.forking(lambda kind: Watched(servers(kind)), anew=True):  # type: ignore[arg-type, return-value]
        yield found


def reader(**changes: str) -> subprocess.Popen[bytes]:
    """A small process that forks can be; it has said that it is ready."""
    environment = {**os.environ, "PYTHONPATH": str(WORKER), **changes}
    command = [sys.executable, "-m", HEADERS]
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == READY
    return process


def about(pid: int) -> dict[str, Any]:
    """What the system says of a process."""
    place = Path(f"/proc/{pid}")
    status = dict(line.split(":\t", 1) for line in (place / "status").read_text().splitlines())
    files = {int(file.name): os.readlink(file).partition(":")[0] for file in (place / "fd").iterdir()}
    words = (place / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    names = ("Name", "PPid", "Threads", "SigIgn", "SigCgt", "SigBlk")
    return {
        **{name: status[name] for name in names},
        "files": files,
        "words": words,
        "folder": os.readlink(place / "cwd"),
    }


def test_the_system_sees_no_difference(
    asked: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with reader() as fork:
        ours = about(fork.pid)
    assert len(asked) == 1
    with client.forking(lambda _: None), reader() as new:
        assert about(new.pid) == ours
    assert len(asked) == 1
    assert ours["PPid"] == str(os.getpid())
    assert fork.returncode == new.returncode == 0


def test_its_end_is_told_to_who_started_it(asked: list[dict[str, Any]]) -> None:
    with reader() as fork:
        fork.send_signal(signal.SIGKILL)
        assert fork.wait(20) == -signal.SIGKILL
    assert len(asked) == 1


@pytest.mark.parametrize(("name", "value"), [("PYTHONPATH", f"{WORKER}:/x"), ("LD_PRELOAD", ""), ("LC_ALL", "C")])
def test_where_it_would_find_something_else_it_is_a_new_process(
    asked: list[dict[str, Any]], name: str, value: str
) -> None:
    with reader(**{name: value}):
        assert asked == []


def test_what_counts_depends_on_what_is_imported() -> None:
    environment = {"HOME": "/", "LANG": "C", "OMP_NUM_THREADS": "7", "HF_HUB_OFFLINE": "1", "HF_HOME": "/x"}
    read = [sorted(server.read_at_import(environment, main)) for main in (*server.DRAWS, HEADERS)]
    assert read == [["HF_HUB_OFFLINE", "LANG", "OMP_NUM_THREADS"], ["LANG", "OMP_NUM_THREADS"], ["LANG"]]


async def test_it_draws_the_same_bytes(
    asked: list[dict[str, Any]],
    make_process: Callable[..., GpuProcess],
    make_task: Callable[..., Draw],
    tmp_path: Path,
) -> None:
    fork = make_process()
    await fork.draw(make_task(output=tmp_path / "fork"), lambda _: None)
    await fork.stop()
    assert len(asked) == 1
    with client.forking(lambda _: None):
        new = make_process()
        await new.draw(make_task(output=tmp_path / "new"), lambda _: None)
    await new.stop()
    assert (tmp_path / "fork").read_bytes() == (tmp_path / "new").read_bytes()


async def test_a_worker_is_a_new_process_and_its_gpu_process_a_fork(
    asked: list[dict[str, Any]], tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": str(WORKER),
        "OTTERBOT_DATA_DIR": str(tmp_path),
        "OTTERBOT_GPU__DEVICE": "cpu",
        "OTTERBOT_API__PORT": "0",  # another worker may run on this machine
    }
    command = [sys.executable, "-m", "otterbot_worker.cli", "doctor", "--json"]
    doctor = await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.PIPE)
    said, _ = await doctor.communicate()
    assert [request["anew"] for request in asked] == [True]
    assert b"drew a small picture" in said


def test_the_program_knows_nothing_of_it() -> None:
    names = (server.SERVER, "forks", "sitecustomize", "fork_exec")
    found = {
        path.name: name
        for path in (WORKER / "otterbot_worker").rglob("*.py")
        for name in names
        if name in path.read_text("utf-8")
    }
    assert found == {}
