"""Whatever dies, and at whatever moment: the picture stands in the room once, with the seed that was promised.

The moments are named points, held by the proxies around Maubot, by the worker's pause or by a lock on the plugin's
database; nothing is killed after a sleep. The pictures are counted in the homeserver's timeline.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from lab import Lab, Rule
from lab.lab import key_of, transaction_id
from lab.proc import process_exists, until

from .conftest import QUICK

LONG = "--steps 30"
SUBMIT = "/v1/jobs$"
UPLOAD = "/_matrix/media/v3/upload"


@pytest.fixture(scope="module")
async def lab(folder: Path) -> AsyncIterator[Lab]:
    """A lab of its own: what is killed here must not be anybody else's."""
    async with Lab(folder / "exactly-once") as lab:
        yield lab


@pytest.fixture(autouse=True)
async def everything_is_up(lab: Lab) -> AsyncIterator[None]:
    """After a failure, too, the next test finds everything running and nothing held."""
    yield
    for proxy in (lab.matrix_proxy, lab.worker_proxy):
        for rule in list(proxy.rules):
            rule.remove()
    for part in (lab.synapse, lab.worker, lab.maubot):
        if not part.proc.alive():
            await part.start()
    await lab.worker.api("POST", "/v1/resume")


# ---------------------------------------------------------------- what is promised, and what came


