"""The event stream: a snapshot first, then what changes, bounded however slowly it is read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

from core_lab import Json, chat, events, image, settings, until, worker_here

from otterbot_worker.api.events import MAX_WAITING, Hub, Subscriber
from otterbot_worker.schemas.jobs import Pause, Progress


async def test_a_picture_from_snapshot_to_success(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        await here.api.call("POST", "/v1/pause")
        job = await here.api.submit(image(prompt="slow", steps=5))
        seen: list[tuple[str, Json]] = []
        async with asyncio.timeout(30), aclosing(events(here.api)) as stream:
            async for name, data in stream:
                seen.append((name, data))
                if name == "snapshot":
                    assert [found["id"] for found in data["jobs"]] == [job["id"]]
                    assert data["pause"]["paused"]
                    await here.api.call("POST", "/v1/resume")
                if name == "job" and data["job"]["state"] == "succeeded":
                    break
        names = [name for name, _ in seen]
        assert names[0] == "snapshot"
        assert "pause" in names
        steps = [data["progress"]["step"] for name, data in seen if name == "progress"]
        assert steps == sorted(steps)
        assert max(steps) == 5
        assert all(data["progress"]["attempt"] == 1 for name, data in seen if name == "progress")
        assert seen[-1][1]["job"]["pictures"][0]["result"]["image_id"]
        states = [data["job"]["state"] for name, data in seen if name == "job"]
        assert states[0] == "running"
        assert states[-1] == "succeeded"


async def test_another_client_hears_nothing_of_it(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        heard: list[tuple[str, Json]] = []

        async def listen() -> None:
            async for name, data in events(here.other):
                heard.append((name, data))

        listener = asyncio.create_task(listen())
        await until(lambda: bool(heard))
        await here.api.done((await here.api.submit(image()))["id"])
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)
        assert [name for name, _ in heard] == ["snapshot"]
        assert heard[0][1]["jobs"] == []


async def test_places_move_without_being_asked_for(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        jobs = [await here.api.submit(image(f"key-0000{n}", owner=f"@{n}:here")) for n in range(3)]
        async with asyncio.timeout(20), aclosing(events(here.api)) as stream:
            async for name, data in stream:
                if name == "snapshot":
                    assert [job["place"] for job in data["jobs"]] == [0, 1, 2]
                    await asyncio.sleep(2.2)
                    await here.api.call("DELETE", f"/v1/jobs/{jobs[0]['id']}")
                if name == "job" and data["job"]["id"] == jobs[2]["id"]:
                    assert data["job"]["place"] == 1
                    break


async def test_streams_end_with_the_worker(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        stream = events(here.api)
        assert (await anext(stream))[0] == "snapshot"
        reading = asyncio.create_task(anext(stream, None))
        here.parts.hub.close()
        async with asyncio.timeout(5):
            assert await reading is None


async def test_too_many_streams_are_refused(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path, api={"max_streams": 1}), paused=True) as here:
        async with aclosing(events(here.api)) as stream:
            await anext(stream)
            status, problem = await here.api.call("GET", "/v1/events")
            assert (status, problem["code"]) == (429, "too_many_streams")


# ---------------------------------------------------------------- what waits for a slow reader


@contextmanager
def hub() -> Iterator[tuple[Hub, Subscriber]]:
    made = Hub(lambda: Pause(paused=False))
    with made.subscribe("c") as subscriber:
        subscriber.restart = False
        yield made, subscriber


async def test_progress_and_text_coalesce() -> None:
    with hub() as (made, subscriber):
        for step in range(1000):
            made.progressed("c", "j", 0, Progress(phase="denoising", step=step))
            made.chat_text("c", "k", 1, "x" * step)
    assert [key[0] for key in subscriber.waiting] == ["progress", "chat"]
    event = subscriber.waiting["progress", "j", 0]
    assert event is not None
    assert event.model_dump()["progress"]["step"] == 999


async def test_nothing_older_follows_a_jobs_new_state() -> None:
    with hub() as (made, subscriber):
        made.job_changed("c", "j")
        made.progressed("c", "j", 0, Progress(phase="denoising", step=3))
        made.job_changed("c", "j")
    assert list(subscriber.waiting) == [("job", "j", 0)]


async def test_a_reader_that_falls_behind_starts_over() -> None:
    with hub() as (made, subscriber):
        for number in range(MAX_WAITING + 5):
            made.job_changed("c", f"j{number}")
        assert subscriber.restart
        assert len(subscriber.waiting) == 0
        made.job_changed("c", "more")
    assert len(subscriber.waiting) == 0, "the snapshot will say it"


async def test_chat_jobs_stand_in_the_snapshot_without_their_words(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        await here.api.submit(chat(text="canary5f1e"))
        async with aclosing(events(here.api)) as stream:
            _, snapshot = await anext(stream)
        assert snapshot["jobs"][0]["turn"]["state"] == "queued"
        assert "canary5f1e" not in str(snapshot)
