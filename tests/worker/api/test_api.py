"""The HTTP API's manners: tokens, problems, idempotency, limits, and what never stands in an answer or a log."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from core_lab import Json, chat, client, image, settings, worker_here

from otterbot_worker.api import openapi
from otterbot_worker.api.app import OPERATIONS
from otterbot_worker.logs import JsonFormatter, TextFormatter

REPOSITORY = Path(__file__).resolve().parents[3]
CANARY = "canary5f1e"


async def test_every_route_but_one_needs_a_token(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        for token in ("", "wrong-token-0123456789", "ä"):
            async with client(here.api.address, token) as stranger:
                for operation in OPERATIONS:
                    path = operation.path.replace("{id:[0-9a-f]+}", "0").replace("{id}", "0")
                    status, answer = await stranger.call(operation.method, path)
                    assert status == (200 if path == "/healthz" else 401), path
                    assert path == "/healthz" or answer["code"] in ("unauthorized", "too_many_wrong_tokens")
                status, _ = await stranger.call("GET", "/nowhere")
                assert status == 401, "not even whether a path exists"


async def test_a_client_sees_only_its_own(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        job = await here.api.submit(image())
        for method in ("GET", "DELETE"):
            status, problem = await here.other.call(method, f"/v1/jobs/{job['id']}")
            assert (status, problem["code"]) == (404, "not_found")
        assert (await here.other.call("GET", "/v1/jobs"))[1]["jobs"] == []
        assert (await here.other.call("GET", "/v1/jobs?key=key-00001"))[1]["jobs"] == []
        theirs = await here.other.submit(image())
        assert theirs["id"] != job["id"], "keys are each client's own"
        listed = (await here.api.call("GET", "/v1/jobs?room=!room:here&state=open"))[1]
        assert [found["id"] for found in listed["jobs"]] == [job["id"]]
        assert listed["elsewhere"] == 1


async def test_a_request_can_be_checked_without_being_made(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        asked = image(width=130, height=128, steps=7)["request"]
        status, found = await here.api.call("POST", "/v1/requests/check", asked)
        assert (status, found["width"], found["height"], found["steps"]) == (200, 128, 128, 7)
        assert "rounded" in found["notes"][0]
        made = await here.api.submit(image(width=130, height=128, steps=7))
        assert found == made["resolved"]
        assert len((await here.api.call("GET", "/v1/jobs"))[1]["jobs"]) == 1, "checking makes no job"
        for wrong, code in (
            ({"width": 4000}, "invalid_request"),
            ({"model": "nobody"}, "unknown_model"),
            ({"init_image": {"id": "a" * 64}}, "input_gone"),
            ({"no_such": 1}, "invalid_request"),
        ):
            status, problem = await here.api.call("POST", "/v1/requests/check", {**asked, **wrong})
            assert (status, problem["code"]) == (422, code)


SAME: dict[str, Json] = {
    "again": image(),
    "with a default spelled out": image(count=1, negative_prompt=None),
}
OTHER: dict[str, Json] = {
    "another prompt": image(prompt="beaver"),
    "another seed": image(seed=8),
    "another room": image(room="!other:here"),
    "private": image(private=True),
    "another kind": chat(),
}


@pytest.mark.parametrize("case", SAME)
async def test_the_same_key_and_body_is_the_same_job(tmp_path: Path, case: str) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        status, job = await here.api.call("POST", "/v1/jobs", image())
        assert status == 202
        status, again = await here.api.call("POST", "/v1/jobs", SAME[case])
        assert (status, again["id"]) == (200, job["id"])


@pytest.mark.parametrize("case", OTHER)
async def test_the_same_key_with_another_body_is_refused(tmp_path: Path, case: str) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        await here.api.submit(image())
        status, problem = await here.api.call("POST", "/v1/jobs", OTHER[case])
        assert (status, problem["code"]) == (409, "key_reused")


def _without(body: Json, field: str) -> Json:
    del body["request"][field]
    return body


BAD: dict[str, tuple[Any, str, str]] = {
    "an unknown field": (image(cfg_scale=CANARY), "request.cfg_scale", "does not know"),
    "an unknown field outside": ({**image(), "colour": CANARY}, "colour", "does not know"),
    "an unknown field that is called as a kind": ({**image(), "image": 1}, "image", "does not know"),
    "no seed": (_without(image(), "seed"), "request.seed", "needed"),
    "a seed too large": (image(seed=2**32), "request.seed", "at most 4294967295"),
    "steps as words": (image(steps=CANARY), "request.steps", "whole number"),
    "a number as text": (image(steps="2"), "request.steps", "whole number"),
    "a yes for a number": (image(count=True), "request.count", "whole number"),
    "a word for a yes": (image(private="yes"), "private", "true or false"),
    "too many steps": (image(steps=201), "request.steps", "at most 200"),
    "more steps than the model takes": (image(steps=160), "request.steps", "at most 100"),
    "too large": (image(width=1024), "request.width", "from 96 to 192"),
    "too small": (image(width=128, height=95), "request.height", "multiples of 8"),
    "a shape that is none": (image(aspect=CANARY[:16]), "request.aspect", "such as 3:2"),
    "a shape of half the world": (image(aspect="1:99"), "request.aspect", "from 1:4 to 4:1"),
    "a shape of nothing": (image(aspect="0:0"), "request.aspect", "such as 3:2"),
    "a shape without end": (image(aspect="1:" + "1" * 90_000), "request.aspect", "16 characters"),
    "a shape that is a number": (image(aspect=1.5), "request.aspect", "text"),
    "a shape and a size": (image(aspect="3:2", width=128, height=128), "request.aspect", "one or the other"),
    "a shape and a height": (image(aspect="square", height=128), "request.aspect", "one or the other"),
    "an unknown model": (image(model=CANARY), "request.model", "otter-mini"),
    "an unknown sampler": (image(sampler=CANARY), "request.sampler", "UniPC"),
    "too many pictures": (image(count=9), "request.count", "at most 8"),
    "an empty prompt": (image(prompt=" "), "request.prompt", "what to draw"),
    "a long prompt": (image(prompt=CANARY * 6_000), "request.prompt", "4000 characters"),
    "infinite cfg": (image(guidance_scale=1e999), "request.guidance_scale", ""),
    "a bad key": (image(CANARY + " " * 9), "key", "form"),
    "no kind": ({**image(), "kind": CANARY}, "kind", "image, resolved or chat"),
    "no object": ([CANARY], "body", ""),
    "a chat that ends with the model": (
        {**chat(), "request": {"messages": [{"role": "assistant", "content": CANARY}]}},
        "request.messages",
        "user",
    ),
    "a role that nobody has": (
        {**chat(), "request": {"messages": [{"role": CANARY, "content": ""}]}},
        "request.messages.0.role",
        "'user'",
    ),
}


@pytest.mark.parametrize("case", BAD)
async def test_bad_requests_name_the_field_and_not_the_value(tmp_path: Path, case: str) -> None:
    body, field, words = BAD[case]
    async with worker_here(settings(tmp_path), paused=True) as here:
        status, problem = await here.api.call("POST", "/v1/jobs", body)
        assert status == 422, problem
        assert problem["code"] == ("unknown_model" if case == "an unknown model" else "invalid_request")
        assert field in [found["field"] for found in problem["fields"]]
        assert words in " ".join(found["message"] for found in problem["fields"])
        assert CANARY not in json.dumps(problem)
        assert (await here.api.call("GET", "/v1/jobs"))[1]["jobs"] == []


async def test_all_bad_fields_are_named_at_once(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        _, problem = await here.api.call("POST", "/v1/jobs", image(steps=160, width=1000, sampler="x"))
        assert [found["field"] for found in problem["fields"]] == ["request.sampler", "request.steps", "request.width"]


RAW = {
    "no JSON": (b"{" + CANARY.encode(), "application/json", 422),
    "half a character": (b'{"key": "\\ud800' + CANARY.encode() + b'"}', "application/json", 422),
    "deep": (b"[" * 100_000, "application/json", 422),
    "a form": (b"key=" + CANARY.encode(), "application/x-www-form-urlencoded", 415),
    "60 KB of prompt": (json.dumps(image(prompt="x" * 60_000)).encode(), "application/json", 422),
    "more than is read": (b" " * 1_100_000, "application/json", 413),
}


@pytest.mark.parametrize("case", RAW)
async def test_raw_bodies(tmp_path: Path, case: str) -> None:
    data, content_type, expected = RAW[case]
    async with worker_here(settings(tmp_path), paused=True) as here:
        sent = {"data": io.BytesIO(data), "headers": {"Content-Type": content_type}}
        status, problem = await here.api.call("POST", "/v1/jobs", **sent)
        assert status == expected, problem
        assert problem["status"] == expected
        assert CANARY not in json.dumps(problem)
        assert (await here.api.call("GET", "/healthz"))[0] == 200


async def test_full_queues(tmp_path: Path) -> None:
    config = settings(tmp_path, queue={"max_open": 6, "max_open_per_owner": 4})
    async with worker_here(config, paused=True) as here:
        await here.api.submit(image("key-00001", count=3))
        status, problem = await here.api.call("POST", "/v1/jobs", image("key-00002", count=2))
        assert (status, problem["code"]) == (429, "owner_queue_full")
        await here.api.submit(image("key-00003", owner="@bob:here", count=3))
        status, problem = await here.api.call("POST", "/v1/jobs", image("key-00004", owner="@eve:here"))
        assert (status, problem["code"]) == (429, "queue_full")
        assert (await here.api.call("POST", "/v1/jobs", image("key-00001", count=3)))[0] == 200, "accepted is accepted"
        status, problem = await here.api.call("POST", "/v1/jobs", image("key-00005", owner="@fay:here", count=5))
        assert (status, problem["fields"][0]["details"]) == (422, {"most": 4}), "waiting would not help"


async def test_refusals_of_lists_and_paths(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        assert (await here.api.call("GET", "/v1/jobs?color=red"))[0] == 422
        assert (await here.api.call("GET", "/v1/jobs?state=done"))[0] == 422
        for path in ("/v1/jobs/0", "/v1/images/0", "/v1/images/0.yml", "/v1/images/..%2f..%2fjobs.sqlite", "/nowhere"):
            status, problem = await here.api.call("GET", path)
            assert (status, problem["code"]) == (404, "not_found"), path
        status, problem = await here.api.call("PUT", "/v1/jobs", {})
        assert (status, problem["code"]) == (405, "method_not_allowed")
        assert (await here.api.call("POST", "/v1/pause", {"minutes": -1}))[0] == 422


async def test_info_models_and_metrics(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        await here.api.submit(image(count=2))
        _, info = await here.api.call("GET", "/v1/info")
        assert info["queued"] == 2
        assert info["default_model"] == "otter-mini"
        assert "the small model that ships with Otterbot" in info["notice"]
        assert info["ollama"] == "off"
        assert "chat" not in info["features"]
        _, models = await here.api.call("GET", "/v1/models")
        by_name = {model["name"]: model for model in models["models"]}
        assert by_name["otter-mini"]["default"]
        assert by_name["ssd-1b"]["limits"]["size_multiple"] == 8
        assert "UniPC" in models["samplers"]
        _, text = await here.api.call("GET", "/metrics")
        assert b"otterbot_queued 2.0" in text
        assert b'otterbot_jobs_submitted_total{kind="image"} 1.0' in text
        assert b"@ann" not in text
        status, served = await here.api.call("GET", "/openapi.json")
        assert (status, served["openapi"]) == (200, "3.1.0")


def test_the_committed_document_is_current() -> None:
    committed = (REPOSITORY / "docs" / "openapi.json").read_text("utf-8")
    assert committed == openapi.text(OPERATIONS), "run: otterbot-worker openapi > docs/openapi.json"


def test_the_document_holds_together() -> None:
    document = openapi.document(OPERATIONS)
    names = set(document["components"]["schemas"])
    text = json.dumps(document)
    for reference in text.split('"$ref": "')[1:]:
        assert reference.split('"')[0].removeprefix("#/components/schemas/") in names
    assert document["paths"]["/healthz"]["get"]["security"] == []
    assert {"Snapshot", "JobEvent", "ProgressEvent", "ChatEvent", "PauseEvent", "Problem"} <= names


async def test_logs_hold_no_prompts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "otterbot_worker")
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.submit(image(prompt=f"{CANARY} die:logs:1", negative_prompt=CANARY, theme=CANARY, steps=4))
        await here.api.done(job["id"])
        await here.api.done((await here.api.submit(image("key-00002", prompt=f"{CANARY} fail")))["id"])
        await here.api.submit(chat("key-00003", CANARY))
        await here.api.call("POST", "/v1/jobs", {**image(), "request": {"prompt": CANARY}})
        await here.api.call("GET", f"/v1/jobs?key={CANARY}")
        await here.api.call("GET", f"/{CANARY}")
    assert caplog.records
    for formatter in (TextFormatter(), JsonFormatter()):
        assert CANARY not in "\n".join(formatter.format(record) for record in caplog.records)


def test_logs_show_where_an_exception_came_from_and_not_what_it_says() -> None:
    try:
        raise ValueError(f"cannot parse {CANARY}")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("otterbot_worker.x", logging.ERROR, "", 1, "it failed", (), info)
    record.job = "a b"
    line = TextFormatter().format(record)
    assert CANARY not in line
    assert 'ERROR x: it failed job="a b" error="ValueError at test_api.py' in line
    assert json.loads(JsonFormatter().format(record))["error"].startswith("ValueError at")