def promised_seed(lab: Lab, key: str) -> int | None:
    """The seed that the plugin has stored before it asked the worker for anything; ``None`` as long as it has not."""
    with closing(sqlite3.connect(f"file:{lab.plugin_database}?mode=ro", uri=True, timeout=10)) as database:
        row = database.execute("SELECT body FROM requests WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    assert row[0] is not None, "over already; the seed must be read before"
    return int(json.loads(row[0])["seed"])


def resolved_steps(lab: Lab, key: str) -> int | None:
    """As the plugin has kept them of what the worker answered."""
    with closing(sqlite3.connect(f"file:{lab.plugin_database}?mode=ro", uri=True, timeout=10)) as database:
        row = database.execute("SELECT resolved FROM requests WHERE key = ?", (key,)).fetchone()
    return None if row is None or row[0] is None else int(json.loads(row[0])["steps"])


class Asked:
    """A request whose picture must come exactly once."""

    def __init__(self, lab: Lab, room: str, event_id: str, mark: int) -> None:
        self.lab, self.room, self.event_id, self.mark = lab, room, event_id, mark
        self.key = key_of(lab.bot, room, event_id)
        self.seed: int | None = None
        self._send = f"/send/[^/]+/{transaction_id(self.key, 'picture/0')}"

    def send_held_before(self) -> Rule:
        """The (first) picture's own send stands before the homeserver's door: it is uploaded and marked as sending."""
        return self.lab.matrix_proxy.hold_before("PUT", self._send)

    def send_held_after(self) -> Rule:
        """The homeserver has the (first) picture, and Maubot does not know."""
        return self.lab.matrix_proxy.hold_after("PUT", self._send)

    async def stored(self) -> None:
        """Until the plugin has promised a seed, which is remembered here."""

        def promised() -> bool:
            self.seed = promised_seed(self.lab, self.key)
            return self.seed is not None

        await until(promised, "the request is stored")

    async def comes_once(self, *, timeout: float = 90) -> None:
        """The picture, then ✅, then nothing more; once in the timeline, with the seed that was promised."""
        lab = self.lab
        assert self.seed is not None
        await lab.user.wait_for(lab.reply_to(self.event_id, msgtype="m.image"), self.mark, timeout)
        await lab.user.wait_for(lab.reaction(self.event_id, "✅"), self.mark, 30)
        # A second one would be on its way by the time that a later command has been answered.
        await lab.answer(self.room, "!help")
        pictures = [picture for picture in await lab.pictures(self.room) if picture.key == self.key]
        assert [picture.seed for picture in pictures] == [self.seed]
        assert lab.worker.orphans() == []


async def ask(lab: Lab, room: str, flags: str = QUICK) -> Asked:
    mark = lab.user.mark()
    return Asked(lab, room, await lab.user.send(room, f"!draw otter {flags}"), mark)


async def ask_with_a_seed(lab: Lab, room: str, seed: int = 77) -> Asked:
    """For when nobody is there to promise one: the person chooses it."""
    asked = await ask(lab, room, f"{QUICK} --seed {seed}")
    asked.seed = seed
    return asked


# ---------------------------------------------------------------- what can die


async def kill_worker(lab: Lab) -> None:
    before = lab.worker.gpu_pids()
    await lab.worker.kill()
    await until(lambda: not any(map(process_exists, before)), "its GPU process died with it", timeout=15)
    await lab.worker.start()


async def kill_gpu_process(lab: Lab) -> None:
    for pid in lab.worker.gpu_pids():
        with contextlib.suppress(ProcessLookupError):
            lab.worker.kill_gpu(pid)
        await until(lambda pid=pid: not process_exists(pid), "the GPU process died")  # type: ignore[misc]


async def kill_maubot(lab: Lab) -> None:
    await lab.maubot.restart(hard=True)


async def restart_synapse(lab: Lab) -> None:
    await lab.synapse.restart()


async def empty_the_worker(lab: Lab) -> None:
    await lab.worker.stop()
    lab.worker.empty()
    await lab.worker.start()


Blow = Callable[[Lab], Awaitable[None]]
BLOWS: list[Blow] = [kill_worker, kill_gpu_process, kill_maubot, restart_synapse, empty_the_worker]
blows = pytest.mark.parametrize("blow", BLOWS, ids=[blow.__name__ for blow in BLOWS])


@blows
async def test_while_it_waits_in_the_queue(lab: Lab, blow: Blow) -> None:
    """Both kinds of room at once: what waits, waits side by side."""
    rooms = [await lab.room(encrypted=False), await lab.room(encrypted=True)]
    await lab.worker.api("POST", "/v1/pause", {})
    asked = []
    for room in rooms:
        with lab.worker_proxy.hold_after("POST", SUBMIT, times=1) as accepted:
            asked.append(await ask(lab, room))
            await accepted.reached()
    for one in asked:
        await one.stored()
    await blow(lab)
    await lab.worker.api("POST", "/v1/resume")
    for one in asked:
        await one.comes_once()


async def test_a_forgotten_job_is_drawn_as_it_was_resolved(lab: Lab, room: str) -> None:
    """The instance is used to something else by then, and what was said of it is said once."""
    await lab.configure(draw={"steps": 3, "size": "104x96"}, model="no-such-model")
    try:
        await lab.worker.api("POST", "/v1/pause", {})
        with lab.worker_proxy.hold_after("POST", SUBMIT, times=1) as accepted:
            asked = await ask(lab, room, "--no fog")
            await accepted.reached()
        await asked.stored()
        await until(lambda: resolved_steps(lab, asked.key) == 3, "what the worker has resolved is stored")
        await lab.configure(draw={"steps": 2, "size": "128x128"})
        await empty_the_worker(lab)
        await lab.worker.api("POST", "/v1/resume")
        await asked.comes_once()
    finally:
        await lab.configure()
    picture = await lab.user.wait_for(lab.reply_to(asked.event_id, msgtype="m.image"), asked.mark)
    used = picture.record["used"]
    assert (used["steps"], used["width"], used["height"], used["negative_prompt"]) == (3, 104, 96, "fog")
    assert picture.body.count("The model set here, `no-such-model`, does not exist any more") == 1


@blows
async def test_while_it_is_drawn(lab: Lab, room: str, blow: Blow) -> None:
    asked = await ask(lab, room, LONG)
    await lab.worker.wait_step(2)
    await asked.stored()
    await blow(lab)
    await asked.comes_once()


@blows
async def test_while_it_is_delivered(lab: Lab, room: str, blow: Blow) -> None:
    """The picture is uploaded, its send stands before the homeserver's door."""
    asked = await ask(lab, room)
    with asked.send_held_before() as held:
        await held.reached(60)
        await asked.stored()
        await blow(lab)
    await asked.comes_once()


# ---------------------------------------------------------------- named points of the way


async def test_maubot_dies_before_the_worker_has_heard(lab: Lab, room: str) -> None:
    with lab.worker_proxy.hold_before("POST", SUBMIT) as held:
        asked = await ask(lab, room)
        await held.reached()
        await asked.stored()
        await lab.maubot.kill()
    await lab.maubot.start()
    await asked.comes_once()


async def test_maubot_dies_before_it_hears_that_the_worker_took_it(lab: Lab, room: str) -> None:
    with lab.worker_proxy.hold_after("POST", SUBMIT) as held:
        asked = await ask(lab, room)
        await held.reached()
        await asked.stored()
        await lab.maubot.kill()
    await lab.maubot.start()
    await asked.comes_once()


async def test_the_workers_yes_is_lost(lab: Lab, room: str) -> None:
    lost = lab.worker_proxy.swallow("POST", SUBMIT)
    with lab.worker_proxy.hold_before("GET", "/v1/images/"):
        asked = await ask(lab, room)
        await lost.reached()
        await asked.stored()
    await asked.comes_once()


async def test_maubot_dies_after_the_upload(lab: Lab, room: str) -> None:
    with lab.matrix_proxy.hold_after("*", UPLOAD) as held:
        asked = await ask(lab, room)
        await held.reached()
        await asked.stored()
        await lab.maubot.kill()
    await lab.maubot.start()
    await asked.comes_once()


async def test_the_homeservers_answer_is_swallowed(lab: Lab, room: str) -> None:
    asked = await ask(lab, room)
    with asked.send_held_after() as held:
        await held.reached()
        await asked.stored()
        held.drop()
    await asked.comes_once()


async def test_the_answer_is_swallowed_and_maubot_dies(lab: Lab, room: str) -> None:
    asked = await ask(lab, room)
    with asked.send_held_after() as held:
        await held.reached()
        await asked.stored()
        await lab.maubot.kill()
    await lab.maubot.start()
    await asked.comes_once()


async def test_a_homeserver_that_has_forgotten_transactions(lab: Lab, room: str) -> None:
    """The answer is lost and the same transaction id means nothing any more: it must look before it sends again."""
    asked = await ask(lab, room)
    with lab.matrix_proxy.forget_transactions(), asked.send_held_after() as held:
        await held.reached()
        await asked.stored()
        held.drop()
        held.remove()
        await asked.comes_once()


async def test_a_homeserver_that_has_forgotten_and_maubot_dies(lab: Lab, room: str) -> None:
    asked = await ask(lab, room)
    with lab.matrix_proxy.forget_transactions():
        with asked.send_held_after() as held:
            await held.reached()
            await asked.stored()
            await lab.maubot.kill()
        await lab.maubot.start()
        await asked.comes_once()


@contextlib.contextmanager
def _write_lock(database: Path) -> Iterator[None]:
    """Nobody else can write into this SQLite file meanwhile."""
    with closing(sqlite3.connect(database, timeout=20, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


async def test_maubot_dies_before_it_marks_the_picture_as_sent(lab: Lab, room: str) -> None:
    asked = await ask(lab, room)
    with asked.send_held_after() as held:
        await held.reached()
        await asked.stored()
        with _write_lock(lab.plugin_database):
            held.remove()
            await held.finished()  # it knows that the homeserver has it, and cannot write that down
            await lab.maubot.kill()
    await lab.maubot.start()
    await asked.comes_once()


async def test_maubot_dies_before_it_marks_the_command_as_handled(lab: Lab, room: str) -> None:
    """Its sync has moved on past the message, which it could not store."""
    syncs = lab.matrix_proxy.counting("GET", "/sync")  # from before it is asked: the one that counts may come at once
    with _write_lock(lab.plugin_database):
        asked = await ask_with_a_seed(lab, room)
        position = await _stream_position(lab)
        # The token of a sync is stored before the next one is asked for.
        await until(lambda: any(_since(seen.path) >= position for seen in syncs.seen), "it asks for more", timeout=30)
        await lab.maubot.kill()
    await lab.maubot.start()
    await asked.comes_once()


async def _stream_position(lab: Lab) -> int:
    """How far the homeserver's stream of events is now."""
    nothing = '{"room":{"rooms":[]},"presence":{"types":[]},"account_data":{"types":[]}}'
    answer = await lab.user.api("GET", f"/_matrix/client/v3/sync?timeout=0&filter={quote(nothing)}")
    return _since(f"since={answer['next_batch']}")


def _since(path: str) -> int:
    found = re.search(r"since=s(\d+)", path)
    return int(found[1]) if found else -1


async def test_maubot_dies_before_the_worker_hears_that_it_was_delivered(lab: Lab, room: str) -> None:
    with lab.worker_proxy.hold_before("POST", "/v1/images/[^/]+/delivered") as held:
        asked = await ask_with_a_seed(lab, room)
        await held.reached(60)
        await lab.maubot.kill()
    await lab.maubot.start()
    await asked.comes_once()


async def test_several_pictures_when_maubot_dies_between_them(lab: Lab, room: str) -> None:
    asked = await ask(lab, room, f"{QUICK} --count 3 --separate")
    with asked.send_held_after() as held:
        await held.reached()
        await asked.stored()
        await lab.maubot.kill()
    await lab.maubot.start()
    await lab.user.wait_for(lab.reaction(asked.event_id, "✅"), asked.mark, 90)
    seeds = [picture.seed for picture in await lab.pictures(room)]
    assert asked.seed is not None
    assert sorted(seeds) == sorted((asked.seed + number) % 2**32 for number in range(3))


# ---------------------------------------------------------------- while Maubot was away


async def test_a_command_from_while_maubot_was_down_with_a_fresh_session(lab: Lab, room: str, encrypted: bool) -> None:
    """The room key, too, was sent while nobody was there to take it."""
    await lab.answer(room, "!help")
    await lab.maubot.kill()
    if encrypted:
        lab.user.nio.invalidate_outbound_session(room)
    asked = await ask_with_a_seed(lab, room)
    await lab.maubot.start()
    await asked.comes_once()


@pytest.mark.parametrize("updated", [False, True], ids=["as it was", "with a new plugin"])
async def test_maubot_is_up_before_the_homeserver(lab: Lab, updated: bool) -> None:
    """After a power cut everything starts at once; Maubot's own client tries again only after ten seconds."""
    room = await lab.room(encrypted=True)
    await lab.maubot.kill()
    asked = await ask_with_a_seed(lab, room)
    await lab.synapse.stop()
    await lab.maubot.start(instances=False)
    if updated:
        await lab.maubot.upload(lab.packed)
    await lab.synapse.start()
    await asked.comes_once()


async def test_a_command_that_was_deleted_while_maubot_was_down(lab: Lab, room: str) -> None:
    await lab.worker.api("POST", "/v1/pause", {})
    with lab.worker_proxy.hold_after("POST", SUBMIT, times=1) as accepted:
        asked = await ask(lab, room)
        await accepted.reached()
    await lab.maubot.kill()
    await lab.user.redact(room, asked.event_id)
    await lab.maubot.start()
    assert "Nothing" in await _queue_when_settled(lab, room)
    await lab.worker.api("POST", "/v1/resume")
    await lab.user.never(lab.from_bot(room, msgtype="m.image"), asked.mark, within=2)


async def _queue_when_settled(lab: Lab, room: str) -> str:
    for _ in range(30):
        said = (await lab.answer(room, "!queue")).body
        if "Nothing" in said:
            return said
        await asyncio.sleep(0.2)
    return said


async def test_a_clean_stop_of_the_worker_gives_the_picture_back(lab: Lab, room: str) -> None:
    asked = await ask(lab, room, LONG)
    job = await lab.worker.wait_step(2)
    await asked.stored()
    await lab.worker.stop()
    await lab.worker.start()
    await asked.comes_once()
    again = await lab.worker.job(job["key"])
    assert again is not None
    assert again["pictures"][0]["attempt"] <= 1
