"""Pictures that are described through the whole worker: by a chat model that sees, else by the captioner; and pictures
in conversations. The GPU process is the double."""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from core_lab import Here, Json, chat, image, settings, worker_here
from PIL import Image
from sent_pictures import encoded, send, sha

from doubles.ollama import OllamaDouble
from doubles.openai_server import OpenAIDouble

PLAIN = {"name": "tiny", "prompt": "{{ .Prompt }}<think></think>"}
LLAVA = {"name": "llava:7b", "capabilities": ["completion", "vision"], "prompt": "{{ .Prompt }}<think></think>"}
SAID = "ALT: An otter.\n1: otter, hat\n2: otter --steps 99, @room\n3: otter, oil"
RULE = {"when": "Answer with exactly four lines", "answer": SAID}
PICTURE = encoded(Image.linear_gradient("L").resize((2000, 1000)).convert("RGB"))


def describe(key: str = "key-describe", picture: bytes = PICTURE, **fields: Any) -> Json:
    job = {"key": key, "kind": "describe", "owner": "@ann:here", "room": "!room:here", **fields}
    return {**job, "request": {"picture": {"id": sha(picture)}}}


def captioner(folder: Path) -> None:
    """As much of one as makes the worker believe that it is there."""
    place = folder / "captioner"
    place.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "processor_config.json", "tokenizer.json", "model.safetensors"):
        (place / name).write_text("{}")


@asynccontextmanager
async def with_models(folder: Path, *models: Json, **sections: Json) -> AsyncIterator[tuple[Here, OllamaDouble]]:
    async with OllamaDouble({"models": list(models), "rules": [RULE]}) as double:
        sections = {"images": {"downloads": False}, **sections, "chat": {"ollama_url": double.url}}
        async with worker_here(settings(folder, **sections)) as here:
            assert (await send(here.api, PICTURE))[0] == 201
            yield here, double


def shown(double: OllamaDouble) -> list[str]:
    """Every picture that the server was sent."""
    bodies = [entry["body"] for entry in double.requests if entry["path"] == "/api/chat"]
    return [image for body in bodies for message in body.get("messages", []) for image in message.get("images", [])]


async def test_a_model_that_sees_describes(tmp_path: Path) -> None:
    async with with_models(tmp_path, PLAIN, LLAVA) as (here, double):
        done = await here.api.done((await here.api.submit(describe()))["id"])
        result = done["description"]["result"]
        assert result["alt"] == "An otter."
        assert result["prompts"] == ["otter, hat", "otter steps 99, room", "otter, oil"]
        assert result["model"] == "llava:7b", "though another one is the default"
        assert (done["turn"], done["pictures"]) == (None, [])
        [image] = shown(double)
        assert base64.b64decode(image).startswith(b"\xff\xd8\xff")
        listed = (await here.api.call("GET", "/v1/models"))[1]["models"]
        assert {one["name"]: one["sees_pictures"] for one in listed if one["kind"] == "chat"} == {
            "tiny:latest": False,
            "llava:7b": True,
        }


async def test_without_one_the_captioner_does(tmp_path: Path) -> None:
    captioner(tmp_path)
    async with with_models(tmp_path, PLAIN) as (here, double):
        done = await here.api.done((await here.api.submit(describe()))["id"])
        result = done["description"]["result"]
        assert result["model"] == "captioner"
        assert result["alt"].startswith("an otter in a hat, of ")
        assert result["prompts"][2] == "an otter in a hat stands on a meadow"
        assert not shown(double)


async def test_with_neither_it_is_refused_with_what_to_install(tmp_path: Path) -> None:
    async with with_models(tmp_path, PLAIN) as (here, _):
        status, problem = await here.api.call("POST", "/v1/jobs", describe())
        assert (status, problem["code"]) == (422, "cannot_describe")
        assert "such as llava:7b" in problem["detail"]
        assert "Florence-2" in problem["detail"]


async def test_what_fails_to_see_leaves_it_to_the_captioner(tmp_path: Path) -> None:
    captioner(tmp_path)
    async with with_models(tmp_path, LLAVA) as (here, double):
        double.rules[:] = [RULE | {"answer": "…"}]
        done = await here.api.done((await here.api.submit(describe()))["id"])
        assert done["description"]["result"]["model"] == "captioner"
        assert done["description"]["result"]["notes"] == ["llava:7b could not describe it, so the captioner did."]


