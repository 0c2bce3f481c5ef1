"""The servers and people of the demo. What they are is kept, so that the next start finds everything as it was."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import secrets
import shutil
import socket
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import yaml

from lab.client import User
from lab.lab import INSTANCE
from lab.maubot import Maubot, build_plugin
from lab.places import REPOSITORY
from lab.proc import free_port
from lab.synapse import Login, Synapse
from lab.worker import Worker

from .screen import Screen

SERVER = "demo.local"


class DemoError(Exception):
    """The demo cannot go on; the message is for people."""


@dataclass
class Kept:
    """``.demo/state.json``: passwords and addresses of this demo, readable by this user only."""

    synapse_port: int = 0
    maubot_port: int = 0
    worker_port: int = 0
    secret: str = field(default_factory=lambda: secrets.token_hex(16))
    password: str = field(default_factory=lambda: f"otter-{secrets.token_hex(3)}")
    """Of the person's account and of Maubot's administrator. Hexadecimal alone can be a number to YAML."""
    logins: dict[str, dict[str, str]] = field(default_factory=dict)
    room: str = ""
    plugin: str = ""
    """Which files were packed when it was last uploaded."""
    limits_lifted: bool = False

    @classmethod
    def read(cls, path: Path) -> Kept:
        return cls(**json.loads(path.read_text())) if path.exists() else cls()

    def write(self, path: Path) -> None:
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self), indent=2))


def _port(wanted: int) -> int:
    """The port of last time if it is free, else another."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", wanted))
        except OSError:
            return free_port()
    return wanted or free_port()


def _digest(packed: Path) -> str:
    """Of the packed files, whenever they were packed."""
    with zipfile.ZipFile(packed) as archive:
        files = sorted((entry.filename, entry.CRC) for entry in archive.infolist())
    return hashlib.sha256(repr(files).encode()).hexdigest()


