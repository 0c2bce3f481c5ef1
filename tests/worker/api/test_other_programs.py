"""What holds for every other program: off by default, one queue for all, and nothing is drawn that nobody waits for."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from core_lab import TOKEN, Api, Here, client, image, settings, until, worker_here
from other_programs import on

from otterbot_worker.api.compat import errand
from otterbot_worker.api.compat.openai.images import ROOM
from otterbot_worker.queue.store import Store
from otterbot_worker.schemas.base import State

PATHS = {"openai": "/openai/v1/images/generations", "a1111": "/sdapi/v1/txt2img"}
ASKED = {"prompt": "slow otter", "steps": 60, "seed": 7}


def told(answer: Any) -> str:
    return str(answer["error"]["message"] if isinstance(answer["error"], dict) else answer["errors"])


@pytest.mark.parametrize("name", PATHS)
async def test_it_is_off_and_says_how_to_turn_it_on(tmp_path: Path, name: str) -> None:
    other = next(one for one in PATHS if one != name)
    for config in (settings(tmp_path), settings(tmp_path, api={"compat": [other]})):
        async with worker_here(config, paused=True) as here:
            status, answer = await here.api.call("POST", PATHS[name], ASKED)
            assert status == 404
            assert f"compat: [{name}]" in told(answer)
            assert f"OTTERBOT_API__COMPAT='[\"{name}\"]'" in told(answer)
            async with client(here.api.address, "wrong-token-0123456789") as stranger:
                status, answer = await stranger.call("POST", PATHS[name], ASKED)
                assert status == 401, "a stranger does not learn whether it is on"
                assert told(answer)


async def jobs(here: Here) -> list[Any]:
    stored = await here.parts.store.jobs("otterbot", room=None, only_open=False, limit=9)
    return await here.parts.views.jobs(stored)


async def leave(api: Api, path: str, body: Any, when: Any) -> None:
    """Asks, and closes the socket once ``when`` holds."""
    host, port = api.address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    data = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    writer.write(head.encode() + data)
    await writer.drain()
    await until(when)
    writer.close()
    await writer.wait_closed()
    del reader


LEFT = {
    "openai": (PATHS["openai"], ASKED),
    "openai, streamed": (PATHS["openai"], {**ASKED, "stream": True, "partial_images": 1, "output_format": "jpeg"}),
    "a1111": (PATHS["a1111"], ASKED),
}


@pytest.mark.parametrize("case", LEFT)
async def test_who_leaves_while_it_waits_cancels_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, case: str
) -> None:
    path, body = LEFT[case]
    async with worker_here(on(tmp_path), paused=True) as here:

        async def queued() -> bool:
            return [job.state for job in await jobs(here)] == [State.QUEUED]

        async def cancelled() -> bool:
            return [job.state for job in await jobs(here)] == [State.CANCELLED]

        await leave(here.api, path, body, queued)
        await until(cancelled)
        assert await here.parts.store.open_counts() == (0, 0)
        assert [one for one in caplog.records if one.levelname == "ERROR"] == [], "it is nothing unexpected"


@pytest.mark.parametrize("case", LEFT)
async def test_who_leaves_while_it_is_drawn_cancels_it(tmp_path: Path, case: str) -> None:
    path, body = LEFT[case]
    async with worker_here(on(tmp_path)) as here:

        async def drawn() -> bool:
            return any(one.progress and one.progress.step > 1 for job in await jobs(here) for one in job.pictures)

        async def cancelled() -> bool:
            return [job.state for job in await jobs(here)] == [State.CANCELLED]

        await leave(here.api, path, body, drawn)
        await until(cancelled)
        following = await here.api.submit(image())
        assert (await here.api.done(following["id"]))["state"] == "succeeded", "the engine is free at once"


async def test_pictures_that_nobody_waited_for_are_gone(tmp_path: Path) -> None:
    """Of four one is finished when the program leaves."""
    async with worker_here(on(tmp_path)) as here:

        async def one_done() -> bool:
            return len(await here.parts.store.images_here()) > 0

        async def none_here() -> bool:
            return await here.parts.store.images_here() == []

        await leave(here.api, PATHS["openai"], {**ASKED, "steps": 5, "n": 4}, one_done)
        await until(none_here)
        assert await here.parts.store.open_counts() == (0, 0)


HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "depth without end": b'{"prompt": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "a field without end": b'{"' + b"x" * 50_000 + b'": 1}',
    "many fields": b"{" + b",".join(b'"x%d": 1' % number for number in range(5_000)) + b"}",
    "infinite": b'{"prompt": "otter", "seed": 1e999, "cfg_scale": 1e999, "guidance_scale": 1e999}',
    "a number without end": b'{"prompt": "otter", "seed": ' + b"9" * 10_000 + b"}",
    "half a letter": b'{"prompt": "\\ud800", "colour": "\\udfff", "\\ud800": 1}',
    "no text": b'{"prompt": "\xff\xfe"}',
    "null": b'{"prompt": null, "seed": null, "override_settings": null, "messages": null}',
    "others' kinds": b'{"prompt": {}, "styles": {"a": 1}, "override_settings": [1], "n": [], "messages": [[[]]]}',
    "pictures that are none": b'{"prompt": "otter", "init_images": [1, null], "mask": {}, "image": ["x"]}',
}


@pytest.mark.parametrize(
    "path",
    [
        "openai/v1/images/generations",
        "openai/v1/chat/completions",
        "sdapi/v1/txt2img",
        "sdapi/v1/img2img",
        "sdapi/v1/options",
        "sdapi/v1/png-info",
    ],
)
async def test_hostile_bodies_are_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture, path: str) -> None:
    async with worker_here(on(tmp_path), paused=True) as here:
        for case, data in HOSTILE.items():
            headers = {"Content-Type": "application/json"}
            async with here.api.session.post(f"{here.api.address}/{path}", data=data, headers=headers) as response:
                harmless = path.endswith("/options") and case in ("nothing", "null", "infinite", "many fields")
                assert response.status in ((200, 400, 422) if harmless else (400, 413, 422)), case
                assert len(await response.read()) < 20_000
        assert await here.parts.store.open_counts() == (0, 0)
    assert [one for one in caplog.records if one.levelname in ("ERROR", "CRITICAL")] == []


async def test_so_many_of_one_client_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errand, "MOST_WAITING", 2)
    async with worker_here(on(tmp_path), paused=True) as here:
        waiting = [asyncio.create_task(here.api.call("POST", PATHS["openai"], ASKED)) for _ in range(2)]

        async def both() -> bool:
            return await here.parts.store.open_counts() == (2, 0)

        await until(both)
        status, answer = await here.api.call("POST", PATHS["a1111"], ASKED)
        assert status == 429
        assert "2 requests" in told(answer)
        assert (await here.other.call("GET", "/sdapi/v1/options"))[0] == 200
        theirs = asyncio.create_task(here.other.call("POST", PATHS["openai"], ASKED))

        async def three() -> bool:
            return await here.parts.store.open_counts() == (3, 0)

        await until(three)
        for task in (*waiting, theirs):
            task.cancel()
        await asyncio.gather(*waiting, theirs, return_exceptions=True)

        async def none() -> bool:
            return await here.parts.store.open_counts() == (0, 0)

        await until(none)


async def test_what_takes_too_long_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errand, "WAIT_SECONDS", 0.0)
    async with worker_here(on(tmp_path), paused=True) as here:
        status, answer = await here.api.call("POST", PATHS["openai"], ASKED)
        assert status == 504
        assert "cancelled" in told(answer)
        assert await here.parts.store.open_counts() == (0, 0)


async def test_the_queues_own_limits_are_told(tmp_path: Path) -> None:
    async with worker_here(on(tmp_path, queue={"max_open_per_owner": 1}), paused=True) as here:
        for name, status in (("openai", 400), ("a1111", 422)):
            body = {**ASKED, "n": 2} if name == "openai" else {**ASKED, "batch_size": 2}
            found, answer = await here.api.call("POST", PATHS[name], body)
            assert found == status
            assert "at once" in told(answer)
        waiting = asyncio.create_task(here.api.call("POST", PATHS["openai"], ASKED))

        async def one() -> bool:
            return await here.parts.store.open_counts() == (1, 0)

        await until(one)
        async with here.api.session.post(here.api.address + PATHS["openai"], json=ASKED) as response:
            assert (response.status, response.headers["Retry-After"]) == (429, "30")
            assert (await response.json())["error"]["type"] == "rate_limit_error"
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_it_waits_in_the_same_queue(tmp_path: Path) -> None:
    async with worker_here(on(tmp_path), paused=True) as here:
        first = await here.api.submit(image("key-00001", prompt="otter"))
        asked = asyncio.create_task(here.api.call("POST", PATHS["openai"], {**ASKED, "prompt": "otter", "steps": 2}))

        async def both() -> bool:
            return await here.parts.store.open_counts() == (2, 0)

        await until(both)
        (job,) = (await here.api.call("GET", "/v1/jobs?state=open&room=/openai/v1"))[1]["jobs"]
        assert (job["place"], job["private"], job["owner"]) == (1, True, "otterbot")
        await here.api.call("POST", "/v1/resume", {})
        assert (await asked)[0] == 200
        assert (await here.api.done(first["id"]))["state"] == "succeeded"


async def test_the_worker_ends_with_requests_waiting(tmp_path: Path) -> None:
    config = on(tmp_path)
    async with worker_here(config, paused=True) as here:
        waiting = asyncio.create_task(here.api.call("POST", PATHS["openai"], ASKED))

        async def one() -> bool:
            return await here.parts.store.open_counts() == (1, 0)

        await until(one)
        here.parts.hub.close()
        status, answer = await waiting
        assert status == 503
        assert "stopped" in told(answer)
        assert await here.parts.store.open_counts() == (0, 0)


async def test_a_missing_disk_is_no_reason_not_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def missing(*_: Any) -> None:
        raise OSError(5, "gone")

    monkeypatch.setattr(Store, "undelivered_in", missing)
    async with worker_here(on(tmp_path), paused=True) as here:
        assert (await here.api.call("GET", "/openai/v1/models"))[0] == 200


async def test_what_a_dead_worker_left_is_cleared_away(tmp_path: Path) -> None:
    config = on(tmp_path)
    async with worker_here(config) as here:
        done = await here.api.submit(image("key-00001") | {"room": ROOM, "private": True})
        await here.api.done(done["id"])
        await here.parts.dispatcher.pause(None)
        left = await here.api.submit(image("key-00002") | {"room": ROOM})
        other = await here.api.submit(image("key-00003"))
        assert len(await here.parts.store.images_here()) == 1
    async with worker_here(settings(tmp_path), paused=True) as here:  # whether it is still on or not
        assert (await here.api.job(left["id"]))["state"] == "cancelled"
        assert (await here.api.job(other["id"]))["state"] == "queued"
        assert await here.parts.store.images_here() == []
