"""Faults of the machines: programs die, stand still or lose power, disks are full, databases old, clocks wrong."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from lab import Lab

from .kinds import Scene, kind

DAY = 86_400.0


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
    scene.lab.maubot.set_clock(scene.dice.choice((-1, 1)) * scene.dice.choice((60.0, 3600.0, 1.5 * DAY, 9 * DAY)))
    await scene.rest(0.5, 5)
    scene.lab.maubot.set_clock(0)
