"""What the core's tests share: bodies, a worker inside this process with a GPU process that is a small program, and a
worker in a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from otterbot_worker.api import build
from otterbot_worker.api.app import create_app
from otterbot_worker.api.connections import Connections
from otterbot_worker.api.door import Door
from otterbot_worker.api.mounts import Mount
from otterbot_worker.api.parts import PARTS, Parts
from otterbot_worker.api.protocol import Server
from otterbot_worker.api.server import runner_of
from otterbot_worker.config import Config
from otterbot_worker.gpu.process import GpuProcess

HERE = Path(__file__).parent
WORKER = HERE.parents[2] / "worker"
TOKEN, OTHER = "token-of-the-bot-0123456789", "token-of-another-0123456789"

Json = dict[str, Any]


def image(key: str = "key-00001", **fields: Any) -> Json:
    """A quick picture; ``owner``, ``room``, ``private`` go to the job, everything else to its request."""
    job = {"key": key, "kind": "image", "owner": "@ann:here", "room": "!room:here"}
    job |= {name: fields.pop(name) for name in ("owner", "room", "private") if name in fields}
    request = {"prompt": "otter", "seed": 7, "steps": 2} | fields
    return {**job, "request": request}


def chat(key: str = "key-00001", text: str = "why do otters hold hands?", **fields: Any) -> Json:
    request = {"messages": [{"role": "user", "content": text}]}
    return {"key": key, "kind": "chat", "owner": "@ann:here", "room": "!room:here", **fields, "request": request}


async def until(test: Callable[[], bool] | Callable[[], Awaitable[bool]], seconds: float = 60.0) -> None:
    """Looks again and again until ``test`` holds."""
    async with asyncio.timeout(seconds):
        while True:
            found = test()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.02)


class Api:
    """An HTTP client with a token."""

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self.session = session
        self.address = address

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        """Status, and the JSON (or bytes) that came."""
        async with self.session.request(method, self.address + path, json=body, **options) as response:
            data = await response.read()
            return response.status, json.loads(data) if "json" in response.content_type else data

    async def submit(self, body: Json) -> Json:
        status, job = await self.call("POST", "/v1/jobs", body)
        assert status in (200, 202), job
        assert isinstance(job, dict)
        return job

    async def job(self, job_id: str) -> Json:
        status, job = await self.call("GET", f"/v1/jobs/{job_id}")
        assert status == 200
        assert isinstance(job, dict)
        return job

    async def until(self, job_id: str, test: Callable[[Json], bool], seconds: float = 180.0) -> Json:
        """Looks until ``test`` holds of the job."""
        last: list[Json] = []

        async def there() -> bool:
            last[:] = [await self.job(job_id)]
            return test(last[0])

        await until(there, seconds)
        return last[0]

    async def done(self, job_id: str, seconds: float = 180.0) -> Json:
        return await self.until(job_id, lambda job: job["state"] in ("succeeded", "failed", "cancelled"), seconds)

    async def running(self, job_id: str, step: int = 1, seconds: float = 180.0) -> Json:
        """Until the job's running picture has come to ``step``."""

        def there(job: Json) -> bool:
            rows = [*job["pictures"], *([job["turn"]] if job["turn"] else [])]
            return any(row["progress"] and row["progress"]["step"] >= step for row in rows)

        return await self.until(job_id, there, seconds)


@asynccontextmanager
async def client(address: str, token: str = TOKEN) -> AsyncIterator[Api]:
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        yield Api(session, address)


# ---------------------------------------------------------------- a worker in this process


