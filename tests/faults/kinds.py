"""The faults of the campaign, each by its name. One does its harm, and undoes it before it returns.

``LANES`` says what a fault needs for itself: two of one lane never come at the same time.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from lab import Lab
from lab.clock import Clock

DAY = 86_400.0


@dataclass
class Place:
    """A room of the campaign; an upgrade puts another one in its place."""

    id: str
    encrypted: bool
    earlier: list[str] = field(default_factory=list)
    """The rooms that it was."""
    deaf: bool = False
    """The bot is out of it or may not speak: what is typed now is not counted."""

    @property
    def ids(self) -> list[str]:
        return [*self.earlier, self.id]


@dataclass
class Scene:
    """What a fault may touch."""

    lab: Lab
    clock: Clock
    places: list[Place]
    folder: Path
    dice: random.Random
    backups: dict[str, Path] = field(default_factory=dict)

    async def rest(self, least: float, most: float) -> None:
        await asyncio.sleep(self.dice.uniform(least, most))


@dataclass(frozen=True)
class Kind:
    """One kind of fault. ``excuses``: words of a sentence that may stand for a picture because of it."""

    name: str
    lane: str
    run: Callable[[Scene], Awaitable[None]]
    weight: int = 2
    excuses: tuple[str, ...] = ()
    disks: bool = False


KINDS: dict[str, Kind] = {}


def kind(name: str, lane: str, **how: object) -> Callable[[Callable[[Scene], Awaitable[None]]], None]:
    def register(run: Callable[[Scene], Awaitable[None]]) -> None:
        KINDS[name] = Kind(name, lane, run, **how)  # type: ignore[arg-type]

    return register


# ---------------------------------------------------------------- programs die, stand still, lose power


@kind("kill-maubot", "maubot", weight=4)
async def _(scene: Scene) -> None:
    await scene.lab.maubot.kill()
    await scene.rest(0, 0.5)
    await scene.lab.maubot.start(instances=False)


@kind("freeze-maubot", "maubot")
async def _(scene: Scene) -> None:
    scene.lab.maubot.proc.freeze()
    await scene.rest(0.5, 5)
    scene.lab.maubot.proc.thaw()


@kind("power-maubot", "maubot", weight=4, disks=True)
async def _(scene: Scene) -> None:
    await scene.lab.disks["maubot"].cut([scene.lab.maubot.proc])
    await scene.lab.maubot.start(instances=False)


@kind("full-maubot", "maubot", disks=True)
async def _(scene: Scene) -> None:
    ballast = await asyncio.to_thread(scene.lab.disks["maubot"].fill)
    await scene.rest(0.5, 4)
    ballast.unlink()


GPU_DIED = ("ended twice while drawing", "restarted five times", "broke down", "gave up")


@kind("kill-worker", "worker", weight=3, excuses=GPU_DIED)
async def _(scene: Scene) -> None:
    await scene.lab.worker.kill()
    await scene.rest(0, 0.5)
    await scene.lab.worker.start()


@kind("kill-gpu", "worker", excuses=GPU_DIED)
async def _(scene: Scene) -> None:
    for pid in scene.lab.worker.gpu_pids():
        with contextlib.suppress(ProcessLookupError):
            scene.lab.worker.kill_gpu(pid)


@kind("freeze-worker", "worker")
async def _(scene: Scene) -> None:
    scene.lab.worker.proc.freeze()
    await scene.rest(0.5, 5)
    scene.lab.worker.proc.thaw()


@kind("power-worker", "worker", weight=3, disks=True, excuses=GPU_DIED)
async def _(scene: Scene) -> None:
    worker = scene.lab.worker
    gpu = worker.gpu_pids()
    for pid in gpu:  # the same machine
        with contextlib.suppress(ProcessLookupError):
            worker.kill_gpu(pid)
    await scene.lab.disks["worker"].cut([worker.proc])
    await worker.start()


@kind("full-worker", "worker", disks=True, excuses=("disk is full",))
async def _(scene: Scene) -> None:
    ballast = await asyncio.to_thread(scene.lab.disks["worker"].fill)
    await scene.rest(0.5, 4)
    ballast.unlink()


@kind("kill-synapse", "homeserver")
async def _(scene: Scene) -> None:
    await scene.lab.synapse.kill()
    await _synapse_up(scene.lab)


@kind("stop-synapse", "homeserver", weight=1)
async def _(scene: Scene) -> None:
    await scene.lab.synapse.stop()
    await _synapse_up(scene.lab)


@kind("freeze-synapse", "homeserver")
async def _(scene: Scene) -> None:
    scene.lab.synapse.proc.freeze()
    await scene.rest(0.5, 5)
    scene.lab.synapse.proc.thaw()


async def _synapse_up(lab: Lab) -> None:
    """Its port may be somebody's outgoing connection for a moment."""
    for _ in range(5):
        with contextlib.suppress(RuntimeError):
            await lab.synapse.start()
            return
        await asyncio.sleep(1)
    await lab.synapse.start()


