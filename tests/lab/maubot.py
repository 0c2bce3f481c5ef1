"""The full Maubot, its management API, and the plugin packed as people install it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import subprocess
import tempfile
import time
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from . import places
from .proc import PATIENCE, Proc, free_port
from .synapse import Login

LOGGING = {
    "version": 1,
    "formatters": {"plain": {"format": "[%(asctime)s] [%(levelname)s@%(name)s] %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "loggers": {"maubot": {"level": "DEBUG"}, "mau": {"level": "DEBUG"}, "aiohttp": {"level": "INFO"}},
    "root": {"level": "DEBUG", "handlers": ["console"]},
}
"""The levels of Maubot's own example configuration: whoever installs Maubot has these."""
PASSWORD, HASH = "otter", "$2b$04$wk8T6yH1P8SeeuYfl97/su4ZrU19ikVDwKR6fFmLKiSX3Gjq4D8ZK"
"""Of tests, and its hash in four rounds: Maubot's twelve take a quarter of a second, and each start logs in."""


def build_plugin(source: Path, target: Path) -> Path:
    """``mbc build`` of the folder ``source`` into the folder ``target``; returns the packed plugin."""
    meta = yaml.safe_load((source / "maubot.yaml").read_text())
    packed = target / f"{meta['id']}-v{meta['version']}.mbp"
    packed.unlink(missing_ok=True)  # mbc would ask before it overwrites
    target.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [places.python("maubot"), "-m", "maubot.cli", "build", str(source), "-o", str(target)],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, env={**os.environ, "HOME": str(target)},
    )  # fmt: skip
    if not packed.exists():
        raise RuntimeError(f"mbc build: {done.stdout}{done.stderr}")
    return packed


@cache
def packed_plugin(source: Path) -> tuple[str, bytes]:
    """The file's name and what :func:`build_plugin` writes, made once in this process: no test changes the sources.

    With its modules compiled: Python keeps nothing of what it compiles out of a zip, so that each start of a Maubot
    would compile all of it again, for more than a second.
    """
    with tempfile.TemporaryDirectory(prefix="otterbot-packed-") as folder:
        packed = build_plugin(source, Path(folder))
        _compile_within(packed)
        return packed.name, packed.read_bytes()


def _compile_within(packed: Path) -> None:
    """Adds a ``.pyc`` of Maubot's Python beside each module of a packed plugin."""
    with tempfile.TemporaryDirectory(prefix="otterbot-compiled-") as folder, zipfile.ZipFile(packed, "a") as archive:
        # mbc packs what lies beside the modules, and tests of the plugin may just have compiled them.
        archive.extractall(folder, [name for name in archive.namelist() if "__pycache__" not in name])
        command = [places.python("maubot"), "-m", "compileall", "-q", "-b", "--invalidation-mode", "unchecked-hash"]
        subprocess.run([*command, "-s", folder, folder], check=True, stdin=subprocess.DEVNULL)
        for compiled in sorted(Path(folder).rglob("*.pyc")):
            archive.write(compiled, compiled.relative_to(folder))


