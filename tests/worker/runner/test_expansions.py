"""The first stage of a picture whose prompt a language model writes: asked once, stored before anything is drawn, and
no reason to draw nothing."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from core_lab import Here, Json, Process, chat, image, settings, until, worker_here
from PIL import Image

from doubles.chat_backend import Mind, SmallBackend
from doubles.ollama import OllamaDouble
from doubles.openai_server import OpenAIDouble
from otterbot_worker.api import build
from otterbot_worker.chat.backend import ChatBackend
from otterbot_worker.chat.records import BackendSettings
from otterbot_worker.runner.runner_common import worker_restarts
from otterbot_worker.schemas.new_jobs import NewResolvedJob

SAID = "an old otter in a cowboy hat, desert at sunset, watercolor"
FOUR = "\n".join(f"{number}. an otter in a cowboy hat, place {number}" for number in "1234")
PLAIN: Json = {"models": [{"name": "tiny", "prompt": "{{ .Prompt }}<think></think>"}]}


def expand(key: str = "key-00001", **fields: Any) -> Json:
    return image(key, **{"prompt": "otter, cowboy hat", "expand": True} | fields)


def asked(double: OllamaDouble) -> list[Json]:
    """The chats that were not only loads or looks at a template."""
    chats = [entry["body"] for entry in double.requests if entry["path"] == "/api/chat"]
    return [body for body in chats if body["messages"] and not body.get("_debug_render_only")]


@asynccontextmanager
async def with_ollama(folder: Path, *rules: Json, **chats: Any) -> AsyncIterator[tuple[Here, OllamaDouble]]:
    async with OllamaDouble(PLAIN | {"rules": list(rules)}) as double:
        section = {"ollama_url": double.url, **chats}
        async with worker_here(settings(folder, chat=section)) as here:
            yield here, double


@asynccontextmanager
async def with_backend(folder: Path, backend: ChatBackend, **chats: Any) -> AsyncIterator[Here]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "open_backend", lambda *_, **__: backend)
        async with worker_here(settings(folder, chat=chats)) as here:
            yield here


def small(mind: Mind) -> SmallBackend:
    return SmallBackend(mind, BackendSettings(text_interval=0.0))


def used(job: Json) -> list[Json]:
    return [picture["result"]["record"]["used"] for picture in job["pictures"]]


def notes(job: Json) -> list[str]:
    return [note for picture in job["pictures"] for note in picture["result"]["notes"]]


# ---------------------------------------------------------------- what comes


async def test_the_picture_is_drawn_from_what_the_model_wrote(tmp_path: Path) -> None:
    async with with_ollama(tmp_path, {"when": "otter, cowboy hat", "answer": SAID}) as (here, double):
        job = await here.api.done(
            (await here.api.submit(expand(prompt="otter, (cowboy hat)++ <lora:penguin:0.5>")))["id"]
        )
        [body] = asked(double)
        assert body["messages"][-1] == {"role": "user", "content": "otter, cowboy hat"}
        assert (body["options"]["seed"], body["options"]["num_predict"]) == (7, 300)
        [was] = used(job)
        whole = "an old otter in a (cowboy hat)++, desert at sunset, watercolor <lora:penguin:0.5>"
        assert was["prompt"] == whole
        assert was["expansion"] == {"prompt": "otter, (cowboy hat)++ <lora:penguin:0.5>", "model": "tiny:latest"}
        assert [lora["name"] for lora in was["loras"]] == ["penguin"]
        resolved = job["resolved"]
        assert (resolved["expand"], resolved["expansion"]["prompts"]) == (False, [whole])
        assert notes(job) == []
        [path] = (tmp_path / "archive").rglob("otter_*.png")
        with Image.open(path) as picture:
            assert picture.info["parameters"].startswith(whole + "\n")
        sidecar = yaml.safe_load(path.with_suffix(".yml").read_text())
        assert sidecar["prompt"] == whole
        assert (sidecar["expanded_from"], sidecar["expanded_by"]) == (was["expansion"]["prompt"], "tiny:latest")


async def test_four_pictures_have_four_prompts_of_one_answer(tmp_path: Path) -> None:
    async with with_ollama(tmp_path, {"when": "otter, cowboy hat", "answer": FOUR}) as (here, double):
        job = await here.api.done((await here.api.submit(expand(count=4)))["id"])
        assert [one["prompt"] for one in used(job)] == [
            f"an otter in a cowboy hat, place {number}" for number in "1234"
        ]
        assert [one["seed"] for one in used(job)] == [7, 8, 9, 10]
        assert len(asked(double)) == 1
        assert notes(job) == []


async def test_fewer_are_used_again_which_is_said(tmp_path: Path) -> None:
    async with with_ollama(tmp_path, {"when": "otter", "answer": "otter, cowboy hat, a\notter, cowboy hat, b"}) as (
        here,
        _,
    ):
        job = await here.api.done((await here.api.submit(expand(count=3)))["id"])
        assert [one["prompt"][-1] for one in used(job)] == ["a", "b", "a"]
        assert set(notes(job)) == {"The chat model wrote 2 prompts for 3 pictures, so some have the same."}
        one = await here.api.done((await here.api.submit(expand("key-00002", prompt="otter", count=1)))["id"])
        assert notes(one) == []


async def test_pictures_that_differ_get_words_for_each_prompt_once(tmp_path: Path) -> None:
    fox = {"when": "fox", "answer": "a red fox, in the snow"}
    bear = {"when": "bear", "answer": ""}
    async with with_ollama(tmp_path, {"when": "otter, cowboy hat", "answer": SAID}, fox, bear) as (here, double):
        told = (await here.api.submit(expand(prompt="otter, cowboy hat", steps=1)))["resolved"]
        told |= {"expand": True, "expansion": None, "notes": []}
        each = [{}, {"guidance_scale": 3.0}, {"prompt": "fox"}, {"prompt": "fox", "expand": False}, {"prompt": "bear"}]
        body = {**image("key-each-1"), "kind": "resolved", "request": {**told, "each": each}}
        before = len(asked(double))
        job = await here.api.done((await here.api.submit(body))["id"])
        assert [one["prompt"] for one in used(job)] == [SAID, SAID, "a red fox, in the snow", "fox", "bear"]
        assert [(one["expansion"] or {}).get("prompt") for one in used(job)] == [
            "otter, cowboy hat", "otter, cowboy hat", "fox", None, None,
        ]  # fmt: skip
        assert len(asked(double)) - before <= 4
        said = [picture["result"]["notes"] for picture in job["pictures"]]
        assert [len(one) for one in said] == [0, 0, 0, 0, 1]
        assert "was not expanded" in said[4][0]


async def test_the_room_may_want_it_and_the_person_not(tmp_path: Path) -> None:
    room = [{"layer": "room", "expand": True}, {"layer": "instance", "expand": False}]
    async with with_ollama(tmp_path, {"when": "otter", "answer": SAID}) as (here, double):
        job = await here.api.done((await here.api.submit(image("key-00001", prompt="otter", layers=room)))["id"])
        assert used(job)[0]["prompt"] == SAID
        job = await here.api.done((await here.api.submit(image("key-00002", layers=room, expand=False)))["id"])
        assert (used(job)[0]["prompt"], used(job)[0]["expansion"]) == ("otter", None)
        assert len(asked(double)) == 1


async def test_a_real_small_model_keeps_the_words(tmp_path: Path) -> None:
    section = {"backend": "builtin", "options": {"num_ctx": 1024}}
    async with worker_here(settings(tmp_path, chat=section)) as here:
        job = await here.api.done((await here.api.submit(expand(prompt="otter, (cowboy hat:1.3)", count=2)))["id"])
        assert job["state"] == "succeeded"
        for one in used(job):
            assert "otter" in one["prompt"]
            assert "(cowboy hat:1.3)" in one["prompt"]
        if (expansion := job["resolved"]["expansion"]) is not None:
            assert expansion["model"] == "SmolLM2-135M"
        else:
            assert "was not expanded" in notes(job)[0]


# ---------------------------------------------------------------- it goes wrong, and the picture comes


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ({"ending": "silence"}, "the chat model took too long."),
        ({"answer": ""}, "The chat model gave an empty answer."),
        ({"answer": "*** ((("}, "the chat model gave nothing that could be added to it."),
        ({"answer": "I'm sorry, I cannot help with that."}, "the chat model gave nothing that could be added to it."),
        ({"answer": "", "ending": "killed"}, "The chat model broke off before it said anything."),
    ],
)
async def test_a_model_that_fails_takes_no_picture_away(tmp_path: Path, rule: Json, why: str) -> None:
    async with with_ollama(tmp_path, {"when": "otter", **rule}, prompt_timeout=0.5) as (here, _):
        job = await here.api.done((await here.api.submit(expand(count=2)))["id"])
        assert job["state"] == "succeeded"
        assert [one["prompt"] for one in used(job)] == ["otter, cowboy hat"] * 2
        assert notes(job)[0].startswith(f"The prompt was not expanded: {why}")
        assert (job["resolved"]["expand"], job["resolved"]["expansion"]) == (False, None), "not tried again"


async def test_without_any_chat_the_picture_comes(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        _, info = await here.api.call("GET", "/v1/info")
        assert "expand" not in info["features"]
        job = await here.api.done((await here.api.submit(expand()))["id"])
        assert notes(job) == ["The prompt was not expanded: Chat is switched off on this worker."]


async def test_a_model_of_the_clouds_is_not_asked(tmp_path: Path) -> None:
    async with OllamaDouble({"models": [{"name": "big:120b-cloud", "remote": True}]}) as double:
        section = {"ollama_url": double.url, "default_model": "big:120b-cloud"}
        async with worker_here(settings(tmp_path, chat=section)) as here:
            job = await here.api.done((await here.api.submit(expand()))["id"])
            assert "keeps chats at home" in notes(job)[0]
            assert asked(double) == []


async def test_a_server_that_takes_no_seed_is_asked_without(tmp_path: Path) -> None:
    async with OpenAIDouble(refuses=("seed",), fits=2_000) as double:
        double.rules = [{"when": "otter", "answer": SAID}]
        async with worker_here(
            settings(tmp_path, chat={"backend": "openai", "url": double.url, "ollama_url": None})
        ) as here:
            job = await here.api.done((await here.api.submit(expand(seed=2**32 - 1)))["id"])
            assert used(job)[0]["prompt"] == SAID
            assert notes(job) == []
            first, second = (one["body"] for one in double.chats)
            assert (first["seed"], "seed" in second) == (2**31 - 1, False)
            assert first["max_tokens"] == 300


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"prompt": '("otter", "hat").and()'}, "an .and() or .blend() takes the whole prompt."),
        ({"prompt": ", ".join(["otter in a hat"] * 30)}, "it is as long as the model reads well."),
        ({"prompt": "<lora:penguin:1>"}, "there are no words in it."),
    ],
)
async def test_what_cannot_be_expanded_is_said_at_once(tmp_path: Path, fields: Json, why: str) -> None:
    async with with_ollama(tmp_path, {"answer": SAID}) as (here, double):
        job = await here.api.submit(expand(**fields))
        assert job["resolved"]["notes"] == [f"The prompt was not expanded: {why}"]
        await here.api.done(job["id"])
        assert asked(double) == []


# ---------------------------------------------------------------- while it goes on


async def test_it_waits_runs_and_waits_again(tmp_path: Path) -> None:
    """Beside what is drawn: it is a row as any other, with a phase of its own."""
    mind = Mind(rules=[{"when": "otter", "answer": SAID, "pause": 0.05}], fits=5_000)
    async with with_backend(tmp_path, small(mind)) as here:
        slow = await here.api.submit(image("key-00001", prompt="slow", steps=60))
        await here.api.running(slow["id"])
        job = await here.api.submit(expand("key-00002", count=2))
        writing = await here.api.until(job["id"], lambda now: bool(now["pictures"][0]["progress"]))
        assert (writing["state"], writing["pictures"][0]["progress"]["phase"]) == ("running", "writing")
        assert writing["pictures"][1]["state"] == "queued"
        waiting = await here.api.until(job["id"], lambda now: now["resolved"]["expansion"] is not None)
        assert waiting["state"] == "queued"
        assert (await here.api.job(slow["id"]))["state"] == "running", "it went on meanwhile"
        done = await here.api.done(job["id"])
        assert [one["prompt"] for one in used(done)] == [SAID] * 2
        assert len(mind.heard) == 1


async def test_it_can_be_cancelled_and_the_server_is_left(tmp_path: Path) -> None:
    mind = Mind(rules=[{"when": "otter", "answer": SAID, "pause": 30.0}], fits=5_000)
    async with with_backend(tmp_path, small(mind)) as here:
        job = await here.api.submit(expand(count=3))
        await until(lambda: mind.running == 1)
        _, gone = await here.api.call("DELETE", f"/v1/jobs/{job['id']}")
        assert (gone["state"], {one["state"] for one in gone["pictures"]}) == ("cancelled", {"cancelled"})
        await until(lambda: mind.running == 0)
        other = await here.api.done((await here.api.submit(image("key-00002")))["id"])
        assert other["state"] == "succeeded"
        assert (await here.api.job(job["id"]))["state"] == "cancelled"


async def test_a_pause_stops_it_and_it_begins_anew(tmp_path: Path) -> None:
    mind = Mind(rules=[{"when": "otter", "answer": SAID, "pause": 30.0}], fits=5_000)
    async with with_backend(tmp_path, small(mind)) as here:
        job = await here.api.submit(expand())
        await until(lambda: mind.running == 1)
        await here.api.call("POST", "/v1/pause")
        await here.api.until(job["id"], lambda now: now["state"] == "queued")
        await until(lambda: mind.running == 0)
        mind.rules[0]["pause"] = 0.0
        await here.api.call("POST", "/v1/resume")
        done = await here.api.done(job["id"])
        assert used(done)[0]["prompt"] == SAID
        assert len(mind.heard) == 2


async def test_the_model_has_the_card_first_and_leaves_it(tmp_path: Path) -> None:
    (tmp_path / "cuda").touch()
    async with with_ollama(tmp_path, {"when": "otter", "answer": SAID}) as (here, double):
        await here.api.done((await here.api.submit(image("key-00001")))["id"])
        job = await here.api.done((await here.api.submit(expand("key-00002")))["id"])
        assert used(job)[0]["prompt"] == SAID
        assert (tmp_path / "released").exists(), "the image model left"
        assert double.memory.rows() == [], "and the language model did, before the picture"


async def test_prompts_wait_for_pictures_that_are_at_hand_and_come_one_after_another(tmp_path: Path) -> None:
    """Where both need the card: one change of models for two prompts."""
    (tmp_path / "cuda").touch()
    rule = {"when": "otter", "answer": SAID}
    async with OllamaDouble(PLAIN | {"rules": [rule]}) as double:
        section = {"ollama_url": double.url}
        async with worker_here(settings(tmp_path, chat=section), paused=True) as here:
            jobs = [
                await here.api.submit(expand("key-00001", owner="@ann:here")),
                await here.api.submit(expand("key-00002", owner="@bo:here")),
            ]
            assert [job["place"] for job in jobs] == [0, 1]
            await here.api.call("POST", "/v1/resume")
            for job in jobs:
                await here.api.done(job["id"])
            unloads = [
                e
                for e in double.requests
                if e["path"] in ("/api/chat", "/api/generate") and e["body"].get("keep_alive") == 0
            ]
            assert len(unloads) == 1


async def test_chats_of_others_come_before_it(tmp_path: Path) -> None:
    mind = Mind(rules=[{"when": "otter", "answer": SAID}], fits=5_000)
    async with with_backend(tmp_path, small(mind)) as here:
        await here.parts.dispatcher.pause(None)
        job = await here.api.submit(expand())
        turn = await here.api.submit(chat("key-00002", text="hello"))
        await here.api.call("POST", "/v1/resume")
        await here.api.done(job["id"])
        assert (await here.api.job(turn["id"]))["state"] == "succeeded"
        assert [one[-1]["content"] for one in mind.heard] == ["hello", "otter, cowboy hat"]


# ---------------------------------------------------------------- the worker dies, or forgets


@pytest.fixture
def process(tmp_path: Path) -> Process:
    folder = tmp_path / "data"
    folder.mkdir()
    return Process(folder, OTTERBOT_CHAT__BACKEND="ollama")


async def test_what_is_written_is_never_written_again(process: Process) -> None:
    """Killed in the middle of the writing, and again once it is stored, before the picture is drawn."""
    async with OllamaDouble(PLAIN | {"rules": [{"when": "otter", "answer": SAID, "pause": 30.0}]}) as double:
        process._environment["OTTERBOT_CHAT__OLLAMA_URL"] = double.url
        async with process.running() as api:
            job = await api.submit(expand(count=2, steps=30))
            await until(lambda: len(asked(double)) == 1)
            await process.end(signal.SIGKILL)
        double.update({"rules": [{"when": "otter", "answer": SAID}]})
        async with process.running() as api:
            await api.until(job["id"], lambda now: now["resolved"]["expansion"] is not None)
            await process.end(signal.SIGKILL)
        double.update({"rules": [{"when": "otter", "answer": "otter, cowboy hat, something else"}]})
        async with process.running() as api:
            done = await api.done(job["id"])
        assert done["state"] == "succeeded"
        assert [one["prompt"] for one in used(done)] == [SAID] * 2
        assert len(asked(double)) == 2


async def test_after_two_ends_in_the_middle_it_is_not_tried_again(tmp_path: Path) -> None:
    """And however often the worker ends then, the pictures are drawn."""
    mind = Mind(rules=[{"when": "otter", "answer": SAID}], fits=5_000)
    async with with_backend(tmp_path, small(mind)) as here:
        await here.parts.dispatcher.pause(None)
        job = await here.api.submit(expand(count=2))
        database = here.parts.store._db
        await database.write("UPDATE rows SET state = 'running', attempt = 1, worker_deaths = 4 WHERE kind = 'prompt'")
        [death] = await here.parts.store.worker_restarted(worker_restarts(), 0.0)
        assert not death.final
        await here.api.call("POST", "/v1/resume")
        done = await here.api.done(job["id"])
        assert done["state"] == "succeeded"
        assert notes(done)[0] == "The prompt was not expanded: the worker ended twice in the middle of it."
        assert mind.heard == []


async def test_what_a_worker_forgot_is_drawn_from_the_same_prompts(tmp_path: Path) -> None:
    async with with_ollama(tmp_path / "a", {"when": "otter", "answer": FOUR}) as (here, _):
        before = await here.api.done((await here.api.submit(expand(count=2)))["id"])
    async with with_ollama(tmp_path / "b", {"when": "otter", "answer": "otter, cowboy hat, anew"}) as (here, double):
        again = {"key": "key-00001", "kind": "resolved", "owner": "@ann:here", "room": "!room:here"}
        job = await here.api.done((await here.api.submit(again | {"request": before["resolved"]}))["id"])
        assert [one["prompt"] for one in used(job)] == [one["prompt"] for one in used(before)]
        assert used(job)[0]["expansion"] == used(before)[0]["expansion"]
        assert asked(double) == []
        waiting = before["resolved"] | {"expand": True, "expansion": None}
        NewResolvedJob.model_validate_json(
            NewResolvedJob.model_validate(again | {"request": waiting}).model_dump_json()
        )
        job = await here.api.done((await here.api.submit(again | {"key": "key-00002", "request": waiting}))["id"])
        assert used(job)[0]["prompt"] == "otter, cowboy hat, anew", "it was not written yet"


async def test_the_record_of_an_earlier_expansion_stays_with_its_prompt(tmp_path: Path) -> None:
    """As `!again` sends it: nothing is written anew, and what it was asked with is known."""
    before = {"prompt": "otter, cowboy hat", "model": "tiny:latest"}
    async with with_ollama(tmp_path, {"answer": "no"}) as (here, double):
        job = await here.api.done((await here.api.submit(image(prompt=SAID, expansion=before)))["id"])
        assert (used(job)[0]["prompt"], used(job)[0]["expansion"]) == (SAID, before)
        assert asked(double) == []


async def test_nothing_that_was_said_stays_of_what_is_forgotten(tmp_path: Path) -> None:
    section = {"keep_alive_seconds": 1}
    async with with_ollama(tmp_path, {"when": "otter", "answer": SAID}, **section) as (here, _):
        job = await here.api.done((await here.api.submit(expand(private=True)))["id"])
        await here.api.call("DELETE", f"/v1/images/{job['pictures'][0]['result']['image_id']}")
        store = here.parts.store
        await store.forget(job["created_at"] + 7_200, private_requests=True)
        rows = [tuple(row) for row in await store._db.fetch("SELECT request FROM jobs")]
        rows += [tuple(row) for row in await store._db.fetch("SELECT result FROM rows")]
        assert "cowboy" not in str(rows)
        assert "desert" not in str(rows)