# ---------------------------------------------------------------- databases out of a backup, clocks


async def _restored(scene: Scene, name: str, database: Path) -> None:
    """The first time only the backup is made. Nobody uses the database while it is put back."""
    backup = scene.backups.get(name)
    if backup is not None:
        for path in database.parent.glob(f"{database.name}*"):
            path.unlink()
        shutil.copy(backup, database)
    target = scene.folder / f"{name}.backup"
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
    scene.backups[name] = target
    for disk in scene.lab.disks.values():
        await asyncio.to_thread(disk.sync)  # whoever restores a backup does not cut the power right behind it


@kind("restored-plugin", "maubot")
async def _(scene: Scene) -> None:
    await scene.lab.maubot.stop()
    await _restored(scene, "plugin", scene.lab.plugin_database)
    await scene.lab.maubot.start(instances=False)


@kind("restored-worker", "worker")
async def _(scene: Scene) -> None:
    await scene.lab.worker.stop()
    await _restored(scene, "worker", scene.lab.worker.database)
    await scene.lab.worker.start()


@kind("forgotten-worker", "worker", weight=1)
async def _(scene: Scene) -> None:
    await scene.lab.worker.stop()
    scene.lab.worker.empty()
    scene.backups.pop("worker", None)
    await scene.lab.worker.start()


@kind("clock", "clock")
async def _(scene: Scene) -> None:
    scene.clock.set_off(scene.dice.choice((-1, 1)) * scene.dice.choice((60.0, 3600.0, 1.5 * DAY, 9 * DAY)))
    await scene.rest(0.5, 5)
    scene.clock.set_off(0)


# ---------------------------------------------------------------- the network, and who stands in it


@kind("torn", "network", weight=4)
async def _(scene: Scene) -> None:
    lab = scene.lab
    proxy, path = scene.dice.choice(
        (
            (lab.matrix_proxy, "/send/"),
            (lab.matrix_proxy, "/upload"),
            (lab.matrix_proxy, "/sync"),
            (lab.matrix_proxy, "/messages"),
            (lab.worker_proxy, "/v1/"),
        )
    )
    with proxy.swallow("*", path, times=scene.dice.randint(1, 4)):
        await scene.rest(0.2, 2)


@kind("slow-homeserver", "network")
async def _(scene: Scene) -> None:
    """It acts, and its answers come late."""
    with scene.lab.matrix_proxy.hold_after("*", scene.dice.choice(("/send/", "/upload", "/messages")), times=3):
        await scene.rest(0.5, 4)


