"""A storm: programs die at random moments while people draw, edit, cancel and delete.

The named points of ``test_exactly_once`` are those that somebody thought of; this one looks for the others. What is
random comes from ``OTTER_STORM_SEED`` (printed), how long it lasts from ``OTTER_STORM_SECONDS``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import Lab
from lab.client import User
from lab.lab import key_of
from lab.proc import until
from lab.timeline import timeline

SECONDS = float(os.environ.get("OTTER_STORM_SECONDS", "20"))
SEED = int(os.environ.get("OTTER_STORM_SEED") or 7)
TROUBLES = (RuntimeError, OSError, TimeoutError, ValueError)


@dataclass
class Said:
    """A line that the homeserver may or may not have taken."""

    room: str
    by: User
    event_id: str
    flags: dict[str, int]
    touched: bool = False
    """Edited, deleted or cancelled: then fewer pictures are right, too."""


@pytest.fixture
async def lab(folder: Path) -> AsyncIterator[Lab]:
    async with Lab(folder / "storm", plugin={"status": {"after_seconds": 1, "edit_seconds": 1}}) as lab:
        yield lab


async def people(lab: Lab, user: User, rooms: list[str], said: list[Said], dice: random.Random, end: float) -> None:
    """One person, who types without waiting for anything."""
    while time.monotonic() < end:
        room = dice.choice(rooms)
        own = [one for one in said if one.by is user and one.room == room]
        with contextlib.suppress(*TROUBLES):
            what = dice.choices(("draw", "edit", "redact", "cancel"), (8, 2, 1, 1))[0]
            if what == "draw" or not own:
                flags = {"seed": dice.randrange(10**6), "count": dice.choice((1, 1, 2))}
                line = f"!draw otter --steps {dice.choice((1, 2, 8))} " + _typed(flags)
                said.append(Said(room, user, await user.send(room, line), flags))
            elif what == "edit":
                one = dice.choice(own)
                one.touched = True
                seed = {"seed": dice.randrange(10**6), "count": 1}
                await user.send(room, f"!draw otter --steps 1 {_typed(seed)}", edit=one.event_id)
            elif what == "redact":
                one = dice.choice(own)
                one.touched = True
                await user.redact(room, one.event_id)
            else:
                for one in own:
                    one.touched = True
                await user.send(room, "!cancel")
        await asyncio.sleep(dice.uniform(0.05, 0.6))


def _typed(flags: dict[str, int]) -> str:
    return " ".join(f"--{name} {value}" for name, value in flags.items())


async def troubles(lab: Lab, dice: random.Random, end: float) -> None:
    """Something dies, comes back, and the next thing dies."""
    while time.monotonic() < end:
        await asyncio.sleep(dice.uniform(0.2, 2.0))
        what = dice.choices(("maubot", "worker", "gpu", "synapse", "network"), (4, 3, 2, 2, 3))[0]
        if what == "maubot":
            await lab.maubot.kill()
            await asyncio.sleep(dice.uniform(0, 0.5))
            await lab.maubot.start(instances=False)
        elif what == "worker":
            await lab.worker.kill()
            await asyncio.sleep(dice.uniform(0, 0.5))
            await lab.worker.start()
        elif what == "gpu":
            for pid in lab.worker.gpu_pids():
                with contextlib.suppress(ProcessLookupError):
                    lab.worker.kill_gpu(pid)
        elif what == "synapse":
            await (lab.synapse.kill() if dice.random() < 0.7 else lab.synapse.stop())
            await _up_again(lab)
        else:
            proxy, path = dice.choice(((lab.matrix_proxy, "/send/"), (lab.worker_proxy, "/v1/")))
            with proxy.swallow("*", path, times=dice.randint(1, 4)):
                await asyncio.sleep(dice.uniform(0.2, 1.5))


async def _up_again(lab: Lab) -> None:
    """Its port may be somebody's outgoing connection for a moment."""
    for _ in range(5):
        with contextlib.suppress(RuntimeError):
            await lab.synapse.start()
            return
        await asyncio.sleep(1)
    await lab.synapse.start()


