"""The event stream: a snapshot first, then what changes, bounded however slowly it is read."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, contextmanager
from pathlib import Path

import pytest
from core_lab import Json, chat, events, image, settings, until, worker_here

from otterbot_worker.api.events import MAX_WAITING, Hub, Piece, Subscriber
from otterbot_worker.queue.model import StoredJob
from otterbot_worker.schemas.jobs import Job, Pause, Progress


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
    event = subscriber.waiting["progress", "j", 0].event
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


# ---------------------------------------------------------------- several streams of a client


async def test_streams_of_a_client_share_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every stream hears of every job; it is looked up once for all of them."""
    async with worker_here(settings(tmp_path), paused=True) as here, AsyncExitStack() as stack:
        first = await here.api.submit(image())
        looked_up, build = Counter[str](), here.parts.views.each

        def counted(jobs: Sequence[StoredJob]) -> AsyncIterator[Job]:
            looked_up.update(job.id for job in jobs)
            return build(jobs)

        monkeypatch.setattr(here.parts.views, "each", counted)
        streams = [await stack.enter_async_context(aclosing(events(here.api))) for _ in range(8)]
        async with asyncio.timeout(20):
            begun = await asyncio.gather(*(anext(stream) for stream in streams))
            assert [[job["id"] for job in data["jobs"]] for _, data in begun] == [[first["id"]]] * 8
            looked_up.clear()
            await here.api.call("DELETE", f"/v1/jobs/{first['id']}")
            told = await asyncio.gather(*(anext(stream) for stream in streams))
        assert [(name, data["job"]["state"]) for name, data in told] == [("job", "cancelled")] * 8
        assert looked_up[first["id"]] == 2, "for the streams, and for the answer"


async def test_a_piece_is_encoded_by_the_next_where_the_first_went_away() -> None:
    piece, begun = Piece(), asyncio.Event()

    async def never() -> bytes:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def soon() -> bytes:
        return b"here"

    first = asyncio.create_task(piece.encoded(never))
    await begun.wait()
    second = asyncio.create_task(piece.encoded(soon))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == b"here"
    assert await piece.encoded(never) == b"here", "once is enough"


async def test_a_snapshot_is_shared_until_something_happens() -> None:
    with hub() as (made, subscriber), made.subscribe("other") as other:
        before, elsewhere = subscriber.audience.snapshot, other.audience.snapshot
        made.progressed("c", "j", 0, Progress(phase="denoising", step=1))
        assert subscriber.audience.snapshot is not before, "a stream that begins now would not hear of that step"
        assert other.audience.snapshot is elsewhere


async def test_a_long_snapshot_comes_whole(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        prompt = "otter " * 600
        wanted = [(await here.api.submit(image(f"key-{number:05d}", prompt=prompt)))["id"] for number in range(30)]
        async with asyncio.timeout(20), aclosing(events(here.api)) as stream:
            name, snapshot = await anext(stream)
        assert name == "snapshot"
        assert [job["id"] for job in snapshot["jobs"]] == wanted
        assert snapshot["pause"]["paused"]
