"""Pictures of a room that another machine of a Ray cluster draws."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab import Lab
from lab.places import python
from lab.proc import until
from ray_nodes import RESOURCE, RayNodes, ray_nodes

HAS_RAY = subprocess.run([python("worker"), "-c", "import ray"], capture_output=True, check=False).returncode == 0
pytestmark = pytest.mark.skipif(not HAS_RAY, reason="Ray is not installed")


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[RayNodes]:
    async with ray_nodes(tmp_path / "cluster", "attic", python=python("worker")) as made:
        yield made


async def test_a_room_is_served_by_another_machine(folder: Path, nodes: RayNodes) -> None:
    ray = {"address": nodes.address, "resource": RESOURCE, "only": True}
    async with Lab(folder / "ray", worker_config={"executor": "ray", "ray": ray}) as lab:
        for encrypted in (False, True):
            room = await lab.room(encrypted=encrypted)
            (picture,) = await lab.draw(room, "!draw otter, cowboy hat --steps 2 --seed 7", timeout=240)
            assert picture.record["used"]["seed"] == 7
        status = await lab.answer(room, "!status")
        assert "ray:attic" in status.body
        nodes.kill("attic")
        mark = lab.user.mark()
        asked = await lab.user.send(room, "!draw another otter --steps 2 --seed 8")
        await nodes.add("attic")
        await lab.user.wait_for(lab.reply_to(asked, msgtype="m.image"), mark, timeout=240)
    await until(lambda: nodes.actors() == [], "nothing of the worker is left over there", timeout=60)
