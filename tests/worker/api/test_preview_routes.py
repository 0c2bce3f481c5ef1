"""Previews over the API: who gets them, when they are gone, and that nothing of them is kept."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from core_lab import Json, events, image, settings, worker_here
from hollow_checker import put

from otterbot_worker.requests import resolve


def path(job: Json, index: int | str = 0) -> str:
    return f"/v1/jobs/{job['id']}/pictures/{index}/preview"


async def test_the_latest_while_it_is_drawn_and_none_afterwards(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        assert "previews" in (await here.api.call("GET", "/v1/info"))[1]["features"]
        job = await here.api.submit(image(prompt="slow", steps=12, preview=True))
        running = await here.api.until(
            job["id"], lambda now: (now["pictures"][0]["progress"] or {}).get("preview", 0) > 1
        )
        status, first = await here.api.call("GET", path(job))
        assert status == 200
        assert first.startswith(b"behind step ")
        assert running["pictures"][0]["progress"]["preview"] <= 12
        for client, wrong, code in (
            (here.other, path(job), "not_found"),
            (here.api, path({"id": "nothing"}), "not_found"),
            (here.api, path(job, 1), "no_preview"),
            (here.api, path(job, "9" * 5000), "no_preview"),
        ):
            status, problem = await client.call("GET", wrong)
            assert (status, problem["code"]) == (404, code)
        await here.api.running(job["id"], step=6)
        assert (await here.api.call("GET", path(job)))[1] != first
        done = await here.api.done(job["id"])
        assert (await here.api.call("GET", path(job)))[1]["code"] == "no_preview"
        assert "preview" not in json.dumps(done["pictures"][0]["result"])


async def test_whoever_watches_learns_of_each(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        async with asyncio.timeout(20):
            seen: list[int] = []
            async for name, data in events(here.api):
                if name == "snapshot":
                    await here.api.submit(image(prompt="slow", steps=4, preview=True))
                elif name == "progress":
                    seen.append(data["progress"]["preview"])
                elif name == "job" and data["job"]["state"] == "succeeded":
                    break
        assert seen == sorted(seen), "it only grows"
        assert set(seen) == {0, 1, 2, 3, 4}


async def test_a_cancelled_one_leaves_none(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.submit(image(prompt="slow", steps=40, preview=True))
        await here.api.running(job["id"], step=2)
        await here.api.call("DELETE", f"/v1/jobs/{job['id']}")
        following = await here.api.submit(image("key-00002"))
        await here.api.done(following["id"])
        assert (await here.api.call("GET", path(job)))[1]["code"] == "no_preview"


async def test_nobody_asked_or_the_checker_has_to_look(tmp_path: Path) -> None:
    config = settings(tmp_path / "data", images={"safety_checker": str(put(tmp_path / "checker")), "downloads": False})
    async with worker_here(config) as here:
        for key, fields in (("key-00001", {}), ("key-00002", {"preview": True, "safety": True})):
            job = await here.api.submit(image(key, prompt="slow", steps=5, **fields))
            await here.api.running(job["id"], step=3)
            assert (await here.api.call("GET", path(job)))[1]["code"] == "no_preview"
            result = (await here.api.done(job["id"]))["pictures"][0]["result"]
            assert (resolve.NO_PREVIEWS in result["notes"]) == bool(fields)
