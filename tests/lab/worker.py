"""The real worker: `otterbot-worker serve` with a data folder of its own and whatever port is free."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import yaml

from . import places
from .places import merged
from .proc import PATIENCE, Proc, children_of, process_exists, until
from .tls import trusting


class Worker:
    """One worker in one folder. ``url`` follows the file ``listen`` that each start writes anew."""

    def __init__(
        self, root: Path, *, config: dict[str, Any] | None = None, env: dict[str, str] | None = None,
        forked: str = "",
    ) -> None:  # fmt: skip
        self.root, self.data = root, root / "data"
        self.config = config or {}
        python = places.python("worker")
        command = [python, str(Path(python).with_name("otterbot-worker")), "--config", "worker.yaml", "serve"]
        self.proc = Proc("worker", command, root, root / "worker.log", env, forked)

    @property
    def url(self) -> str:
        with contextlib.suppress(OSError, IndexError):
            return (self.data / "listen").read_text().split()[0]
        return "http://127.0.0.1:9"  # nobody listens there: a worker that is off

    @property
    def trust(self) -> ssl.SSLContext | bool:
        """For its clients: its own certificate, where the settings name one."""
        named = self.config.get("api", {}).get("tls_cert")
        return True if named is None else trusting(Path(named))

    @property
    def token_file(self) -> Path:
        return self.data / "token"

    @property
    def token(self) -> str:
        return self.token_file.read_text().strip()

    @property
    def database(self) -> Path:
        return self.data / "jobs.sqlite"

    def write_config(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        base = {"data_dir": str(self.data), "api": {"port": 0}}
        (self.root / "worker.yaml").write_text(yaml.safe_dump(merged(base, self.config)))

    async def start(self, timeout: float = 60) -> float:
        """Seconds until it answers."""
        self.write_config()
        (self.data / "listen").unlink(missing_ok=True)
        started = time.monotonic()
        self.proc.start()
        await until(self._listens, "the worker listens", timeout=timeout)
        await self.proc.wait_http(f"{self.url}/healthz", timeout, self.trust)
        return time.monotonic() - started

    def _listens(self) -> bool:
        self.proc.check_alive()
        return (self.data / "listen").exists()

    async def stop(self) -> float:
        return await self.proc.stop()

    async def kill(self) -> None:
        """SIGKILL to the API process alone; what becomes of its GPU process is its own business."""
        await self.proc.kill()

    async def restart(self, *, hard: bool = False) -> float:
        await (self.kill() if hard else self.stop())
        return await self.start()

    # ------------------------------------------------------------ the GPU process

    def gpu_pids(self) -> list[int]:
        """The GPU processes that run now (the worker's children)."""
        return [pid for pid in children_of(self.proc.pid) if self._is_gpu_process(pid)] if self.proc.alive() else []

    @staticmethod
    def _is_gpu_process(pid: int) -> bool:
        with contextlib.suppress(OSError):
            return b"otterbot_worker.images.child" in Path(f"/proc/{pid}/cmdline").read_bytes()
        return False

    async def gpu_pid(self, timeout: float = 30) -> int:
        await until(self.gpu_pids, "a GPU process runs", timeout=timeout)
        return self.gpu_pids()[0]

    def kill_gpu(self, pid: int) -> None:
        """SIGKILL to a GPU process of this worker's."""
        if pid in self.gpu_pids():
            os.kill(pid, signal.SIGKILL)

    @contextlib.contextmanager
    def gpu_held(self) -> Iterator[None]:
        """Meanwhile its GPU processes stand still, in the middle of whatever they do: a picture that takes long."""
        pids = self.gpu_pids()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in set(pids) & set(self.gpu_pids()):
                os.kill(pid, signal.SIGCONT)

    def orphans(self) -> list[int]:
        """GPU processes of this data folder that are not this worker's own: there must be none."""
        own, found = self.gpu_pids(), []
        for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
            with contextlib.suppress(OSError):
                ours = str(self.data).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
                if ours and self._is_gpu_process(pid) and pid not in own and process_exists(pid):
                    found.append(pid)
        return found

    # ------------------------------------------------------------ its API

    async def api(self, method: str, path: str, body: Any = None) -> Any:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {self.token}"}) as http:
            async with http.request(method, self.url + path, json=body, ssl=self.trust) as response:
                text = await response.text()
                if response.status >= 300:
                    raise RuntimeError(f"worker {method} {path}: {response.status} {text}")
                return json.loads(text) if text else None

    async def job(self, key: str) -> dict[str, Any] | None:
        """The job with this idempotency key, if the worker has one."""
        jobs = (await self.api("GET", f"/v1/jobs?key={quote(key)}"))["jobs"]
        return jobs[0] if jobs else None

    async def open_jobs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.api("GET", "/v1/jobs?state=open"))["jobs"]
        return found

    async def wait_step(self, step: int = 1, timeout: float = 40) -> dict[str, Any]:
        """Until some picture has been drawn up to ``step`` and is not done; returns its job."""
        end = time.monotonic() + timeout * PATIENCE
        while True:
            for job in await self.open_jobs():
                for picture in job["pictures"]:
                    progress = picture.get("progress") or {}
                    if picture["state"] == "running" and progress.get("step", 0) >= step:
                        return job
            if time.monotonic() > end:
                raise TimeoutError(f"no picture reached step {step}\n{self.proc.tail()}")
            await asyncio.sleep(0.03)

    def empty(self) -> None:
        """What a worker looks like that has forgotten every job (its token and its models stay)."""
        for path in self.data.glob(f"{self.database.name}*"):
            path.unlink()
