"""Everything together: homeserver, Maubot with the plugin, worker, proxies between them, a moderator and a member."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from . import forking, places
from .client import NO_RESTS, User
from .events import Ev
from .maubot import Maubot, packed_plugin
from .places import merged
from .power import Disk
from .proxy import Proxy
from .synapse import Synapse
from .timeline import Picture, pictures_in
from .worker import Worker

INSTANCE = "otterbot"
SMALL: dict[str, Any] = {"gpu": {"device": "cpu", "threads": 1}, "images": {"downloads": False}}
"""The worker's settings on a test machine: the processor, one thread of it, and the model that it brings."""
TWO_MODELS = {"catalogue": str(places.TEST_MODELS), "default_model": "otter-mini"}
TEST_CONTROLNET = "noise-canny"

MODERATOR_RESTS = NO_RESTS
"""What tests change: few of them look at what the moderator sees."""
QUIET: dict[str, Any] = {"reactions": {"offer": "off"}}
"""What most tests do without: reactions of the bot's that belong to no request, and that no test waits for."""


class Lab:
    """``async with Lab(folder) as lab``.

    ``limits``: Synapse's default rate limits stay. ``worker``: ``False`` leaves the worker off until
    ``lab.worker.start()``. ``proxies``: Maubot speaks to the others through :attr:`matrix_proxy` and
    :attr:`worker_proxy`. ``plugin`` is laid over the plugin's defaults, ``worker_config`` over the worker's.
    ``model``: a folder made by :func:`make_test_model`; then there is that second model, and the shipped one stays
    the default. ``disks``: Maubot's folder and the worker's data are file systems of their own, see :meth:`cut_power`.
    """

    def __init__(
        self, root: Path, *, limits: bool = False, worker: bool = True, proxies: bool = True,
        plugin: dict[str, Any] | None = None, worker_config: dict[str, Any] | None = None,
        plugin_source: Path = places.REPOSITORY, model: Path | None = None, disks: bool = False,
    ) -> None:  # fmt: skip
        self.root, self.with_worker, self.proxies, self.plugin_source = root, worker, proxies, plugin_source
        self.model = model
        self.synapse = Synapse(root / "synapse", limits=limits, lean=True)
        self.maubot = Maubot(root / "maubot", log=root / "maubot.log", forked="maubot")
        settings = merged(SMALL, {"images": TWO_MODELS} if model else {})
        settings = merged(settings, {"archive": {"min_free_gb": 0.004}} if disks else {})
        alone = {**places.ALONE, "HF_HUB_CACHE": str(root / "hub")}  # whatever else this machine has
        self.worker = Worker(root / "worker", config=merged(settings, worker_config or {}), env=alone, forked="worker")
        self.disks: dict[str, Disk] = {}
        if disks:
            folders = {"maubot": self.maubot.root, "worker": self.worker.data}
            self.disks = {name: Disk(folder, root / f"{name}.img") for name, folder in folders.items()}
        self._mounted = contextlib.ExitStack()
        self.matrix_proxy = Proxy(lambda: self.synapse.url)
        self.worker_proxy = Proxy(lambda: self.worker.url)
        self.plugin_config = plugin or {}
        self.times: dict[str, float] = {}
        self.users: list[User] = []
        self.bot = ""
        self.admin: User
        self.user: User

    async def __aenter__(self) -> Lab:
        try:
            await self._boot()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _boot(self) -> None:
        started = time.monotonic()
        self.root.mkdir(parents=True, exist_ok=True)
        for disk in self.disks.values():
            self._mounted.enter_context(disk)
        if self.model is not None:
            models = self.worker.data / "models"
            models.mkdir(parents=True, exist_ok=True)
            (models / self.model.name).symlink_to(self.model)
            nets = self.worker.data / "controlnets"
            nets.mkdir()
            (nets / TEST_CONTROLNET).symlink_to(self.model.with_name(TEST_CONTROLNET))
        await asyncio.to_thread(forking.prepare)
        (name, packed), *_ = await asyncio.gather(
            asyncio.to_thread(packed_plugin, self.plugin_source),
            self.synapse.start(),
            self.maubot.start(),
            self.worker.start() if self.with_worker else asyncio.sleep(0),
            self.matrix_proxy.start(),
            self.worker_proxy.start(),
        )
        self.packed = self.root / name
        self.packed.write_bytes(packed)
        self.times["servers"] = time.monotonic() - started
        self.bot_login = await self.synapse.register("otterbot")
        self.bot = self.bot_login.user_id
        await self.maubot.upload(self.packed)
        await self.maubot.add_client(self.matrix_proxy.url if self.proxies else self.synapse.url, self.bot_login)
        meta = yaml.safe_load((self.plugin_source / "maubot.yaml").read_text())
        await self.maubot.add_instance(INSTANCE, meta["id"], self.bot, self.instance_config())
        moderator = self.new_user("moderator", rests=MODERATOR_RESTS)
        self.admin, self.user = await asyncio.gather(moderator, self.new_user("member"))
        for disk in self.disks.values():
            disk.sync()  # people have set it up long before the first fault
        self.times["ready"] = time.monotonic() - started

    async def close(self) -> None:
        await asyncio.gather(*(user.close() for user in self.users), return_exceptions=True)
        for proc in (self.synapse.proc, self.maubot.proc, self.worker.proc):
            if proc.alive():
                proc.thaw()
        await asyncio.gather(self.maubot.stop(), self.worker.stop(), return_exceptions=True)
        await asyncio.gather(self.matrix_proxy.stop(), self.worker_proxy.stop(), self.synapse.stop())
        self._mounted.close()

    # ------------------------------------------------------------ the plugin's instance

    def instance_config(self, **change: Any) -> dict[str, Any]:
        """The plugin's defaults with the address of this lab's worker, and what this lab wants otherwise."""
        base: dict[str, Any] = {}
        with contextlib.suppress(FileNotFoundError):
            base = yaml.safe_load((self.plugin_source / "base-config.yaml").read_text())
        url = self.worker_proxy.url if self.proxies else self.worker.url
        base = merged(base, {"worker": {"url": url, "token_file": str(self.worker.token_file)}})
        return merged(merged(merged(base, QUIET), self.plugin_config), change)

    async def configure(self, **change: Any) -> None:
        """Changes settings of the running plugin; without arguments, back to this lab's own."""
        await self.maubot.set_config(INSTANCE, self.instance_config(**change))

    @property
    def plugin_database(self) -> Path:
        return self.maubot.database(INSTANCE)

    async def empty_plugin_database(self) -> None:
        """What the plugin knows after somebody has installed it anew: nothing."""
        await self.maubot.set_running(INSTANCE, False)
        for path in self.plugin_database.parent.glob(f"{self.plugin_database.name}*"):
            path.unlink()
        await self.maubot.set_running(INSTANCE, True)
        await self.maubot.wait_instance(INSTANCE)

    async def cut_power(self, name: str) -> None:
        """The machine that ``maubot`` or ``worker`` runs on loses power and is switched on again, with ``disks``."""
        part = {"maubot": self.maubot, "worker": self.worker}[name]
        await self.disks[name].cut([part.proc])
        await part.start()

    # ------------------------------------------------------------ people and rooms

    async def new_user(self, name: str, *, rests: tuple[float, float] = NO_RESTS) -> User:
        login = await self.synapse.register(name)
        user = await User(self.synapse.url, login, self.root / "users" / name, rests=rests).start()
        self.users.append(user)
        return user

    async def room(self, *, encrypted: bool = False, version: str | None = None, **extra: Any) -> str:
        """A room that the moderator made (power 100, or the endless one of version 12), with member and bot in it."""
        invited, mark = [self.user.id, self.bot], self.user.mark()
        room = await self.admin.create_room(invited, encrypted=encrypted, version=version, **extra)
        await self.user.join(room)
        for user in (self.admin, self.user):
            await user.wait_member(room, self.bot)
        await self.user.wait_for(self.says(room), mark)  # its greeting: from here on it is quiet
        return room

    # ------------------------------------------------------------ what the bot does

    def from_bot(self, room: str, type_: str = "m.room.message", **want: Any) -> Callable[[Ev], bool]:
        """A predicate: an event of the bot's in the room, whose fields are as wanted (``msgtype="m.image"``)."""

        def wanted(event: Ev) -> bool:
            same = event.sender == self.bot and event.room_id == room and event.type == type_
            return same and all(getattr(event, name) == value for name, value in want.items())

        return wanted

    def says(self, room: str) -> Callable[[Ev], bool]:
        """A predicate: anything at all that the bot puts into the room, its coming and going aside."""
        spoken = ("m.room.message", "m.room.encrypted", "m.reaction")
        return lambda event: event.sender == self.bot and event.room_id == room and event.type in spoken

    def reaction(self, event_id: str, emoji: str | None = None) -> Callable[[Ev], bool]:
        """A predicate: the bot's reaction to an event."""

        def wanted(event: Ev) -> bool:
            same = event.sender == self.bot and event.relates.get("event_id") == event_id
            return same and event.reaction is not None and emoji in (None, event.reaction)

        return wanted

    def reply_to(self, event_id: str, **want: Any) -> Callable[[Ev], bool]:
        """A predicate: a message of the bot's that answers an event (and is no edit)."""

        def wanted(event: Ev) -> bool:
            same = event.sender == self.bot and event.replies_to == event_id and not event.edits
            return same and all(getattr(event, name) == value for name, value in want.items())

        return wanted

    async def draw(
        self, room: str, line: str, *, count: int = 1, by: User | None = None, timeout: float = 60, **how: Any
    ) -> list[Ev]:
        """Somebody types ``line``; the pictures that come as replies to it. Raises at once if the bot gives up."""
        user = by or self.user
        mark = user.mark()
        asked = await user.send(room, line, **how)
        is_picture, is_refusal = self.reply_to(asked, msgtype="m.image"), self.reaction(asked, "❌")
        for number in range(1, count + 1):
            wanted = [*await user.wait_all(lambda e: is_picture(e) or is_refusal(e), number, mark, timeout)]
            if is_refusal(wanted[-1]):
                said = [event.body for event in user.events[mark:] if event.sender == self.bot and event.body]
                raise AssertionError(f"{line!r} was refused: {said}")
        return [event for event in user.events[mark:] if is_picture(event)][:count]

    async def answer(self, room: str, line: str, *, by: User | None = None, timeout: float = 20, **how: Any) -> Ev:
        """Somebody types ``line``; the bot's first message that answers it."""
        user = by or self.user
        mark = user.mark()
        asked = await user.send(room, line, **how)
        return await user.wait_for(self.reply_to(asked), mark, timeout)

    async def pictures(self, room: str, reader: User | None = None) -> list[Picture]:
        return await pictures_in(reader or self.user, room, self.bot)

    def logs(self) -> dict[str, str]:
        """Everything that the three programs have logged so far."""
        return {proc.name: proc.log_text() for proc in (self.synapse.proc, self.maubot.proc, self.worker.proc)}


