"""A worker with the census's models, and what is asked of it over HTTP and by its command."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from lab import places
from lab.worker import Worker

HERE = Path(__file__).parent
ALONE = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TZ": "UTC", "COLUMNS": "100"}
DONE = ("succeeded", "failed", "cancelled")


def make_files(files: Path) -> None:
    """Models and extras for the census in ``files``; what is there already stays as it is."""
    if files.exists():
        return
    print(f"making models in {files}", flush=True)
    files.parent.mkdir(parents=True, exist_ok=True)
    command = [places.python("worker"), str(HERE / "make_files.py"), str(files)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)


def settings(data: Path, ollama: str | None) -> dict[str, Any]:
    return {
        "gpu": {"device": "cpu", "threads": 1},
        "images": {
            "downloads": False,
            "catalogue": str(HERE / "models.yaml"),
            "default_model": "otter-mini",
            "safety_checker": str(data / "checkers" / "finds-none"),
        },
        "chat": {
            "backend": "ollama",
            "ollama_url": ollama,
            "default_model": "tiny",
            "options": {"num_ctx": 512},
            "chunk_timeout": 5,
        },
        "inputs": {"max_mb": 1, "max_megapixels": 1},
        "archive": {"min_free_gb": 0},
    }


def a_worker(root: Path, files: Path, ollama: str | None = None, **sections: dict[str, Any]) -> Worker:
    """Not started yet. ``sections`` are laid over the census's settings."""
    data = root / "data"
    if not data.exists():
        shutil.copytree(files, data)
    alone = {**ALONE, "HF_HUB_CACHE": str(root / "hub")}
    return Worker(root, config=places.merged(settings(data, ollama), sections), env=alone)


class Api:
    """The worker's API as its bot uses it."""

    def __init__(self, worker: Worker, session: aiohttp.ClientSession) -> None:
        self.worker, self.session = worker, session

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        """Status, and the JSON, the text or the bytes that came."""
        if body is not None:
            options["json"] = body
        async with self.session.request(method, self.worker.url + path, **options) as response:
            data = await response.read()
            if "json" in response.content_type:
                return response.status, json.loads(data)
            return response.status, data.decode() if response.content_type.startswith("text/") else data

    async def get(self, path: str) -> Any:
        status, answer = await self.call("GET", path)
        if status != 200:
            raise RuntimeError(f"GET {path}: {status} {answer}")
        return answer

    async def done(self, job_id: str, timeout: float = 1_800) -> dict[str, Any]:
        """The job when all of it has ended. Long enough for a machine on which others work."""
        async with asyncio.timeout(timeout):
            while True:
                job: dict[str, Any] = await self.get(f"/v1/jobs/{job_id}")
                if job["state"] in DONE:
                    return job
                self.worker.proc.check_alive()
                await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def running(worker: Worker) -> AsyncIterator[Api]:
    await worker.start(timeout=180)
    try:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {worker.token}"}) as session:
            yield Api(worker, session)
    finally:
        await worker.stop()


async def command(worker: Worker | None, *arguments: str) -> dict[str, Any]:
    """``otterbot-worker …``: exit code, output and errors."""
    program = Path(places.python("worker")).with_name("otterbot-worker")
    options = [] if worker is None else ["--config", str(worker.root / "worker.yaml")]
    env = worker.proc.env if worker is not None else {**ALONE, "PATH": "/usr/bin:/bin"}
    process = await asyncio.create_subprocess_exec(
        str(program), *options, *arguments, env=env, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    return {"exit code": process.returncode, "output": output.decode(), "errors": errors.decode()}
