"""The real worker: its own process, a real GPU process, and the model that ships with it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import re
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import pytest
from core_lab import WORKER, Api, Json, Process, client, gpu_processes, image, until
from PIL import Image

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
def worker(tmp_path: Path) -> Process:
    return Process(tmp_path / "data")


async def pixels(api: Api, job: Json, index: int = 0) -> bytes:
    status, png = await api.call("GET", f"/v1/images/{job['pictures'][index]['result']['image_id']}")
    assert status == 200
    with Image.open(io.BytesIO(png)) as picture:
        return picture.tobytes()


def long(key: str = "key-00001", **fields: object) -> Json:
    """Long enough to be caught in the middle."""
    return image(key, **{"steps": 30, **fields})


@pytest.mark.usefixtures("new_processes")
async def test_it_starts_fast_small_and_without_torch(worker: Process) -> None:
    started = time.monotonic()
    async with worker.running() as api:
        took = time.monotonic() - started
        assert (await api.call("GET", "/v1/info"))[0] == 200
        maps = Path(f"/proc/{worker.pid}/maps").read_text()
        assert "libtorch" not in maps
        assert "numpy" not in maps
        status = Path(f"/proc/{worker.pid}/status").read_text()
        resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        assert resident < 90 * 1024, f"{resident} KiB"
        assert took < 5, "the goal of one second is measured in benchmarks/, on a quiet machine"
        assert stat.S_IMODE((worker.folder / "token").stat().st_mode) == 0o600
    log = worker.log.read_text()
    assert log.count("listening on http://127.0.0.1:") == 1
    assert not (worker.folder / "listen").exists()


def test_importing_the_command_imports_nothing_heavy() -> None:
    code = (
        "import sys, otterbot_worker.api.server, otterbot_worker.cli;"
        "heavy = ('torch', 'numpy', 'diffusers', 'transformers', 'PIL', 'blurhash');"
        "print([name for name in heavy if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(WORKER)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_a_killed_gpu_process_changes_no_pixel(worker: Process) -> None:
    async with worker.running() as api:
        undisturbed = await api.done((await api.submit(long("key-first-1")))["id"])
        job = await api.submit(long("key-second-1"))
        await api.running(job["id"], step=5)
        victims = gpu_processes(worker.folder / "gpu.lock")
        assert len(victims) == 1
        os.kill(victims[0], signal.SIGKILL)
        done = await api.done(job["id"])
        assert (done["state"], done["pictures"][0]["attempt"]) == ("succeeded", 2)
        assert await pixels(api, done) == await pixels(api, undisturbed)
        assert gpu_processes(worker.folder / "gpu.lock") != victims
        used = done["pictures"][0]["result"]["record"]["used"]
        assert used["model"] == "otter-mini"
        assert used["versions"]["torch"]
    assert not gpu_processes(worker.folder / "gpu.lock")


async def test_a_killed_worker_takes_its_work_up_again(worker: Process) -> None:
    address = await worker.start()
    assert address
    async with client(address, (worker.folder / "token").read_text().strip()) as api:
        running = await api.submit(long("key-00001", count=2))
        waiting = await api.submit(image("key-00002"))
        await api.running(running["id"], step=5)
        await worker.end(signal.SIGKILL)
    await until(lambda: not gpu_processes(worker.folder / "gpu.lock"), 5)
    async with worker.running() as api:
        again = await api.submit(long("key-00001", count=2))
        assert again["id"] == running["id"], "the key is still known"
        done = await api.done(running["id"])
        assert [picture["state"] for picture in done["pictures"]] == ["succeeded", "succeeded"]
        assert done["pictures"][0]["attempt"] == 2
        assert (await api.done(waiting["id"]))["state"] == "succeeded"
        fresh = await api.done((await api.submit(long("key-00003")))["id"])
        assert await pixels(api, done) == await pixels(api, fresh)


async def test_a_clean_end_gives_the_attempt_back(worker: Process) -> None:
    async with worker.running() as api:
        job = await api.submit(long())
        await api.running(job["id"], step=5)
        started = time.monotonic()
        assert await worker.end(signal.SIGTERM) == 0
        assert time.monotonic() - started < 10
    with contextlib.closing(sqlite3.connect(worker.folder / "jobs.sqlite")) as database:
        assert database.execute("SELECT state, attempt, worker_deaths FROM rows").fetchall() == [("queued", 0, 0)]
    assert not gpu_processes(worker.folder / "gpu.lock")
    assert not list((worker.folder / "archive" / ".scratch").iterdir())


async def test_cancel_stops_within_a_step(worker: Process) -> None:
    async with worker.running() as api:
        job = await api.submit(long(steps=100, width=192, height=192))
        await api.running(job["id"], step=3)
        before = gpu_processes(worker.folder / "gpu.lock")
        await api.call("DELETE", f"/v1/jobs/{job['id']}")
        started = time.monotonic()
        after = await api.done((await api.submit(image("key-00002")))["id"])
        assert after["state"] == "succeeded"
        assert time.monotonic() - started < 10
        assert gpu_processes(worker.folder / "gpu.lock") == before, "the same process goes on"


async def test_pause_and_resume_from_the_command_line(worker: Process) -> None:
    async with worker.running() as api:
        job = await api.submit(long())
        await api.running(job["id"], step=5)
        code, said = await worker.command("pause")
        assert (code, said) == (0, "paused; the card is free\n")
        assert not gpu_processes(worker.folder / "gpu.lock")
        assert (await api.job(job["id"]))["state"] == "queued"
        code, said = await worker.command("resume")
        assert (code, said) == (0, "resumed\n")
        assert (await api.done(job["id"]))["state"] == "succeeded"
    code, said = await worker.command("pause")
    assert code == 2
    assert "no worker runs" in said


async def test_two_workers_do_not_share_a_queue(worker: Process) -> None:
    async with worker.running():
        code, said = await worker.command("serve")
        assert code == 2
        assert "another worker uses" in said


async def test_a_dead_loop_ends_the_process_loudly(worker: Process) -> None:
    async with worker.running() as api:
        with contextlib.closing(sqlite3.connect(worker.folder / "jobs.sqlite")) as database, database:
            database.execute("DROP TABLE served")
        with contextlib.suppress(aiohttp.ClientError):  # the loop looks around by itself, perhaps before this comes
            await api.call("POST", "/v1/jobs", image())
        assert worker.process is not None
        async with asyncio.timeout(20):
            assert await worker.process.wait() == 70
    assert "a background loop died" in worker.log.read_text()


async def test_the_other_commands(worker: Process, tmp_path: Path) -> None:
    code, said = await worker.command("models")
    assert code == 0
    assert re.search(r"^\* otter-mini +here ", said, re.MULTILINE)
    none = str(tmp_path / "none.yaml")
    for arguments in (("--config", none, "serve"), ("serve", "--config", none)):
        code, said = await worker.command(*arguments)
        assert code == 2
        assert "none.yaml: cannot be read" in said
    bad = Process(tmp_path / "bad", OTTERBOT_API__PORT="many")
    code, said = await bad.command("serve")
    assert code == 2
    assert "api.port (from OTTERBOT_API__PORT): expected a whole number" in said
    assert "many" not in said


async def test_tls_and_the_warning_without(tmp_path: Path, worker: Process) -> None:
    await asyncio.to_thread(
        subprocess.run,
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert"), "-subj", "/CN=worker"],
        check=True, capture_output=True,
    )  # fmt: skip
    secured = Process(
        worker.folder, OTTERBOT_API__TLS_CERT=str(tmp_path / "cert"), OTTERBOT_API__TLS_KEY=str(tmp_path / "key")
    )
    address = await secured.start()
    assert address.startswith("https://")
    code, said = await secured.command("pause")
    assert code == 0, said
    assert await secured.end(signal.SIGTERM) == 0
    exposed = Process(worker.folder, OTTERBOT_API__HOST="0.0.0.0")
    await exposed.start()
    assert await exposed.end(signal.SIGTERM) == 0
    assert "without TLS" in exposed.log.read_text()


async def test_no_prompt_in_the_log(worker: Process) -> None:
    async with worker.running() as api:
        await api.done((await api.submit(image(prompt="canary5f1e", negative_prompt="canary5f1e")))["id"])
        job = await api.submit(long("key-00002", prompt="canary5f1e " * 200))
        await api.running(job["id"], step=2)
        for pid in gpu_processes(worker.folder / "gpu.lock"):
            os.kill(pid, signal.SIGSEGV)
        await api.done(job["id"])
    assert "canary5f1e" not in worker.log.read_text()
