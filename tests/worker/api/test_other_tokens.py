"""Tokens of other programs at a running worker: each is a client of its own, from the moment it is made until it is
revoked."""

from __future__ import annotations

import asyncio
import base64
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from core_lab import Api, Json, chat, client, events, image, settings, until, worker_here

from otterbot_worker.api import auth
from otterbot_worker.config import Config
from otterbot_worker.token_commands import changes
from otterbot_worker.tokens import TokensFile


async def test_a_new_token_opens_without_a_restart_and_a_revoked_one_nothing(tmp_path: Path) -> None:
    config = settings(tmp_path)
    async with worker_here(config, paused=True) as here:
        token = changes.new(config, "one")
        async with client(here.api.address, token) as one:
            assert (await one.call("GET", "/v1/info"))[0] == 200
            changes.revoke(config, "one")
            assert (await one.call("GET", "/v1/info"))[0] == 401
            again = changes.new(config, "one")
            assert (await one.call("GET", "/v1/info"))[0] == 401, "the old token stays revoked"
        async with client(here.api.address, again) as one:
            assert (await one.call("GET", "/v1/info"))[0] == 200
        config.tokens_file.unlink()
        async with client(here.api.address, again) as one:
            assert (await one.call("GET", "/v1/info"))[0] == 401
        assert (await here.api.call("GET", "/v1/info"))[0] == 200


async def test_the_file_is_read_when_it_has_changed_and_not_for_each_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, reads, read = settings(tmp_path), [], TokensFile.read
    token = changes.new(config, "one")
    monkeypatch.setattr(TokensFile, "read", lambda self: (reads.append(1), read(self))[1])
    async with worker_here(config, paused=True) as here, client(here.api.address, token) as one:
        for _ in range(50):
            assert (await one.call("GET", "/v1/jobs"))[0] == 200
        assert len(reads) == 1


async def test_a_program_sees_its_own_and_may_not_pause(tmp_path: Path) -> None:
    config = settings(tmp_path)
    tokens = [changes.new(config, "one"), changes.new(config, "two"), changes.new(config, "boss", kind="operator")]
    async with worker_here(config, paused=True) as here, client(here.api.address, tokens[0]) as one:
        async with client(here.api.address, tokens[1]) as two, client(here.api.address, tokens[2]) as boss:
            mine = await one.submit(image())
            theirs = await here.api.submit(image())
            assert mine["id"] != theirs["id"]
            for other in (two, boss, here.api):
                assert (await other.call("GET", f"/v1/jobs/{mine['id']}"))[0] == 404
                assert mine["id"] not in str((await other.call("GET", "/v1/jobs"))[1])
            assert (await one.call("DELETE", f"/v1/jobs/{theirs['id']}"))[0] == 404
            for path in ("/v1/pause", "/v1/resume"):
                status, problem = await one.call("POST", path)
                assert (status, problem["code"]) == (403, "forbidden")
                assert "own jobs and pictures only" in problem["detail"]
            assert here.parts.dispatcher.pause_state.paused
            assert (await one.call("GET", "/metrics"))[0] == 200
            assert (await boss.call("POST", "/v1/resume"))[0] == 200


async def test_pictures_are_each_programs_own(tmp_path: Path) -> None:
    config = settings(tmp_path)
    token = changes.new(config, "one")
    async with worker_here(config) as here, client(here.api.address, token) as one:
        job = await one.done((await one.submit(image()))["id"])
        image_id = job["pictures"][0]["result"]["image_id"]
        assert (await one.call("GET", f"/v1/images/{image_id}"))[0] == 200
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/delivered")):
            assert (await here.api.call(method, f"/v1/images/{image_id}{path}"))[0] == 404
        assert (await one.call("DELETE", f"/v1/images/{image_id}"))[0] in (200, 204)


async def stream(api: Api) -> asyncio.Task[None]:
    """Reads events until the stream ends; begun when the first has come."""
    begun = asyncio.Event()

    async def read() -> None:
        async for _ in events(api):
            begun.set()

    task = asyncio.create_task(read())
    await begun.wait()
    return task


