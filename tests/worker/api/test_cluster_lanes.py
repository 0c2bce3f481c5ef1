"""Machines that come and go while the worker runs, as the scout tells of them. Their processes are doubles on this
machine; Ray itself is in ``tests/worker/cluster/test_real_cluster.py``."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from core_lab import HERE, Here, image, settings, until, worker_here

from otterbot_worker import __version__
from otterbot_worker.api import cluster_lanes
from otterbot_worker.cluster import exits, inventory, watch
from otterbot_worker.cluster.process import RemoteProcess
from otterbot_worker.cluster.wire import Node
from otterbot_worker.config import Config, RayConfig
from otterbot_worker.gpu import child_command
from otterbot_worker.models.catalogue import load_catalogue
from otterbot_worker.runner import row_runner
from otterbot_worker.runner.lanes import Lane

LOST = f"import os; os._exit({exits.EXIT_NODE_LOST})"


class DoubleRemote(RemoteProcess):
    """Its relay is a GPU process of the tests, in a folder of its machine's; a machine that is ``lost`` has none."""

    folder: Path
    lost: set[str] = set()  # noqa: RUF012

    def is_at(self, node: Node, number: int) -> None:
        super().is_at(node, number)
        place = self.folder / node.id
        place.mkdir(exist_ok=True)
        command = child_command.command(
            device="cpu", lock_path=place / f"gpu-{number}.lock", lock_timeout=5, threads=1, downloads=False,
            reserve_mb=None, ram_reserve_mb=None,
        )  # fmt: skip
        self._command = [sys.executable, str(HERE / "child_double.py"), *command[3:]]
        if node.id in self.lost:
            self._command = [sys.executable, "-c", LOST]


class Cluster:
    """What the scout would see."""

    def __init__(self, folder: Path) -> None:
        self.nodes: dict[str, Node] = {}
        self.models = inventory.models(load_catalogue(data_dir=folder), only_here=False)
        self.told: Callable[..., None] | None = None
        self.here: Here | None = None
        self.said = False
        self.problem: str | None = None

    def join(self, name: str, identity: str = "", **fields: Any) -> None:
        usual: dict[str, Any] = {"lanes": 1, "gpus": False, "here": False, "models": self.models}
        self.nodes[name] = Node(**{"id": identity or name, "name": name, "version": __version__, **usual, **fields})
        self.tell()

    def leave(self, name: str) -> None:
        del self.nodes[name]
        self.tell()

    def tell(self, problem: str | None = None) -> None:
        assert self.told is not None
        self.said, self.problem = True, problem
        self.told([] if problem else list(self.nodes.values()), problem)

    def lane(self, name: str) -> Lane:
        assert self.here is not None
        return next(lane for lane in self.here.parts.dispatcher.lanes if lane.name == name)

    def names(self) -> list[str]:
        assert self.here is not None
        return [lane.name for lane in self.here.parts.dispatcher.lanes if lane.parts is not None]