@kind("refused-for-now", "network")
async def _(scene: Scene) -> None:
    """The homeserver is in trouble, or wants a pause, whatever it is asked."""
    status = scene.dice.choice((429, 500, 502, 503, 504))
    answer = {"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 300} if status == 429 else {"errcode": "M_UNKNOWN"}
    what = scene.dice.choice(("/send/", "/upload", "joined_members", "/state/", "/messages", "/keys/", "client/"))
    with scene.lab.matrix_proxy.fail("*", what, status, answer):
        await scene.rest(0.5, 3)


@kind("page", "network")
async def _(scene: Scene) -> None:
    """A proxy's own page, to the plugin's questions and to the worker's client."""
    status = scene.dice.choice((403, 404, 502, 503, 413 if scene.dice.random() < 0.1 else 403))
    proxy = scene.dice.choice((scene.lab.matrix_proxy, scene.lab.matrix_proxy, scene.lab.worker_proxy))
    what = scene.dice.choice(("/send/", "/upload", "/messages", "/state/", "client/")) if proxy.url else "/"
    with proxy.page("*", what if proxy is scene.lab.matrix_proxy else "/v1/", status):
        await scene.rest(0.5, 3)


@kind("quota", "network", excuses=("quota", "room for", "larger than this homeserver", "did not take", "homeserver"))
async def _(scene: Scene) -> None:
    """The homeserver refuses uploads: this account has used up what it may have."""
    answer = scene.dice.choice(
        (
            (403, {"errcode": "M_FORBIDDEN", "error": "Quota exceeded"}),
            (413, {"errcode": "M_TOO_LARGE", "error": "Upload is too large"}),
            (429, {"errcode": "M_LIMIT_EXCEEDED", "error": "Too many uploads", "retry_after_ms": 400}),
        )
    )
    with scene.lab.matrix_proxy.fail("POST", "/upload", *answer):
        await scene.rest(0.5, 3)


@kind("silent-stream", "network")
async def _(scene: Scene) -> None:
    """The worker's events are begun and never come: something in between buffers them."""
    with scene.lab.worker_proxy.silence("GET", "/v1/events"):
        with scene.lab.worker_proxy.swallow("GET", "/v1/jobs", times=1):
            await scene.rest(2, 6)


# ---------------------------------------------------------------- rooms


@kind("kick", "rooms", weight=1, excuses=("did not take", "not in", "room"))
async def _(scene: Scene) -> None:
    """Out, and invited again. What is typed meanwhile is not meant for it."""
    lab, place = scene.lab, scene.dice.choice(scene.places)
    place.deaf = True
    path = f"/_matrix/client/v3/rooms/{quote(place.id)}"
    await lab.admin.api("POST", f"{path}/kick", {"user_id": lab.bot})
    await scene.rest(0.5, 3)
    await lab.admin.api("POST", f"{path}/invite", {"user_id": lab.bot})
    await lab.admin.wait_member(place.id, lab.bot, timeout=120)
    await asyncio.sleep(1)
    place.deaf = False


@kind("mute", "rooms", weight=1, excuses=("did not take", "may not", "not allowed"))
async def _(scene: Scene) -> None:
    """Only people with power may speak, for a while."""
    lab, place = scene.lab, scene.dice.choice(scene.places)
    path = f"/_matrix/client/v3/rooms/{quote(place.id)}/state/m.room.power_levels"
    levels = await lab.admin.api("GET", path)
    place.deaf = True
    users = {**levels.get("users", {}), lab.user.id: 50}
    await lab.admin.api("PUT", path, {**levels, "users": users, "events_default": 50})
    await scene.rest(0.5, 4)
    await lab.admin.api("PUT", path, levels)
    place.deaf = False


@kind("upgrade", "rooms", weight=1, excuses=("moved", "upgraded", "new room", "room"))
async def _(scene: Scene) -> None:
    """The room gets a successor, and people go on there."""
    lab, place = scene.lab, scene.dice.choice(scene.places)
    place.deaf = True
    path = f"/_matrix/client/v3/rooms/{quote(place.id)}/upgrade"
    successor = (await lab.admin.api("POST", path, {"new_version": "12"}))["replacement_room"]
    await lab.admin.wait_joined(successor)
    for who in (lab.user.id, lab.bot):
        with contextlib.suppress(RuntimeError):
            await lab.admin.api("POST", f"/_matrix/client/v3/rooms/{quote(successor)}/invite", {"user_id": who})
    await lab.user.join(successor)
    for reader in (lab.admin, lab.user):
        await reader.wait_member(successor, lab.bot, timeout=120)
    place.earlier.append(place.id)
    place.id, place.deaf = successor, False


AWAITED: dict[str, str] = {
    "clock": "ages by the homeserver's time",
    "page": "answers of proxies",
    "quota": "uploads refused for quota",
    "silent-stream": "a buffered event stream is polled around",
    "kick": "kicked and back",
    "mute": "muted and unmuted",
    "upgrade": "rooms that are upgraded",
}
"""Kinds that need what is being mended elsewhere; off unless they are named."""