async def test_revoking_ends_streams_and_cancels_what_waits(tmp_path: Path) -> None:
    config = settings(tmp_path)
    tokens = [changes.new(config, "one"), changes.new(config, "two")]
    async with worker_here(config) as here, client(here.api.address, tokens[0]) as one:
        async with client(here.api.address, tokens[1]) as two:
            running = await one.submit(image("key-running", prompt="slow", steps=100))
            await one.running(running["id"])
            waiting = await one.submit(image("key-waiting", count=4))
            staying = await two.submit(image("key-staying", prompt="slow", steps=3))
            streams = [await stream(api) for api in (one, two, here.api)]
            changes.revoke(config, "one")
            async with asyncio.timeout(20):
                await streams[0]
                assert (await two.done(staying["id"]))["state"] == "succeeded"
            assert not streams[1].done()
            assert not streams[2].done()
            for task in streams[1:]:
                task.cancel()
            await asyncio.gather(*streams, return_exceptions=True)
            jobs = await here.parts.store.rows([running["id"], waiting["id"]])
            assert {row.state.value for rows in jobs.values() for row in rows} == {"cancelled"}


async def test_a_stream_of_the_old_token_ends_although_the_name_has_a_new_one(tmp_path: Path) -> None:
    config = settings(tmp_path)
    async with worker_here(config, paused=True) as here:
        async with client(here.api.address, changes.new(config, "one")) as one:
            reading = await stream(one)
            changes.revoke(config, "one")
            changes.new(config, "one")
            async with asyncio.timeout(20):
                await reading


async def test_what_was_revoked_while_no_worker_ran_is_cancelled_at_its_start(tmp_path: Path) -> None:
    config = settings(tmp_path)
    token = changes.new(config, "one")
    async with worker_here(config, paused=True) as here, client(here.api.address, token) as one:
        await one.submit(image())
        await here.api.submit(image())
    changes.revoke(config, "one")
    async with worker_here(config, paused=True) as here:

        async def gone() -> bool:
            return await here.parts.store.open_clients() == {"otterbot"}

        await until(gone)


def about(problem: Json) -> str:
    """What it says, as if this test had taken no minute."""
    return re.sub(r"23 h 5\d min", "24 h", problem["detail"])


async def test_a_daily_limit_is_a_sentence_with_its_end(tmp_path: Path) -> None:
    config = settings(tmp_path)
    token = changes.new(config, "one", per_day=5, answers_per_day=1)
    async with worker_here(config, paused=True) as here, client(here.api.address, token) as one:
        await one.submit(image("key-first", count=3))
        body = image("key-second", count=4)
        async with one.session.post(one.address + "/v1/jobs", json=body) as response:
            problem = await response.json()
            assert (response.status, problem["code"]) == (429, "daily_limit")
            assert 86_000 < int(response.headers["Retry-After"]) <= 86_400
        assert about(problem) == (
            "This token may ask for 5 pictures in 24 hours. 2 of them are left now. All 4 are possible in 24 h."
        )
        await one.submit(image("key-second", count=2))
        status, problem = await one.call("POST", "/v1/jobs", image("key-third"))
        assert (status, about(problem)) == (
            429,
            "This token may ask for 5 pictures in 24 hours. The next picture is possible in 24 h.",
        )
        status, problem = await one.call("POST", "/v1/jobs", image("key-third", count=6))
        assert (status, problem["fields"][0]["field"]) == (422, "request.count")
        assert problem["detail"].endswith("5 pictures in 24 hours, and this asks for 6 at once.")
        assert (await one.call("POST", "/v1/jobs", image("key-second", count=2)))[0] == 200, "accepted stays accepted"
        await here.api.submit(image("key-of-the-bot", count=6))


async def test_answers_have_their_own_limit(tmp_path: Path) -> None:
    config = settings(tmp_path)
    token = changes.new(config, "one", per_day=1, answers_per_day=1)
    async with worker_here(config, paused=True) as here, client(here.api.address, token) as one:
        await one.submit(image("key-first"))
        await one.submit(chat("key-second"))
        status, problem = await one.call("POST", "/v1/jobs", chat("key-third"))
        assert (status, about(problem)) == (
            429,
            "This token may ask for 1 answer in 24 hours. The next answer is possible in 24 h.",
        )