class House:
    """``async with House(folder, screen) as house``: everything is up, and in an encrypted room."""

    def __init__(self, root: Path, screen: Screen, *, fresh: bool) -> None:
        self.root, self.screen = root, screen
        root.mkdir(parents=True, exist_ok=True)
        self._lock = (root / ".lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(f"A demo already runs in {root}. End it first (Ctrl-C there).") from None
        if fresh:
            for entry in root.iterdir():
                if entry.is_dir():
                    shutil.rmtree(entry)
                elif entry.name != ".lock":
                    entry.unlink()
        self._state = root / "state.json"
        self.kept = Kept.read(self._state)
        self.kept.synapse_port = _port(self.kept.synapse_port or 8008)
        self.kept.maubot_port = _port(self.kept.maubot_port or 29316)
        self.kept.worker_port = _port(self.kept.worker_port or 8585)
        self.synapse = Synapse(
            root / "synapse", port=self.kept.synapse_port, server_name=SERVER, limits=True, secret=self.kept.secret
        )
        self.maubot = Maubot(root / "maubot", port=self.kept.maubot_port, password=self.kept.password)
        self.worker = Worker(root / "worker", config={"api": {"port": self.kept.worker_port}})
        self.users: list[User] = []
        self.visitor: User
        self.chat_works = False
        """There is a language model to talk with."""

    @property
    def bot(self) -> str:
        return f"@otterbot:{SERVER}"

    @property
    def person(self) -> Login:
        """The account that is free for any Matrix client."""
        return Login(**self.kept.logins["you"])

    @property
    def room(self) -> str:
        return self.kept.room

    async def __aenter__(self) -> House:
        try:
            await self._boot()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def _end(self) -> None:
        self.screen.prompt("")
        self.screen.status("ending …")
        await asyncio.gather(*(user.close() for user in self.users), return_exceptions=True)
        await asyncio.gather(self.maubot.stop(), self.worker.stop(), return_exceptions=True)
        await self.synapse.stop()
        self._lock.close()
        self.screen.status()

    # ------------------------------------------------------------ start

    async def _boot(self) -> None:
        screen = self.screen
        screen.status("starting the homeserver, Maubot and the worker …")
        packed, synapse, worker = await asyncio.gather(
            asyncio.to_thread(build_plugin, REPOSITORY, self.root / "packed"), self.synapse.start(), self.worker.start()
        )
        screen.done(f"homeserver: Synapse at {self.synapse.url}", f"{synapse:.1f} s")
        # Only now: Maubot tries again after ten seconds if its homeserver does not answer at once.
        maubot = await self._start_maubot()
        await self._accounts()
        await self._plugin(packed)
        screen.done(f"Maubot at {self.maubot.url}, with the plugin {packed.name}", f"{maubot:.1f} s")
        info = await self.ask_worker()
        card = f" on {info['gpu']['name']}" if info["gpu"]["name"] else ""
        screen.done(f"worker at {self.worker.url}, drawing with {info['default_model']}{card}", f"{worker:.1f} s")
        await self._room()
        self._chat(await self.ask_worker())
        screen.status()
        if info.get("notice"):
            screen.warn(info["notice"])

    async def ask_worker(self) -> dict[str, Any]:
        """What the worker says of itself now."""
        info: dict[str, Any] = await self.worker.api("GET", "/v1/info")
        return info

    async def export_keys(self) -> Path:
        """The file with the keys of all that the visitor can read, for a client that logs in later."""
        path = self.root / "room-keys.txt"
        await self.visitor.export_keys(path, self.kept.password)
        return path

    async def _start_maubot(self) -> float:
        config = self.maubot.root / "config.yaml"
        if config.exists():
            values = yaml.safe_load(config.read_text())
            values["server"].update(port=self.maubot.port, public_url=self.maubot.url)
            config.write_text(yaml.safe_dump(values))
        return await self.maubot.start()

    async def _accounts(self) -> None:
        for name in ("operator", "otterbot", "visitor", "you"):
            if name not in self.kept.logins:
                login = await self.synapse.register(name, self.kept.password, admin=name == "operator")
                self.kept.logins[name] = asdict(login)
                self.kept.write(self._state)
        if not self.kept.limits_lifted:
            await self.synapse.lift_limits(self.bot, Login(**self.kept.logins["operator"]))
            self.kept.limits_lifted = True
            self.kept.write(self._state)
        self.screen.done(
            "the homeserver's rate limits are lifted for the bot",
            f"POST /_synapse/admin/v1/users/{self.bot}/override_ratelimit, see README",
        )
        login = Login(**self.kept.logins["visitor"])
        self.visitor = User(self.synapse.url, login, self.root / "users" / "visitor")
        self.users.append(self.visitor)
        await self.visitor.start()

    async def _plugin(self, packed: Path) -> None:
        digest = _digest(packed)
        if digest != self.kept.plugin:
            await self.maubot.upload(packed)
            self.kept.plugin = digest
            self.kept.write(self._state)
        await self.maubot.add_client(self.synapse.url, Login(**self.kept.logins["otterbot"]))
        config = yaml.safe_load((REPOSITORY / "base-config.yaml").read_text())
        config["worker"].update(url=self.worker.url, token_file=str(self.worker.token_file))
        meta = yaml.safe_load((REPOSITORY / "maubot.yaml").read_text())
        await self.maubot.add_instance(INSTANCE, meta["id"], self.bot, config)

    async def _room(self) -> None:
        visitor = self.visitor
        if not self.kept.room:
            self.kept.room = await visitor.create_room(
                [self.bot, self.person.user_id], encrypted=True, name="Otters", room_alias_name="otters"
            )
            self.kept.write(self._state)
        await visitor.wait_joined(self.room)
        headers = {"Authorization": f"Bearer {self.person.access_token}"}
        async with aiohttp.ClientSession(headers=headers) as http:
            url = f"{self.synapse.url}/_matrix/client/v3/join/{quote(self.room)}"
            async with http.post(url, json={}) as response:
                response.raise_for_status()
        await visitor.wait_member(self.room, self.bot, timeout=60)
        self.screen.done(f"an encrypted room, #otters:{SERVER}, with {visitor.id} (this terminal) and {self.bot}")

    def _chat(self, info: dict[str, Any]) -> None:
        """Whether ``!chat`` has something to talk to, as the worker says."""
        self.chat_works = info["ollama"] == "reachable" and info["chat_problem"] is None
        if self.chat_works:
            self.screen.done(f"{info['chat_backend']} answers !chat, with {info['chat_model']}")
            if info["chat_notice"]:
                self.screen.warn(info["chat_notice"])
        else:
            self.screen.warn(f"!chat says what it needs. {info['chat_problem']}")
