"""Which chat model the worker takes, what it says where none works, and loads that nobody waits for any more."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from core_lab import Json, chat, image, settings, until, worker_here

from doubles.ollama import OllamaDouble
from otterbot_worker.queue.store import Store


async def test_the_default_stays_over_pulls_and_restarts(tmp_path: Path) -> None:
    async with OllamaDouble() as double:
        config = settings(tmp_path, chat={"ollama_url": double.url})
        async with worker_here(config) as here:
            done = await here.api.done((await here.api.submit(chat("key-00001")))["id"])
            assert done["turn"]["result"]["model"] == "tiny:latest"
        double.models = {"new:latest": replace(double.models["tiny:latest"], name="new")} | double.models
        async with worker_here(config) as here:
            done = await here.api.done((await here.api.submit(chat("key-00002")))["id"])
            assert done["turn"]["result"]["model"] == "tiny:latest"
            assert (await here.api.call("GET", "/v1/info"))[1]["chat_model"] == "tiny:latest"


async def test_how_a_model_begins_is_remembered_over_restarts(tmp_path: Path) -> None:
    """Its first answer comes whole, since it could be a thought; nobody waits for that again after a restart."""
    async with OllamaDouble({"token_s": 0.02}) as double:
        config = settings(tmp_path, chat={"ollama_url": double.url})
        grew = []
        for life in (1, 2):
            async with worker_here(config) as here:
                job = await here.api.submit(chat(f"key-0000{life}", text="#slow one two three"))
                texts = set()
                while (now := await here.api.job(job["id"]))["state"] != "succeeded":
                    texts.add(now["turn"]["text"] or "")
                    await asyncio.sleep(0.1)
                grew.append(len(texts - {""}) > 1)
        assert grew == [False, True]


async def test_a_full_disk_costs_no_chat_its_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is only good to remember is not written then, and the turn goes on."""

    async def full(*_: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    async with OllamaDouble() as double:
        async with worker_here(settings(tmp_path, chat={"ollama_url": double.url})) as here:
            monkeypatch.setattr(Store, "set_meta", full)
            _, info = await here.api.call("GET", "/v1/info")
            assert (info["ollama"], info["chat_model"]) == ("reachable", "tiny:latest")
            done = await here.api.done((await here.api.submit(chat()))["id"])
            assert done["state"] == "succeeded"


@pytest.mark.parametrize(
    ("path", "section", "models", "state", "problem"),
    [
        ("", {}, [{"name": "tiny"}], "reachable", None),
        ("", {"default_model": "nope"}, [{"name": "tiny"}], "reachable", "`ollama pull nope`"),
        ("", {}, [], "reachable", "No chat model is installed"),
        ("/v1", {}, [{"name": "tiny"}], "unreachable", "address is wrong (HTTP 404)"),
    ],
)
async def test_it_says_where_no_chat_can_work(
    tmp_path: Path, path: str, section: Json, models: list[Json], state: str, problem: str | None
) -> None:
    async with OllamaDouble({"models": models}) as double:
        async with worker_here(settings(tmp_path, chat={"ollama_url": double.url + path, **section})) as here:
            _, info = await here.api.call("GET", "/v1/info")
            _, ready = await here.api.call("GET", "/readyz")
            assert info["ollama"] == state
            assert ("chat" in ready["reasons"]) is (problem is not None)
            if problem is None:
                assert info["chat_problem"] is None
            else:
                assert problem in info["chat_problem"]
                failed = await here.api.done((await here.api.submit(chat()))["id"])
                assert failed["turn"]["error"]["message"] == info["chat_problem"]


async def test_a_load_goes_on_when_the_turn_is_cancelled(tmp_path: Path) -> None:
    async with OllamaDouble({"models": [{"name": "tiny", "load_s": 1.0}]}) as double:
        async with worker_here(settings(tmp_path, chat={"ollama_url": double.url, "first_byte_timeout": 0.5})) as here:
            job = await here.api.submit(chat("key-00001"))
            await until(lambda: bool(double.memory.runners))
            await here.api.call("DELETE", f"/v1/jobs/{job['id']}")
            done = await here.api.done((await here.api.submit(chat("key-00002")))["id"])
            assert done["state"] == "succeeded"
            assert double.memory.loads == ["tiny"]


async def test_a_picture_ends_a_load_that_nobody_waits_for(tmp_path: Path) -> None:
    (tmp_path / "cuda").touch()
    async with OllamaDouble({"models": [{"name": "tiny", "load_s": 60}]}) as double:
        async with worker_here(settings(tmp_path, chat={"ollama_url": double.url})) as here:
            await here.api.done((await here.api.submit(image("key-00001")))["id"])
            job = await here.api.submit(chat("key-00002"))
            await until(lambda: bool(double.memory.runners))
            await here.api.call("DELETE", f"/v1/jobs/{job['id']}")
            drawn = await here.api.done((await here.api.submit(image("key-00003")))["id"])
            assert drawn["state"] == "succeeded"
            assert not double.memory.runners
