"""A real cluster of Ray: two machines on this one, each with a lane on its processor, and a real worker.

They run where Ray is installed (``scripts/requirements/ray.txt``). All tests share one cluster and one worker, since
both take seconds to start; each brings what it needs.
"""

from __future__ import annotations

import importlib.util
import os
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from core_lab import Api, Json, Process, client, gpu_processes, image, until
from make_pictures import png

from ray_nodes import RESOURCE, RayNodes, ray_nodes

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.xdist_group("ray"),
]
CANARY = "kelpforestcanary"
PATIENCE = 300.0
"""Seconds for what takes a few: nothing here is measured."""


class Rig:
    def __init__(self, nodes: RayNodes, worker: Process, api: Api) -> None:
        self.nodes, self.worker, self.api = nodes, worker, api
        self._count = 0

    def picture(self, **fields: object) -> Json:
        self._count += 1
        return image(f"key-{self._count:05}", **{"width": 96, "height": 96, **fields})

    async def lanes(self) -> dict[str, Json]:
        _, info = await self.api.call("GET", "/v1/info")
        return {lane["name"]: lane for lane in info["lanes"]}

    async def ready(self, *names: str) -> None:
        """Until those lanes and no others can draw."""

        async def there() -> bool:
            lanes = await self.lanes()
            return {name for name, lane in lanes.items() if not lane["rests"] and name != "cpu"} == set(names)

        await until(there, PATIENCE)

    async def both(self) -> None:
        """Until both machines are there."""
        for name in ("one", "two"):
            if name not in self.nodes.raylets:
                await self.nodes.add(name)
        await self.ready("ray:one", "ray:two")

    async def drawn_on_two(self) -> Json:
        """A long picture that the second machine draws; the first one may have it from now on."""
        await self.both()
        await self.api.call("POST", "/v1/pause", {"lane": "ray:one"})
        job = await self.api.submit(self.picture(steps=100, width=192, height=192))
        assert await self.busy(1) == ["ray:two"]
        await self.api.call("POST", "/v1/resume", {"lane": "ray:one"})
        return job

    async def without_two(self) -> None:
        if "two" in self.nodes.raylets:
            self.nodes.kill("two")
        await self.ready("ray:one")

    async def busy(self, count: int) -> list[str]:
        """Until so many lanes draw; their names."""
        found: list[str] = []

        async def there() -> bool:
            lanes = await self.lanes()
            found[:] = [name for name, lane in lanes.items() if lane["busy"] and lane["gpu"]["state"] == "drawing"]
            return len(found) == count

        await until(there, PATIENCE)
        return found

    async def done(self, job: Json) -> Json:
        return await self.api.done(job["id"], PATIENCE)


def each_once(job: Json) -> None:
    """Nothing lost, nothing doubled."""
    assert job["state"] == "succeeded"
    assert {one["state"] for one in job["pictures"]} == {"succeeded"}
    assert len({one["result"]["image_id"] for one in job["pictures"]}) == len(job["pictures"])


