"""A campaign against a real cluster: jobs come all the time while machines are killed, frozen and joined, the head
starts again, and the worker is killed. None is lost, none is doubled, and no process is left.

``OTTER_RAY_JOBS=200`` runs it, for ten minutes or so on two cores; without it nothing does. What is random comes from
``OTTER_RAY_SEED``, which is printed.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
from core_lab import Api, Json, Process, client, gpu_processes, image, until

from ray_nodes import RESOURCE, RayNodes, ray_nodes

JOBS = int(os.environ.get("OTTER_RAY_JOBS") or 0)
SEED = int(os.environ.get("OTTER_RAY_SEED") or 7)
pytestmark = [
    pytest.mark.skipif(not JOBS, reason="OTTER_RAY_JOBS says how many jobs"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
MOST_OPEN = 10
PATIENCE = 600.0
FAULTS = {"kill": 4, "freeze": 3, "join": 2, "head": 1, "worker": 2}
"""How often each kind comes in every ``ROUND`` jobs."""
ROUND = 120


class Campaign:
    def __init__(self, nodes: RayNodes, worker: Process, dice: random.Random) -> None:
        self.nodes, self.worker, self.dice = nodes, worker, dice
        self.api: Api | None = None
        self.jobs: dict[str, Json] = {}
        """As submitted, and as last seen."""
        self.wanted: set[str] = set()
        """Cancelled by us."""
        kinds = [kind for kind, times in FAULTS.items() for _ in range(times)]
        self.coming = [kind for _ in range(0, JOBS, ROUND) for kind in dice.sample(kinds, len(kinds))]
        self.every = JOBS / (len(self.coming) + 1)
        """Jobs from one fault to the next, so that all of them come while there is work."""
        self.faults: Counter[str] = Counter()

    async def ask(self, method: str, path: str, body: Json | None = None) -> Json:
        """The worker may be down: asked again until it answers."""
        end = time.monotonic() + PATIENCE
        while True:
            with suppress(aiohttp.ClientError, OSError):
                assert self.api is not None
                status, found = await self.api.call(method, path, body)
                assert status < 400, (status, found)
                return dict(found)
            assert time.monotonic() < end, "the worker does not come back"
            await asyncio.sleep(0.2)

    async def submits(self) -> None:
        for number in range(JOBS):
            while self.crowded() or number > (self.faults.total() + 2) * self.every:
                await asyncio.sleep(0.3)
                await self.look()
            fields = {"steps": self.dice.choice((2, 8, 20)), "count": self.dice.choice((1, 1, 2))}
            owner = self.dice.choice(("@ann:here", "@bob:here", "@cleo:here"))
            body = image(f"key-{number:05}", owner=owner, seed=number * 10, width=96, height=96, **fields)
            job = await self.ask("POST", "/v1/jobs", body)
            self.jobs[job["id"]] = job
            if self.dice.random() < 0.05:
                self.wanted.add(job["id"])
                await self.ask("DELETE", f"/v1/jobs/{job['id']}")

    def crowded(self) -> bool:
        return sum(job["state"] in ("queued", "running") for job in self.jobs.values()) >= MOST_OPEN

    async def look(self) -> None:
        for job_id, job in self.jobs.items():
            if job["state"] in ("queued", "running"):
                self.jobs[job_id] = await self.ask("GET", f"/v1/jobs/{job_id}")

    async def breaks(self) -> None:
        """One thing after another, spread over the jobs."""
        for number, kind in enumerate(self.coming, 1):
            while len(self.jobs) < number * self.every:  # noqa: ASYNC110  nothing else tells
                await asyncio.sleep(0.1)
            await asyncio.sleep(self.dice.uniform(0, 2))
            await getattr(self, f"_{kind}")()
            self.faults[kind] += 1
            print(f"{kind}: {Counter(job['state'] for job in self.jobs.values())}", flush=True)

    async def _kill(self) -> None:
        name = self.dice.choice(sorted(self.nodes.raylets))
        self.nodes.kill(name)
        await asyncio.sleep(self.dice.uniform(0, 4))
        await self.nodes.add(name)

    async def _freeze(self) -> None:
        name = self.dice.choice(sorted(self.nodes.raylets))
        self.nodes.freeze(name)
        await asyncio.sleep(self.dice.choice((2, 15)))
        self.nodes.thaw(name)
        if self.dice.random() < 0.7:  # Ray may have given it up by then
            self.nodes.kill(name)
            await self.nodes.add(name)

    async def _join(self) -> None:
        """And leaves again."""
        await self.nodes.add("three")
        await asyncio.sleep(self.dice.uniform(4, 10))
        self.nodes.kill("three")

    async def _head(self) -> None:
        await self.nodes.head()
        for name in ("one", "two"):
            await self.nodes.add(name)

    async def _worker(self) -> None:
        os.kill(self.worker.pid, signal.SIGKILL)
        assert self.worker.process is not None
        await self.worker.process.wait()
        address = await self.worker.start()
        assert self.api is not None
        self.api.address = address


def pictures(archive: Path) -> list[Path]:
    return [path for path in archive.rglob("*.png") if not path.name.startswith(".")]


async def test_two_hundred_jobs(tmp_path: Path) -> None:
    print(f"OTTER_RAY_SEED={SEED}")
    async with ray_nodes(tmp_path / "cluster", "one", "two") as nodes:
        worker = Process(
            tmp_path / "data", OTTERBOT_EXECUTOR="ray", OTTERBOT_RAY__ADDRESS=nodes.address,
            OTTERBOT_RAY__RESOURCE=RESOURCE, OTTERBOT_RAY__ONLY="true", OTTERBOT_RAY__HEARTBEAT_SECONDS="6",
        )  # fmt: skip
        address = await worker.start()
        campaign = Campaign(nodes, worker, random.Random(SEED))
        async with client(address, (worker.folder / "token").read_text().strip()) as api:
            campaign.api = api
            breaking = asyncio.create_task(campaign.breaks())
            started = time.monotonic()
            try:
                await campaign.submits()
                await breaking
            finally:
                breaking.cancel()
            assert set(campaign.faults) == set(FAULTS), "each kind came"
            if not {"one", "two"} & set(nodes.raylets):
                await nodes.add("one")
            for name in nodes.raylets:
                nodes.thaw(name)

            async def all_done() -> bool:
                await campaign.look()
                return all(job["state"] not in ("queued", "running") for job in campaign.jobs.values())

            await until(all_done, PATIENCE)
            seconds = time.monotonic() - started
            rows = [row for job in campaign.jobs.values() for row in job["pictures"]]
            drawn = [row for row in rows if row["state"] == "succeeded"]
            attempts = Counter(row["attempt"] for row in drawn)
            print(
                f"\n{len(campaign.jobs)} jobs, {len(rows)} pictures in {seconds:.0f} s; faults: {dict(campaign.faults)}"
            )
            print(f"states: {dict(Counter(row['state'] for row in rows))}, attempts: {dict(attempts)}")
            assert len(campaign.jobs) == JOBS
            ended = {job["state"] for job_id, job in campaign.jobs.items() if job_id not in campaign.wanted}
            assert ended == {"succeeded"}, "none lost"
            assert len({row["result"]["image_id"] for row in drawn}) == len(drawn)
            assert len(pictures(worker.folder / "archive")) == len(drawn), "none doubled"
        await worker.end(signal.SIGTERM)
        locks = [nodes.data(name) / "gpu.lock" for name in ("one", "two", "three")]
        await until(lambda: not nodes.actors() and not any(map(gpu_processes, locks)), 60)