def make_test_model(folder: Path) -> Path:
    """An SDXL with random weights, in ``folder/otter-noise``: what it draws is noise, quickly and in many sizes;
    and a ControlNet for it beside it."""
    make_models(folder, "otter-noise", TEST_CONTROLNET)
    return folder / "otter-noise"


def make_models(folder: Path, *names: str) -> None:
    """Those of ``tests/worker/support/make_tiny_models.py``, into the existing ``folder``."""
    program = places.REPOSITORY / "tests" / "worker" / "support" / "make_tiny_models.py"
    command = [places.python("worker"), str(program), str(folder), *names]
    with tempfile.TemporaryFile() as said:
        made = forking.Fork("worker", command, folder, {**os.environ, **places.ALONE}, said.fileno(), serves=False)
        if made.wait() != 0:
            said.seek(0)
            raise RuntimeError(said.read().decode(errors="replace"))


def key_of(bot: str, room: str, event_id: str, edit_id: str = "") -> str:
    """The idempotency key of a request, as the architecture promises it."""
    return hashlib.sha256("\0".join((bot, room, event_id, edit_id)).encode()).hexdigest()[:40]


def transaction_id(key: str, part: str) -> str:
    """The Matrix transaction id of one message of a request, as the architecture promises it."""
    return hashlib.sha256(f"{key}\0{part}".encode()).hexdigest()[:40]