def rows(lab: Lab, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(f"file:{lab.plugin_database}?mode=ro", uri=True, timeout=20)) as database:
        return list(database.execute(query))


async def settled(lab: Lab, rooms: list[str], timeout: float) -> None:
    """Nothing is open any more, on either side."""
    pending = "SELECT key, part, state FROM parts WHERE state IN ('ready', 'sending')"
    opened = "SELECT key, state, job_id, kind FROM requests WHERE state <> 'done' OR cancel_owed = 1"
    try:
        await until(lambda: not rows(lab, opened) and not rows(lab, pending), "everything ended", timeout=timeout)
    except TimeoutError:
        left = f"still open: {rows(lab, opened)} {rows(lab, pending)}"
        raise AssertionError(f"{left}\n{await _evidence(lab, rooms)}") from None


async def test_every_request_ends_exactly_once(lab: Lab) -> None:
    print(f"OTTER_STORM_SEED={SEED}")
    dice = random.Random(SEED)
    rooms = [await lab.room(encrypted=False), await lab.room(encrypted=True)]
    said: list[Said] = []
    end = time.monotonic() + SECONDS
    await asyncio.gather(
        *(people(lab, user, rooms, said, random.Random(dice.random()), end) for user in (lab.user, lab.admin)),
        troubles(lab, dice, end),
    )
    for room in rooms:
        # It answers again, so everything before this was seen.
        await lab.answer(room, "!help", timeout=120)
    await settled(lab, rooms, 240)
    await asyncio.sleep(1)
    print(f"{len(said)} lines")
    await _check(lab, rooms, said)
    assert lab.worker.orphans() == []


async def _check(lab: Lab, rooms: list[str], said: list[Said]) -> None:
    wrong: list[str] = []
    for room in rooms:
        events = await timeline(lab.user, room)
        ours = [event for event in events if event.sender == lab.bot]
        parts = Counter((e.own.get("key"), e.own.get("part")) for e in ours if e.own and not e.edits)
        wrong += [f"{count} times {part}" for part, count in parts.items() if count > 1]
        shown: dict[str, list[int]] = {}
        for event in ours:
            if event.msgtype == "m.image" and not event.edits:
                shown.setdefault(event.own["key"], []).append(event.record["used"]["seed"])
        for one in (one for one in said if one.room == room):
            got = sorted(shown.get(key_of(lab.bot, room, one.event_id), []))
            promised = [one.flags["seed"] + number for number in range(one.flags["count"])]
            if one.touched:
                wrong += [f"{got} of {promised}"] if not set(got) <= set(promised) else []
                continue
            plain = [e for e in ours if e.replies_to == one.event_id and e.own.get("part") in ("final", "reply")]
            if got != promised and len(plain) != 1:
                wrong.append(f"{one.event_id}: {got} instead of {promised}, and {[e.body for e in plain]}")
    assert wrong == [], f"{wrong}\n{await _evidence(lab, rooms)}"


async def _evidence(lab: Lab, rooms: list[str]) -> str:
    """What people typed, as it stands in the rooms, and what the plugin's database says became of it."""
    query = "SELECT event_id, key, edit_id, state, outcome, created_at, submitted_at, done_at FROM requests"
    requests = {row[0]: row[1:] for row in rows(lab, f"{query} ORDER BY created_at")}
    handled = dict(rows(lab, "SELECT event_id, at FROM handled"))
    lines: list[str] = []
    for room in rooms:
        said = [
            event for event in await timeline(lab.user, room) if event.sender != lab.bot and event.state_key is None
        ]
        lines += [room, *(f"{e.event_id} {e.sender} sent {e.ts / 1000} handled {handled.get(e.event_id)} {e.body!r} "
                          f"{requests.get(e.event_id)}" for e in said)]  # fmt: skip
    parts = rows(lab, "SELECT key, part, state, updated_at FROM parts ORDER BY updated_at")
    log = [line for line in lab.maubot.proc.log_text().splitlines() if "[DEBUG@maubot.client" not in line]
    return "\n".join([*lines, *map(str, parts), *log[-200:]])