async def test_what_says_nothing_fails_with_a_sentence(tmp_path: Path) -> None:
    captioner(tmp_path)
    (tmp_path / "dumb-captioner").touch()
    async with with_models(tmp_path, PLAIN) as (here, _):
        done = await here.api.done((await here.api.submit(describe()))["id"])
        assert done["description"]["error"]["code"] == "describe_failed"


@pytest.mark.parametrize("sees", [True, False])
async def test_a_server_of_which_nobody_knows_is_tried(tmp_path: Path, sees: bool) -> None:
    captioner(tmp_path)
    async with OpenAIDouble(sees=sees, fits=10_000) as double:
        double.rules.append(RULE)
        sections = {"chat": {"backend": "openai", "url": double.url, "ollama_url": None}}
        async with worker_here(settings(tmp_path, **sections)) as here:
            await send(here.api, PICTURE)
            for number in range(2):
                done = await here.api.done((await here.api.submit(describe(f"key-describe-{number}")))["id"])
                assert done["description"]["result"]["model"] == ("tiny" if sees else "captioner")
            assert len(double.chats) == (2 if sees else 1), "what it refused is remembered"


async def test_it_is_cancelled_in_the_middle(tmp_path: Path) -> None:
    captioner(tmp_path)
    (tmp_path / "slow-captioner").touch()
    async with with_models(tmp_path, PLAIN) as (here, _):
        job = await here.api.submit(describe())
        await here.api.until(job["id"], lambda now: (now["description"]["progress"] or {}).get("phase") == "describing")
        await here.api.call("DELETE", f"/v1/jobs/{job['id']}")
        assert (await here.api.done(job["id"]))["state"] == "cancelled"
        (tmp_path / "slow-captioner").unlink()
        done = await here.api.done((await here.api.submit(describe("key-describe-2")))["id"])
        assert done["state"] == "succeeded", "the process goes on"


async def test_words_and_picture_are_forgotten(tmp_path: Path) -> None:
    async with with_models(tmp_path, LLAVA) as (here, _):
        done = await here.api.done((await here.api.submit(describe(private=True)))["id"])
        await here.parts.store.forget(done["created_at"] + 7_200)
        now = await here.api.job(done["id"])
        assert now["description"]["result"]["alt"] == ""
        assert now["description"]["result"]["prompts"] == []
    with sqlite3.connect(tmp_path / "jobs.sqlite") as database:
        [(request, content)] = database.execute("SELECT request, content FROM jobs").fetchall()
    assert json.loads(request)["pictures"] == []
    assert content is None


async def test_a_picture_stays_as_long_as_somebody_waits_for_it(tmp_path: Path) -> None:
    async with with_models(tmp_path, LLAVA) as (here, _):
        await here.parts.dispatcher.pause(None)
        job = await here.api.submit(describe())
        assert await here.parts.inputs.prune(job["created_at"] + 30 * 86_400) == 0
        await here.parts.dispatcher.resume()
        assert (await here.api.done(job["id"]))["state"] == "succeeded"
        assert await here.parts.inputs.prune(job["created_at"] + 30 * 86_400) == 1
        status, problem = await here.api.call("POST", "/v1/jobs", describe("key-describe-2"))
        assert (status, problem["code"]) == (422, "input_gone")


# ---------------------------------------------------------------- pictures of ours


async def test_a_picture_says_what_it_shows_where_that_is_asked_for(tmp_path: Path) -> None:
    captioner(tmp_path)
    sections = {"archive": {"encrypted_rooms": "until_delivered"}, "images": {"downloads": False}}
    async with worker_here(settings(tmp_path, **sections)) as here:
        done = await here.api.done((await here.api.submit(image(describe=True, private=True)))["id"])
        result = done["pictures"][0]["result"]
        assert result["alt"] == "an otter, room steps 9"
        assert done["resolved"]["describe"] is True
        plain = await here.api.done((await here.api.submit(image("key-00002")))["id"])
        assert plain["pictures"][0]["result"]["alt"] is None
        await here.api.call("POST", f"/v1/images/{result['image_id']}/delivered")
        now = await here.api.job(done["id"])
        assert now["pictures"][0]["result"]["alt"] is None, "gone with the other words of an encrypted room"
        again = {**image("key-00003"), "kind": "resolved", "request": done["resolved"]}
        assert (await here.api.done((await here.api.submit(again))["id"]))["pictures"][0]["result"]["alt"]


