"""Turns that need no card: beside a picture that is drawn, and handed over when their backend changes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from core_lab import Here, chat, image, settings, until, worker_here

from doubles.chat_backend import Mind, SmallBackend
from doubles.ollama import OllamaDouble
from otterbot_worker.api import build
from otterbot_worker.chat.auto import Auto
from otterbot_worker.chat.backend import ChatBackend
from otterbot_worker.chat.ollama import Ollama, OllamaSettings
from otterbot_worker.chat.records import BackendSettings

QUICK = {"chat": {"backend": "builtin", "options": {"num_ctx": 256, "num_predict": 16}}}


class Tiny(SmallBackend):
    """One that has to be introduced."""

    about = "small answers here, a tiny model."


@asynccontextmanager
async def with_backend(folder: Path, backend: ChatBackend) -> AsyncIterator[Here]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "open_backend", lambda *_, **__: backend)
        async with worker_here(settings(folder)) as here:
            yield here


async def known(here: Here) -> None:
    """A first answer comes whole, since it could be a thought: the next ones stream."""
    await here.api.done((await here.api.submit(chat("key-first")))["id"])


def small(mind: Mind) -> SmallBackend:
    return SmallBackend(mind, BackendSettings(text_interval=0.0))


async def test_a_picture_is_drawn_while_a_real_model_talks(tmp_path: Path) -> None:
    """Through the whole worker: one is begun before the other, and both run at the same time."""
    (tmp_path / "cuda").touch()
    async with worker_here(settings(tmp_path, **QUICK)) as here:
        picture = await here.api.submit(image("key-00001", prompt="slow", steps=100, count=8))
        await here.api.running(picture["id"])
        turn = await here.api.done((await here.api.submit(chat("key-00002")))["id"])
        assert (turn["state"], turn["turn"]["result"]["model"]) == ("succeeded", "SmolLM2-135M")
        assert "a tiny language model" in turn["turn"]["result"]["notes"][-1]
        drawn = await here.api.job(picture["id"])
        assert drawn["state"] == "running", "it went on"
        assert {one["attempt"] for one in drawn["pictures"]} <= {0, 1}
        assert not (tmp_path / "released").exists(), "nothing was asked of the card"
        _, info = await here.api.call("GET", "/v1/info")
        assert (info["ollama"], info["chat_backend"], info["chat_model"]) == (
            "reachable", "The built-in model", "SmolLM2-135M",
        )  # fmt: skip
        assert "tiny" in info["chat_notice"]
        assert "Ollama" in info["chat_notice"], "what to do for a better one"
        await here.api.call("DELETE", f"/v1/jobs/{picture['id']}")
        assert "xllamacpp" not in sys.modules, "the model lives in a process of its own"


async def test_a_pause_stops_both_and_they_go_on_afterwards(tmp_path: Path) -> None:
    async with with_backend(tmp_path, small(Mind())) as here:
        await known(here)
        picture = await here.api.submit(image("key-00001", prompt="slow", steps=100))
        turn = await here.api.submit(chat("key-00002", text="#slow but steady"))
        await here.api.running(picture["id"])
        await here.api.until(turn["id"], lambda job: bool(job["turn"]["text"]))
        await here.api.call("POST", "/v1/pause")
        for job in (picture, turn):
            assert (await here.api.until(job["id"], lambda job: job["state"] == "queued"))["state"] == "queued"
        await here.api.call("POST", "/v1/resume")
        await here.api.running(picture["id"])
        await here.api.until(turn["id"], lambda job: bool(job["turn"]["text"]))


async def test_cancelling_one_leaves_the_other(tmp_path: Path) -> None:
    mind = Mind()
    async with with_backend(tmp_path, small(mind)) as here:
        await known(here)
        picture = await here.api.submit(image("key-00001", prompt="slow", steps=50))
        turn = await here.api.submit(chat("key-00002", text="#stall"))
        await here.api.running(picture["id"])
        await here.api.until(turn["id"], lambda job: bool(job["turn"]["text"]))
        await here.api.call("DELETE", f"/v1/jobs/{turn['id']}")
        await until(lambda: mind.running == 0)
        done = await here.api.done(picture["id"])
        assert (done["state"], done["pictures"][0]["attempt"]) == ("succeeded", 1)


async def test_the_end_of_the_worker_ends_both(tmp_path: Path) -> None:
    mind = Mind()
    async with with_backend(tmp_path, small(mind)) as here:
        await known(here)
        await here.api.running((await here.api.submit(image("key-00001", prompt="slow", steps=100, count=8)))["id"])
        turn = await here.api.submit(chat("key-00002", text="#stall"))
        await here.api.until(turn["id"], lambda job: bool(job["turn"]["text"]))
    assert mind.running == 0
    async with with_backend(tmp_path, small(Mind())) as here:
        assert (await here.api.job(turn["id"]))["state"] in ("queued", "running"), "it is answered anew"


# ---------------------------------------------------------------- a backend that changes


@asynccontextmanager
async def with_auto(folder: Path) -> AsyncIterator[tuple[Here, OllamaDouble]]:
    async with OllamaDouble({"models": [{"name": "tiny"}]}) as double:
        auto = Auto(Ollama(OllamaSettings(url=double.url)), Tiny(Mind(), BackendSettings()))
        async with with_backend(folder, auto) as here:
            yield here, double


async def test_each_turn_goes_where_its_backend_belongs(tmp_path: Path) -> None:
    (tmp_path / "cuda").touch()
    async with with_auto(tmp_path) as (here, double):
        answered = []
        for number, running in enumerate((True, False, False, True, False)):
            await (double.start() if running and double._runner is None else asyncio.sleep(0))
            await (double.stop() if not running else asyncio.sleep(0))
            done = await here.api.done((await here.api.submit(chat(f"key-0000{number}")))["id"])
            assert done["turn"]["attempt"] == 1, "a turn that changed its lane was not tried twice"
            answered.append(done["turn"]["result"])
        assert [one["model"] for one in answered] == ["tiny:latest", "small", "small", "tiny:latest", "small"]
        notes = [one["notes"] for one in answered]
        assert notes[0] == [], "nothing to say of a first one that is good"
        assert notes[1] == ["small answers here, a tiny model."]
        assert notes[2] == [], "said once"
        assert notes[3] == ["From here on Ollama answers, with tiny:latest."]
        assert notes[4] == ["small answers here, a tiny model."]


async def test_a_turn_that_waits_for_the_card_is_taken_when_it_needs_it_no_more(tmp_path: Path) -> None:
    async with with_auto(tmp_path) as (here, double):
        await here.api.call("GET", "/v1/info")
        picture = await here.api.submit(image("key-00001", prompt="slow", steps=100, count=8))
        await here.api.running(picture["id"])
        await double.stop()
        done = await here.api.done((await here.api.submit(chat("key-00002")))["id"])
        assert done["turn"]["result"]["model"] == "small"
        assert (await here.api.job(picture["id"]))["state"] == "running"
        await here.api.call("DELETE", f"/v1/jobs/{picture['id']}")


async def test_a_model_that_somebody_named_is_not_taken_for_another(tmp_path: Path) -> None:
    async with with_auto(tmp_path) as (here, double):
        await double.stop()
        body = chat("key-00001")
        body["request"]["model"] = "tiny"
        done = await here.api.done((await here.api.submit(body))["id"])
        assert done["turn"]["error"]["code"] == "chat_model_missing"


async def test_rooms_are_introduced_one_by_one_and_over_restarts(tmp_path: Path) -> None:
    said = []
    for life in (1, 2):
        async with with_backend(tmp_path, Tiny(Mind(), BackendSettings())) as here:
            for room in ("!one:here", "!two:here"):
                body = chat(f"key-{life}-{room[1:4]}", room=room)
                said.append((await here.api.done((await here.api.submit(body))["id"]))["turn"]["result"]["notes"])
    assert said == [["small answers here, a tiny model."]] * 2 + [[], []]