class DoubleGpu(GpuProcess):
    """The real handle; its process is ``child_double.py``."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._command = [sys.executable, str(HERE / "child_double.py"), *self._command[3:]]


def settings(folder: Path, **sections: Any) -> Config:
    values: dict[str, Any] = {
        "data_dir": folder,
        "chat": {"backend": "ollama", "ollama_url": None},
        "gpu": {"device": "cpu"},
    }
    values["archive"] = {"min_free_gb": 0}
    values["api"] = {"port": 0, "clients": {"otterbot": None, "other": None}}
    for name, section in sections.items():
        values[name] = {**values.get(name, {}), **section}
    return Config.model_validate(values)


class Here:
    """A worker inside this process: its parts can be looked at."""

    def __init__(self, app: web.Application, api: Api, other: Api, connections: Connections) -> None:
        self.app, self.api, self.other, self.connections = app, api, other, connections

    @property
    def parts(self) -> Parts:
        return self.app[PARTS]


@asynccontextmanager
async def worker_here(
    config: Config, *, paused: bool = False, tls: ssl.SSLContext | None = None, mounts: Sequence[Mount] = ()
) -> AsyncIterator[Here]:
    """``paused``: nothing is claimed, so that the queue can be looked at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "GpuProcess", DoubleGpu)
        patch.setenv("HF_HUB_CACHE", str(config.data_dir / "hub"))  # whatever else this machine has
        app = create_app(config, {"otterbot": TOKEN, "other": OTHER}, mounts)
        runner = runner_of(app, shutdown_timeout=1.0)
        await runner.setup()
        assert isinstance(runner.server, Server)
        connections = Connections(config.api.max_connections, config.api.max_connections_per_address)
        door = Door(connections, runner.server, tls=tls)
        try:
            if paused:
                await app[PARTS].dispatcher.pause(None)
            host, port = await door.open("127.0.0.1", 0)
            app[PARTS].background.start(door.run(), "door", ends=True)
            address = f"{'http' if tls is None else 'https'}://{host}:{port}"
            async with client(address) as api, client(address, OTHER) as other:
                yield Here(app, api, other, connections)
        finally:
            await door.close()
            await runner.cleanup()


# ---------------------------------------------------------------- the event stream


async def events(api: Api) -> AsyncIterator[tuple[str, Json]]:
    """Names and data as they come; a keep-alive is no event."""
    async with api.session.get(api.address + "/v1/events") as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        name = ""
        async for raw in response.content:
            line = raw.decode().rstrip("\n")
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))


# ---------------------------------------------------------------- a worker in its own process


class Process:
    """``otterbot-worker serve`` with a data directory of its own, on a free port."""

    def __init__(self, folder: Path, *, under: str = "", **environment: str) -> None:
        """``under``: what a shell does before it becomes the worker."""
        self.folder = folder
        self._under = ["sh", "-c", f'{under}; exec "$@"', "sh"] if under else []
        self.log = folder.parent / f"{folder.name}.log"
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(WORKER),
            "OTTERBOT_DATA_DIR": str(folder),
            "HF_HUB_CACHE": str(folder / "hub"),
            "OTTERBOT_API__PORT": "0",
            "OTTERBOT_CHAT__OLLAMA_URL": "null",
            "OTTERBOT_ARCHIVE__MIN_FREE_GB": "0",
            "OTTERBOT_GPU__DEVICE": "cpu",
            "OTTERBOT_GPU__THREADS": "1",
            "OMP_NUM_THREADS": "1",
            **environment,
        }
        self.process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    async def start(self) -> str:
        """Its address."""
        listen = self.folder / "listen"
        listen.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self._under, sys.executable, "-m", "otterbot_worker.cli", "serve",
                env=self._environment, stdout=log, stderr=log,
            )  # fmt: skip
        async with asyncio.timeout(30):
            while not listen.exists():
                assert self.process.returncode is None, self.log.read_text()
                await asyncio.sleep(0.01)
        return listen.read_text().strip()

    async def command(self, *arguments: str) -> tuple[int, str]:
        """Another command of ``otterbot-worker`` with the same settings: exit code and output."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "otterbot_worker.cli", *arguments, env=self._environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()

    async def end(self, number: signal.Signals) -> int:
        """Sends a signal and waits; returns the exit code."""
        assert self.process is not None
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        async with asyncio.timeout(30):
            return await self.process.wait()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Api]:
        address = await self.start()
        try:
            async with client(address, (self.folder / "token").read_text().strip()) as api:
                yield api
        finally:
            await self.end(signal.SIGTERM)


def gpu_processes(lock: Path) -> list[int]:
    """Processes whose command line names this card's lock file."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(lock).encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found