# ---------------------------------------------------------------- conversations


def asking(text: str, *pictures: bytes, key: str = "key-chat-1", model: str | None = None) -> Json:
    body = chat(key)
    body["request"]["messages"] = [{"role": "user", "content": text, "pictures": [sha(one) for one in pictures]}]
    return {**body, "request": {**body["request"], **({"model": model} if model else {})}}


async def test_a_conversation_shows_its_pictures(tmp_path: Path) -> None:
    async with with_models(tmp_path, LLAVA, PLAIN) as (here, double):
        done = await here.api.done((await here.api.submit(asking("what is this?", PICTURE)))["id"])
        assert done["turn"]["result"]["notes"] == []
        [image] = shown(double)
        assert base64.b64decode(image).startswith(b"\xff\xd8\xff")
        assert "pictures" not in done["request"]
        blind = await here.api.done(
            (await here.api.submit(asking("and this?", PICTURE, key="key-chat-2", model="tiny")))["id"]
        )
        assert "llava:7b does" in blind["turn"]["result"]["notes"][0]
        only = await here.api.done((await here.api.submit(asking("", PICTURE, key="key-chat-3", model="tiny")))["id"])
        assert only["turn"]["error"]["code"] == "chat_blind"


async def test_the_newest_eight_are_shown(tmp_path: Path) -> None:
    async with with_models(tmp_path, LLAVA | {"context": 32_768}, chat={}) as (here, _):
        others = [encoded(Image.new("RGB", (32, 32), (number, 0, 0))) for number in range(4)]
        for one in others:
            await send(here.api, one)
        body = asking("newest", *others)
        earlier = {"role": "user", "content": "before", "pictures": [sha(PICTURE)] * 4}
        body["request"]["messages"] = [{**earlier, "content": "oldest"}, earlier, *body["request"]["messages"]]
        body["request"]["messages"][0]["pictures"] = [sha(PICTURE)]
        done = await here.api.done((await here.api.submit(body))["id"])
        assert done["state"] == "succeeded"
        job = await here.parts.store.job(done["id"])
        assert job is not None
        assert job.content is not None
        assert [len(one.pictures) for one in job.content] == [0, 4, 4]


@pytest.mark.parametrize("case", ["five", "no id", "gone"])
async def test_bad_pictures_of_a_conversation_are_refused(tmp_path: Path, case: str) -> None:
    async with with_models(tmp_path, LLAVA) as (here, _):
        body = asking("what is this?", PICTURE)
        pictures = {"five": [sha(PICTURE)] * 5, "no id": ["../../etc/passwd"], "gone": ["0" * 64]}[case]
        body["request"]["messages"][0]["pictures"] = pictures
        status, problem = await here.api.call("POST", "/v1/jobs", body)
        assert status == 422
        assert problem["code"] == ("input_gone" if case == "gone" else "invalid_request")
        assert "passwd" not in json.dumps(problem)


async def test_descriptions_run_beside_a_picture_where_no_card_is_needed(tmp_path: Path) -> None:
    async with OpenAIDouble(sees=True, fits=10_000) as double:
        double.rules.append(RULE)
        sections = {"chat": {"backend": "openai", "url": double.url, "ollama_url": None}}
        async with worker_here(settings(tmp_path, **sections)) as here:
            await send(here.api, PICTURE)
            drawing = await here.api.submit(
                {
                    "key": "key-drawing",
                    "kind": "image",
                    "owner": "@bo:here",
                    "room": "!room:here",
                    "request": {"prompt": "slow otter", "seed": 1, "steps": 100},
                }
            )
            await here.api.running(drawing["id"])
            done = await here.api.done((await here.api.submit(describe()))["id"])
            assert done["state"] == "succeeded"
            assert (await here.api.job(drawing["id"]))["state"] == "running"
            await here.api.call("DELETE", f"/v1/jobs/{drawing['id']}")