async def test_a_program_takes_turns_as_one_person(tmp_path: Path) -> None:
    config = settings(tmp_path)
    token = changes.new(config, "one")
    async with worker_here(config, paused=True) as here, client(here.api.address, token) as one:
        jobs = [await one.submit(image(f"key-0000{n}", owner=f"@person{n}:x")) for n in range(4)]
        assert [job["owner"] for job in jobs] == [f"@person{n}:x" for n in range(4)], "as it was sent"
        ann = await here.api.submit(image())
        listed = (await one.call("GET", "/v1/jobs?state=open"))[1]["jobs"]
        assert [job["place"] for job in listed] == [0, 2, 3, 4]
        assert (await here.api.job(ann["id"]))["place"] == 1
        seen = {job["id"]: job["place"] for job in listed}
        assert {job["id"]: (await one.job(job["id"]))["place"] for job in jobs} == seen


async def test_a_token_with_a_clients_name_opens_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    before = Config.model_validate({"data_dir": tmp_path})
    token = changes.new(before, "other")
    async with worker_here(settings(tmp_path), paused=True) as here, client(here.api.address, token) as one:
        assert (await one.call("GET", "/v1/info"))[0] == 401
        assert (await here.other.call("GET", "/v1/info"))[0] == 200
    (line,) = [record for record in caplog.records if "api.clients" in record.getMessage()]
    assert line.levelno == logging.WARNING
    assert "revoke it, and make one of another name" in line.getMessage()


async def test_a_damaged_file_keeps_what_was_known_and_is_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = settings(tmp_path)
    token = changes.new(config, "one")
    async with worker_here(config, paused=True) as here, client(here.api.address, token) as one:
        whole = config.tokens_file.read_text()
        config.tokens_file.write_text("{")
        for _ in range(3):
            assert (await one.call("GET", "/v1/info"))[0] == 200
        config.tokens_file.write_text(whole)
        assert (await one.call("GET", "/v1/info"))[0] == 200
        config.tokens_file.write_text("{")
        assert (await one.call("GET", "/v1/info"))[0] == 200
    lines = [record.getMessage() for record in caplog.records if "tokens.json: damaged" in record.getMessage()]
    assert len(lines) == 2, "once each time that it broke"
    async with worker_here(config, paused=True) as here, client(here.api.address, token) as one:
        assert (await one.call("GET", "/v1/info"))[0] == 401
        assert (await here.api.call("GET", "/v1/info"))[0] == 200, "the bot is not meant"


async def test_when_it_was_used_is_kept(tmp_path: Path) -> None:
    config = settings(tmp_path)
    token = changes.new(config, "one")
    async with worker_here(config, paused=True) as here, client(here.api.address, token) as one:
        assert "never" in changes.listed(config)[1]
        await one.call("GET", "/v1/info")
        await here.parts.tokens.write_used()
        assert "never" not in changes.listed(config)[1]


@pytest.mark.parametrize(
    ("header", "basic", "token"),
    [
        ("Bearer abc", False, b"abc"),
        ("bearer  abc ", True, b"abc"),
        ("Basic " + base64.b64encode(b"user:abc").decode(), True, b"abc"),
        ("basic " + base64.b64encode(b":a:b").decode(), True, b"a:b"),
        ("Basic " + base64.b64encode(b"user:abc").decode(), False, b""),
        ("Basic abc!", True, b""),
        ("Basic \udcff", True, b""),
        ("Basic " + base64.b64encode(b"no colon").decode(), True, b""),
        ("abc", True, b""),
        ("", True, b""),
    ],
)
def test_what_is_offered(header: str, basic: bool, token: bytes) -> None:
    assert auth.offered(header, basic=basic) == token


def test_nothing_and_rubbish_are_nobodys(tmp_path: Path) -> None:
    from otterbot_worker.tokens import Used

    tokens = auth.Tokens({"otterbot": "x" * 30}, TokensFile(tmp_path / "tokens.json"), Used(tmp_path / "used.json"))
    rubbish: list[Any] = [None, "", b"", "\udcff", "x" * 29, "x" * 31, "ä" * 30, b"\x00" * 100_000]
    assert [tokens.client_of(one) for one in rubbish] == [None] * len(rubbish)
    found = tokens.client_of("x" * 30)
    assert found is not None
    assert (found.name, found.kind) == ("otterbot", "bot")
    assert tokens.knows(found.id)
    assert not tokens.knows("0" * 16)