class Maubot:
    """The server with one administrator; everything goes through its management API."""

    ADMIN = "admin"

    def __init__(
        self, root: Path, *, port: int | None = None, password: str = PASSWORD, log: Path | None = None,
        forked: str = "",
    ) -> None:  # fmt: skip
        self.root, self.port, self.password = root, port or free_port(), password
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = ""
        self.instances: list[str] = []
        self.clock_file = root / "clock"
        """By how many seconds this process's clock is wrong: see :mod:`lab.clock.sitecustomize`."""
        command = [places.python("maubot"), "-m", "maubot", "-c", "config.yaml"]
        clock = {"PYTHONPATH": places.CLOCK, "LAB_CLOCK": str(self.clock_file)}
        self.proc = Proc("maubot", command, root, log or root / "maubot.log", clock, forked)

    def write_config(self) -> None:
        """Maubot rewrites its configuration (the password becomes a hash), so it is written once."""
        for folder in ("plugins", "trash", "dbs"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        path = self.root / "config.yaml"
        config = {
            "database": "sqlite:maubot.db",
            "crypto_database": "default",
            "plugin_directories": {"upload": "./plugins", "load": ["./plugins"], "trash": "./trash"},
            "plugin_databases": {"sqlite": "./dbs"},
            "server": {"hostname": "127.0.0.1", "port": self.port, "public_url": self.url},
            "admins": {self.ADMIN: HASH if self.password == PASSWORD else self.password},
            "logging": LOGGING,
        }
        if not path.exists():
            path.write_text(yaml.safe_dump(config))

    async def start(self, timeout: float = 60, *, instances: bool = True) -> float:
        """Seconds until it listens and every instance that was added runs (``instances=False``: only listens)."""
        self.write_config()
        log = self.proc.log_size()
        started = time.monotonic()
        self.proc.start()
        await self.proc.wait_log("Listening on", timeout, log)
        body = {"username": self.ADMIN, "password": self.password}
        self.token = (await self.api("POST", "/auth/login", body))["token"]
        for instance in self.instances if instances else []:
            await self.wait_instance(instance)
        return time.monotonic() - started

    def set_clock(self, off: float) -> None:
        """As NTP or a person sets it, while everything runs; 0 sets it right."""
        written = self.clock_file.with_suffix(".new")
        written.write_text(str(off))
        written.replace(self.clock_file)

    async def stop(self) -> float:
        return await self.proc.stop()

    async def kill(self) -> None:
        await self.proc.kill()

    async def restart(self, *, hard: bool = False) -> float:
        await (self.kill() if hard else self.stop())
        return await self.start()

    async def api(self, method: str, path: str, body: Any = None, data: io.BytesIO | None = None) -> dict[str, Any]:
        url = f"{self.url}/_matrix/maubot/v1{path}"
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {self.token}"}) as http:
            async with http.request(method, url, json=body, data=data) as response:
                answer: dict[str, Any] = {}
                with contextlib.suppress(ValueError):
                    answer = await response.json(content_type=None) or {}
                if response.status >= 300:
                    raise RuntimeError(f"maubot {method} {path}: {response.status} {answer}")
                return answer

    async def add_client(self, homeserver: str, login: Login, **options: Any) -> None:
        """The bot's account as the README tells to set it: the plugin starts the sync, and joins rooms, itself."""
        body = {
            "homeserver": homeserver, "access_token": login.access_token, "device_id": login.device_id,
            "enabled": True, "sync": False, "autojoin": False, **options,
        }  # fmt: skip
        await self.api("PUT", f"/client/{login.user_id}", body)

    async def upload(self, packed: Path) -> None:
        await self.api("POST", "/plugins/upload?allow_override=true", data=io.BytesIO(packed.read_bytes()))

    async def add_instance(self, name: str, plugin: str, user: str, config: dict[str, Any]) -> None:
        body = {"type": plugin, "primary_user": user, "enabled": True, "config": yaml.safe_dump(config)}
        await self.api("PUT", f"/instance/{name}", body)
        if name not in self.instances:
            self.instances.append(name)
        await self.wait_instance(name)

    async def set_config(self, name: str, config: dict[str, Any]) -> None:
        await self.api("PUT", f"/instance/{name}", {"config": yaml.safe_dump(config)})

    async def set_running(self, name: str, running: bool) -> None:
        """Maubot's ``enabled`` alone says only what happens at its next start."""
        await self.api("PUT", f"/instance/{name}", {"enabled": running, "started": running})

    async def wait_instance(self, name: str, timeout: float = 20) -> None:
        end = time.monotonic() + timeout * PATIENCE
        while not (await self.api("GET", f"/instance/{name}"))["started"]:
            if time.monotonic() > end:
                raise TimeoutError(f"instance {name} did not start\n{self.proc.tail()}")
            await asyncio.sleep(0.05)

    def database(self, name: str) -> Path:
        """The SQLite file of an instance."""
        return self.root / "dbs" / f"{name}.db"