@asynccontextmanager
async def worker_with(folder: Path, **ray: Any) -> AsyncIterator[tuple[Here, Cluster]]:
    cluster = Cluster(folder)

    async def follow(_: RayConfig, told: Callable[..., None]) -> None:
        cluster.told = told
        while True:  # as the scout does
            if cluster.said:
                cluster.tell(cluster.problem)
            await asyncio.sleep(0.05)

    config = settings(folder, ray=ray)
    config = Config.model_validate({**config.model_dump(), "executor": "ray"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cluster_lanes, "RemoteProcess", DoubleRemote)
        patch.setattr(DoubleRemote, "folder", folder, raising=False)
        patch.setattr(DoubleRemote, "lost", set())
        patch.setattr(watch, "follow", follow)
        patch.setattr(row_runner, "NODE_SECONDS", 0.5)
        async with worker_here(config) as here:
            cluster.here = here
            await until(lambda: cluster.told is not None)
            yield here, cluster


async def test_a_machine_that_joins_draws_without_a_restart(tmp_path: Path) -> None:
    async with worker_with(tmp_path) as (here, cluster):
        assert cluster.names() == ["cpu"]
        await here.api.done((await here.api.submit(image("key-00000")))["id"])  # what a load takes is known then
        job = await here.api.submit(image(prompt="slow", steps=60, count=4))
        await here.api.running(job["id"])
        cluster.join("attic", lanes=2)
        await until(lambda: all(lane.current for lane in map(cluster.lane, ("cpu", "ray:attic", "ray:attic-2"))))
        done = await here.api.done(job["id"])
        assert [one["attempt"] for one in done["pictures"]] == [1, 1, 1, 1]
        _, info = await here.api.call("GET", "/v1/info")
        assert [(one["name"], one["rests"]) for one in info["lanes"]] == [
            ("cpu", None), ("ray:attic", None), ("ray:attic-2", None),
        ]  # fmt: skip
        assert info["lanes"][1]["gpu"]["resident"] == "otter-mini"


async def test_only_machines_of_the_cluster_draw(tmp_path: Path) -> None:
    async with worker_with(tmp_path, only=True) as (here, cluster):
        status, report = await here.api.call("GET", "/readyz")
        assert (status, report["reasons"]["image"]) == (503, watch.STARTING)
        _, info = await here.api.call("GET", "/v1/info")
        assert [(one["name"], one["rests"]) for one in info["lanes"]] == [("cpu", watch.STARTING)]
        job = await here.api.submit(image())
        cluster.tell("The Ray cluster cannot be joined.")
        _, report = await here.api.call("GET", "/readyz")
        assert report["reasons"]["image"] == "The Ray cluster cannot be joined."
        cluster.join("den", here=True)
        assert (await here.api.done(job["id"]))["state"] == "succeeded"
        assert cluster.lane("cpu").parts.gpu.pid is None, "the worker's own card drew nothing"  # type: ignore[union-attr]
        assert (await here.api.call("GET", "/readyz"))[0] == 200


async def test_a_lane_that_lacks_the_model_is_not_given_it(tmp_path: Path) -> None:
    async with worker_with(tmp_path, only=True) as (here, cluster):
        cluster.join("bare", models={"ssd-1b": cluster.models["ssd-1b"]})
        cluster.join("other", models={"otter-mini": "of other weights"})
        job = await here.api.submit(image())
        await until(lambda: {"ray:bare", "ray:other"} <= set(cluster.names()))
        assert (await here.api.job(job["id"]))["state"] == "queued"
        cluster.join("attic")
        assert (await here.api.done(job["id"]))["state"] == "succeeded"
        assert cluster.lane("ray:bare").parts.gpu.pid is None  # type: ignore[union-attr]
        assert cluster.lane("ray:other").parts.gpu.pid is None  # type: ignore[union-attr]


async def test_a_machine_that_is_lost_gives_its_picture_to_another(tmp_path: Path) -> None:
    async with worker_with(tmp_path, only=True) as (here, cluster):
        DoubleRemote.lost.add("attic")
        cluster.join("attic")
        job = await here.api.submit(image())
        await until(lambda: cluster.lane("ray:attic").resting)
        cluster.join("cellar")
        done = await here.api.done(job["id"])
        assert done["state"] == "succeeded"


async def test_a_machine_that_comes_again_is_the_same_lane(tmp_path: Path) -> None:
    async with worker_with(tmp_path, only=True) as (here, cluster):
        cluster.join("attic", "first")
        await here.api.done((await here.api.submit(image()))["id"])
        cluster.leave("attic")
        lane = cluster.lane("ray:attic")
        assert lane.why_not == cluster_lanes.LEFT
        await until(lambda: lane.parts is not None and lane.parts.gpu.pid is None)
        job = await here.api.submit(image("key-00002"))
        _, info = await here.api.call("GET", "/v1/info")
        assert [(one["name"], one["rests"]) for one in info["lanes"]] == [("ray:attic", cluster_lanes.LEFT)]
        cluster.join("attic", "second")
        assert (await here.api.done(job["id"]))["state"] == "succeeded"
        assert cluster.lane("ray:attic") is lane
        assert (tmp_path / "second" / "gpu-0.lock").exists()


async def test_a_machine_that_stays_away_is_no_lane_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with worker_with(tmp_path) as (here, cluster):
        cluster.join("attic")
        monkeypatch.setattr(cluster_lanes, "AWAY_SECONDS", -1.0)
        cluster.leave("attic")
        await until(lambda: cluster.names() == ["cpu"])
        assert (await here.api.done((await here.api.submit(image()))["id"]))["state"] == "succeeded"


async def test_another_version_is_named(tmp_path: Path) -> None:
    async with worker_with(tmp_path) as (_, cluster):
        cluster.join("attic", version="0.0.1")
        assert "0.0.1" in (cluster.lane("ray:attic").why_not or "")
        cluster.join("attic", version="", models={}, problem="It does not answer.")
        assert cluster.lane("ray:attic").why_not == "It does not answer."


async def test_the_scout_that_ends_stops_no_picture(tmp_path: Path) -> None:
    async with worker_with(tmp_path, only=True) as (here, cluster):
        cluster.join("attic")
        job = await here.api.submit(image(prompt="slow", steps=30))
        await here.api.running(job["id"])
        cluster.tell(watch.ENDED)
        done = await here.api.done(job["id"])
        assert (done["state"], done["pictures"][0]["attempt"]) == ("succeeded", 1)


async def test_one_is_paused_over_a_restart(tmp_path: Path) -> None:
    async with worker_with(tmp_path) as (here, cluster):
        cluster.join("attic")
        assert (await here.api.call("POST", "/v1/pause", {"lane": "ray:attic"}))[0] == 200
    async with worker_with(tmp_path) as (_, cluster):
        cluster.join("attic")
        assert cluster.lane("ray:attic").paused
