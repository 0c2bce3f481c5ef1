"""Two cards: each draws one picture at a time; one that fails, rests or is paused does not hold up the other."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from core_lab import Here, Json, chat, image, settings, until, worker_here

from doubles.ollama import OllamaDouble
from otterbot_worker.api import build
from otterbot_worker.gpu import driver
from otterbot_worker.runner import rest, taking
from otterbot_worker.runner.lanes import CardParts, Lane
from otterbot_worker.runner.rest import Rest

TWO: Json = {"device": "auto", "devices": ["cpu", "cpu"]}


def cards(here: Here) -> list[Lane]:
    return [lane for lane in here.parts.dispatcher.lanes if lane.parts is not None]


def parts_of(lane: Lane) -> CardParts:
    assert lane.parts is not None
    return lane.parts


def at_work(here: Here) -> list[str]:
    return [lane.name for lane in cards(here) if lane.current is not None]


def pids(here: Here) -> list[int | None]:
    return [parts_of(lane).gpu.pid for lane in cards(here)]


def named(here: Here, *names: str) -> None:
    """As if the cards were unlike ones; their processes run, and have said so."""
    for lane, name in zip(cards(here), names, strict=True):
        process = parts_of(lane).gpu
        process._info = replace(process._info, name=name)


async def drawn_on(here: Here, key: str, **request: object) -> set[str]:
    """By which lanes a job is drawn."""
    job = await here.api.submit(image(key, prompt="slow", steps=20, **request))
    await until(lambda: at_work(here) != [])
    lanes = set(at_work(here))
    assert (await here.api.done(job["id"]))["state"] == "succeeded"
    return lanes


async def test_the_card_that_drew_a_picture_draws_it_again_if_it_can(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path, gpu=TWO)) as here:
        await here.api.done((await here.api.submit(image(prompt="slow", steps=40, count=4)))["id"])
        named(here, "new", "old")
        assert await drawn_on(here, "key-000old", card="old") == {"cpu-2"}
        assert await drawn_on(here, "key-000new", card="new") == {"cpu"}
        assert len(await drawn_on(here, "key-00gone", card="sold")) == 1
        await here.api.call("POST", "/v1/pause", {"lane": "cpu-2"})
        assert await drawn_on(here, "key-paused", card="old") == {"cpu"}


async def test_a_batch_is_drawn_on_both(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path, gpu=TWO)) as here:
        job = await here.api.submit(image(prompt="slow", steps=40, count=4))
        await until(lambda: at_work(here) == ["cpu", "cpu-2"])
        await here.api.until(job["id"], lambda job: sum(one["state"] == "running" for one in job["pictures"]) == 2)
        assert len(set(pids(here))) == 2, "two processes"
        done = await here.api.done(job["id"])
        assert done["state"] == "succeeded"
        assert [one["attempt"] for one in done["pictures"]] == [1, 1, 1, 1], "each once"
        assert [one["seed"] for one in done["pictures"]] == [7, 8, 9, 10]


async def test_a_cancel_stops_both(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path, gpu=TWO)) as here:
        job = await here.api.submit(image(prompt="slow", steps=100, count=2))
        await until(lambda: len(at_work(here)) == 2)
        await here.api.call("DELETE", f"/v1/jobs/{job['id']}")
        await until(lambda: at_work(here) == [])
        rows = (await here.api.job(job["id"]))["pictures"]
        assert {one["state"] for one in rows} == {"cancelled"}
        other = await here.api.submit(image("key-00002", owner="@bob:here"))
        assert (await here.api.done(other["id"]))["state"] == "succeeded"


async def test_one_is_killed_while_the_other_draws(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path, gpu=TWO)) as here:
        job = await here.api.submit(image(prompt="slow", steps=60, count=2))
        await here.api.until(
            job["id"], lambda job: all(one["progress"] and one["progress"]["step"] > 1 for one in job["pictures"])
        )
        killed, kept = pids(here)
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        done = await here.api.done(job["id"])
        assert done["state"] == "succeeded"
        assert sorted(one["attempt"] for one in done["pictures"]) == [1, 2]
        assert kept in pids(here), "the other process went on"


async def test_one_is_paused_alone(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path, gpu=TWO)) as here:
        job = await here.api.submit(image(prompt="slow", steps=60, count=4))
        await until(lambda: len(at_work(here)) == 2)
        status, _ = await here.api.call("POST", "/v1/pause", {"lane": "cpu-2"})
        assert status == 200
        await until(lambda: at_work(here) == ["cpu"] and pids(here)[1] is None)
        assert (await here.api.done(job["id"]))["state"] == "succeeded"
        assert pids(here)[1] is None
        await here.api.call("POST", "/v1/resume", {"lane": "cpu-2"})
        await here.api.submit(image("key-00002", prompt="slow", steps=60, count=2))
        await until(lambda: len(at_work(here)) == 2)


async def test_the_pause_of_one_outlives_a_restart(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path, gpu=TWO)) as here:
        assert (await here.api.call("POST", "/v1/pause", {"lane": "cpu"}))[0] == 200
    async with worker_here(settings(tmp_path, gpu=TWO)) as here:
        assert [lane.paused for lane in cards(here)] == [True, False]
        assert (await here.api.done((await here.api.submit(image()))["id"]))["state"] == "succeeded"
        assert pids(here)[0] is None


async def test_a_card_that_is_not_there_is_named(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path, gpu=TWO)) as here:
        status, problem = await here.api.call("POST", "/v1/pause", {"lane": "cuda:7"})
        assert (status, problem["code"]) == (404, "lane_not_found")
        assert "cpu, cpu-2" in problem["detail"]
        assert (await here.api.call("POST", "/v1/pause", {"lane": "cpu", "minutes": 5}))[0] == 422


async def test_one_that_does_not_start_rests_and_the_other_draws_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking, "START_AGAIN_SECONDS", (0.05,))
    async with worker_here(settings(tmp_path, gpu=TWO)) as here:
        first = cards(here)[0]
        assert first.rest is not None
        parts_of(first).gpu._command = ["false"]  # as where the driver is gone
        # Else the other one, once it is warm, may be through with everything sooner than this one is taken for loading.
        await here.api.call("POST", "/v1/pause", {"lane": "cpu-2"})
        job = await here.api.submit(image(prompt="slow", steps=5, count=6))
        await until(lambda: first.rest is not None and bool(first.rest.reason))
        await here.api.call("POST", "/v1/resume", {"lane": "cpu-2"})
        done = await here.api.done(job["id"])
        assert done["state"] == "succeeded"
        assert {one["attempt"] for one in done["pictures"]} == {1}, "no picture is to blame"
        assert here.parts.dispatcher.obstacles == {}, "pictures can be drawn"


async def test_all_of_them_rest(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path, gpu=TWO)) as here:
        for lane in cards(here):
            assert lane.rest is not None
            lane.rest.hold("The driver is gone.", 300)
        await here.api.submit(image())
        status, report = await here.api.call("GET", "/readyz")
        assert status == 503
        assert report["reasons"]["image"] == "All cards rest for a while. The driver is gone."


async def test_a_chat_keeps_to_the_first_card(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path, gpu=TWO)) as here:
        first, second = cards(here)
        needs = {"image": True, "chat": True, "describe": True}
        assert "chat" not in first.skips(needs)
        assert {"chat", "prompt", "describe"} <= second.skips(needs)


async def test_what_the_cards_are_is_told(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path, gpu=TWO)) as here:
        await here.api.call("POST", "/v1/pause", {"lane": "cpu-2"})
        await here.api.done((await here.api.submit(image()))["id"])
        _, info = await here.api.call("GET", "/v1/info")
        first, second = info["lanes"]
        assert (first["name"], first["gpu"]["resident"], first["paused"]) == ("cpu", "otter-mini", False)
        assert (second["name"], second["gpu"]["state"], second["paused"]) == ("cpu-2", "stopped", True)


async def test_two_cards_are_through_in_half_the_time(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path, gpu=TWO)) as here:
        await here.api.done((await here.api.submit(image(steps=4)))["id"])
        await here.api.call("POST", "/v1/pause")
        job = await here.api.submit(image("key-00002", steps=40, count=8))
        both = (await here.api.job(job["id"]))["eta_s"]
        await here.api.call("POST", "/v1/pause", {"lane": "cpu-2"})
        one = (await here.api.job(job["id"]))["eta_s"]
        assert both == pytest.approx(one / 2, rel=0.2, abs=0.2)


async def test_one_that_is_too_hot_rests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver says so of the one whose process is there; the other one draws the next picture."""
    async with worker_here(settings(tmp_path, gpu=TWO)) as here:
        await here.api.done((await here.api.submit(image()))["id"])
        hot = [lane.name for lane in cards(here) if parts_of(lane).gpu.pid is not None]
        monkeypatch.setattr(driver, "overheated", lambda _: "It is at 94 °C, and slows down at 95 °C.")
        done = await here.api.done((await here.api.submit(image("key-00002")))["id"])
        assert done["state"] == "succeeded"
        _, info = await here.api.call("GET", "/v1/info")
        rested = {lane["name"]: lane["rests"] for lane in info["lanes"]}
        assert rested[hot[0]] == "It is at 94 °C, and slows down at 95 °C."