@pytest_asyncio.fixture(scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    folder = tmp_path_factory.mktemp("cluster")
    async with ray_nodes(folder, "one", "two") as nodes:
        worker = Process(
            folder / "data", OTTERBOT_EXECUTOR="ray", OTTERBOT_RAY__ADDRESS=nodes.address,
            OTTERBOT_RAY__RESOURCE=RESOURCE, OTTERBOT_RAY__ONLY="true", OTTERBOT_RAY__HEARTBEAT_SECONDS="6",
        )  # fmt: skip
        async with worker.running() as api:
            yield Rig(nodes, worker, api)


async def test_both_draw_and_a_cancel_stops_both(rig: Rig) -> None:
    await rig.both()
    job = await rig.api.submit(rig.picture(steps=60, count=4, prompt=f"otter {CANARY}"))
    await rig.busy(2)
    each_once(await rig.done(job))
    assert len(rig.nodes.logs()) > 5
    assert not [path for path in (*rig.nodes.logs(), rig.worker.log) if CANARY.encode() in path.read_bytes()]
    code, printed = await rig.worker.command("lanes")
    assert code == 0
    assert [line.partition(":")[0] for line in printed.splitlines()] == ["ray", "ray"]
    long = await rig.api.submit(rig.picture(steps=100, count=2, width=192, height=192))
    await rig.busy(2)
    await rig.api.call("DELETE", f"/v1/jobs/{long['id']}")
    assert {one["state"] for one in (await rig.done(long))["pictures"]} == {"cancelled"}
    assert len(rig.nodes.actors()) == 2, "the actors stay"
    each_once(await rig.done(await rig.api.submit(rig.picture(steps=2, count=2))))


async def test_a_picture_to_start_from_travels(rig: Rig) -> None:
    url, kind = rig.api.address + "/v1/inputs", {"Content-Type": "image/png"}
    async with rig.api.session.post(url, data=png(96, 96), headers=kind) as answer:
        start = await answer.json()
        assert answer.status in (200, 201), start
    job = await rig.api.submit(rig.picture(steps=4, init_image={"id": start["id"]}, strength=0.6))
    each_once(await rig.done(job))
    left = [path for name in ("one", "two") for path in (rig.nodes.data(name) / "cluster").rglob("*") if path.is_file()]
    assert left == []


async def test_a_machine_that_is_killed_gives_its_row_to_another(rig: Rig) -> None:
    job = await rig.drawn_on_two()
    rig.nodes.kill("two")
    done = await rig.done(job)
    each_once(done)
    assert [one["attempt"] for one in done["pictures"]] == [2]
    await rig.ready("ray:one")
    assert "Ray cluster" in (await rig.lanes())["ray:two"]["rests"]


BARE = """
models:
  otter-mini:
    hub: nobody/nothing
    family: sd
    about: a model of the same name that is not here
    defaults: {steps: 4, guidance_scale: 5.0, width: 64, height: 64, sampler: UniPC}
    limits: {size_min: 16}
"""


async def test_a_machine_that_lacks_the_model_is_not_given_it(rig: Rig) -> None:
    """It takes the name of the one that was killed, so it is the same lane."""
    await rig.without_two()
    (rig.nodes.data("two") / "models.yaml").write_text(BARE)
    catalogue = str(rig.nodes.data("two") / "models.yaml")
    await rig.nodes.add("two", OTTERBOT_IMAGES__CATALOGUE=catalogue)
    await rig.ready("ray:one", "ray:two")
    done = await rig.done(await rig.api.submit(rig.picture(steps=20, count=4)))
    each_once(done)
    assert {one["attempt"] for one in done["pictures"]} == {1}
    assert (await rig.lanes())["ray:two"]["gpu"]["state"] == "stopped", "it was not even started"
    rig.nodes.kill("two")


async def test_a_machine_that_joins_is_a_lane_without_a_restart(rig: Rig) -> None:
    await rig.without_two()
    await rig.nodes.add("two")
    job = await rig.drawn_on_two()
    each_once(await rig.done(job))


async def test_a_machine_that_is_frozen_gives_its_row_to_another(rig: Rig) -> None:
    job = await rig.drawn_on_two()
    rig.nodes.freeze("two")
    done = await rig.done(job)
    each_once(done)
    assert [one["attempt"] for one in done["pictures"]] == [2]
    rig.nodes.thaw("two")
    await until(lambda: len(rig.nodes.actors()) <= 1, PATIENCE)  # the one that was given up ends itself


async def test_a_worker_that_is_killed_leaves_nothing_behind(rig: Rig) -> None:
    job = await rig.api.submit(rig.picture(steps=100, count=2, width=192, height=192))
    await rig.busy(1)
    locks = [rig.nodes.data(name) / "gpu.lock" for name in ("one", "two")]
    os.kill(rig.worker.pid, signal.SIGKILL)
    await until(lambda: not rig.nodes.actors() and not any(map(gpu_processes, locks)), PATIENCE)
    address = await rig.worker.start()
    async with client(address, (rig.worker.folder / "token").read_text().strip()) as api:
        rig.api.address = api.address
        await api.call("DELETE", f"/v1/jobs/{job['id']}")
        assert {one["state"] for one in (await rig.done(job))["pictures"]} == {"cancelled"}


async def test_the_cluster_starts_again(rig: Rig) -> None:
    """The worker waits, and its lanes come back; what ran meanwhile runs again."""
    job = await rig.api.submit(rig.picture(steps=60))
    await rig.nodes.head()
    await rig.nodes.add("one")
    each_once(await rig.done(job))