async def test_a_first_card_that_rests_still_talks(tmp_path: Path) -> None:
    async with OllamaDouble() as double:
        config = settings(tmp_path, gpu=TWO, chat={"ollama_url": double.url})
        async with worker_here(config) as here:
            for lane in cards(here):
                assert lane.rest is not None
                lane.rest.hold("The driver is gone.", 300)
            assert (await here.api.done((await here.api.submit(chat()))["id"]))["state"] == "succeeded"


def test_which_cards_there_are(tmp_path: Path) -> None:
    def named(**gpu: object) -> dict[str, str]:
        return build.devices(settings(tmp_path, gpu={"device": "auto", **gpu}))

    assert named() == {"auto": "auto"}
    assert named(devices=[0, "cuda:1", "cpu"]) == {"cuda:0": "cuda:0", "cuda:1": "cuda:1", "cpu": "cpu"}
    assert named(devices=["cpu", "cpu"]) == {"cpu": "cpu", "cpu-2": "cpu"}
    assert named(devices="auto") == {"auto": "auto"}, "one card, or none"


def test_rests_grow_and_success_ends_them() -> None:
    now = [0.0]
    card = Rest("cuda:1", lambda: now[0])
    for _ in range(rest.TRIES - 1):
        card.failed("It died.")
    assert card.reason is None
    card.failed("It died.")
    assert (card.reason, card.until) == ("It died.", rest.FIRST_SECONDS)
    now[0] += rest.FIRST_SECONDS
    assert card.reason is None
    card.failed("It died.")
    assert card.until == now[0] + 2 * rest.FIRST_SECONDS
    now[0] += 500
    card.worked()
    card.failed("It died.")
    assert card.reason is None, "a success forgives"
