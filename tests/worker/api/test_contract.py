"""Whatever is sent to whatever route: a problem document, never a 500, and no word of it, there or in the log.

The routes are those of the OpenAPI document, so a new one is in here by being there.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import logging
import random
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from bad_values import CANARY, FOR_ANY, Contract, wrong
from core_lab import TOKEN, Here, Json, image, settings, worker_here

from otterbot_worker.api import openapi
from otterbot_worker.api.app import OPERATIONS

DOCUMENT = openapi.document(OPERATIONS)
OPERATION_LIST = [(method, path, one) for path, ones in DOCUMENT["paths"].items() for method, one in ones.items()]
IDS = [f"{method} {path}" for method, path, _ in OPERATION_LIST]
STREAM = "/v1/events"
MOST = 150
"""Bodies for each route."""

STRANGE_PARTS = (
    CANARY, "0", "0" * 32, "f" * 5_000, "%00", "%ED%A0%80", "%FF%FE", "%2e%2e%2f", "-1", "1" + "0" * 400, "💚",
    "..;", "%0d%0aSet-Cookie:%20a", "'; DROP TABLE jobs; --", "%F0%9F", "a%00b",
)  # fmt: skip
STRANGE_BODIES = (
    *FOR_ANY, "null", "[]", "7", "NaN", "-Infinity", "1" + "0" * 400, "1e400", json.dumps(CANARY),
    "\x00", "\ufeff{}", "{" * 50_000, '{"a":' * 50_000, "[" * 900 + "]" * 900, '{"' + CANARY + '": 1}',
)  # fmt: skip


@pytest_asyncio.fixture(scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Here]:
    async with worker_here(settings(tmp_path_factory.mktemp("contract") / "data"), paused=True) as worker:
        yield worker


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """At the default level nothing of what was sent stands in the log, and nothing failed unexpectedly."""
    caplog.set_level(logging.INFO)
    yield
    for record in caplog.records:
        assert CANARY not in record.getMessage() + str(vars(record))
        assert record.levelno < logging.ERROR, record.getMessage()


def is_problem(status: int, answer: Any) -> None:
    assert isinstance(answer, dict), (status, answer)
    assert answer["status"] == status
    assert answer["code"]
    assert CANARY not in json.dumps(answer).replace(f'"field": "{CANARY}"', "")


async def call(here: Here, method: str, path: str, **options: Any) -> tuple[int, Any]:
    status, answer = await here.api.call(method.upper(), path, **options)
    assert status < 500 or (path.startswith("/readyz") and status == 503), (method, path[:100], status)
    if status >= 400 and not path.startswith("/readyz"):
        is_problem(status, answer)
    return status, answer


def bodies(schema: Json) -> Iterator[str]:
    """JSON that the schema does not take, and some that it does: every field with every wrong value."""
    definitions = DOCUMENT["components"]["schemas"]
    for one in Contract({"$defs": definitions}).kinds(schema):
        contract = Contract({"$defs": definitions, **one})
        base = json.loads(json.dumps(contract.example(one)))
        yield json.dumps(base)
        for field in contract.fields():
            for raw in wrong(field):
                yield contract.around(base, field.path, raw)


@pytest.mark.parametrize(("method", "path", "operation"), OPERATION_LIST, ids=IDS)
async def test_no_path_and_no_query_is_too_strange(here: Here, method: str, path: str, operation: Json) -> None:
    if path == STREAM:
        return
    names = re.findall(r"\{(\w+)\}", path)
    for part in STRANGE_PARTS if names else ():
        await call(here, method, re.sub(r"\{\w+\}", part, path))
    named = re.sub(r"\{\w+\}", "f" * 32, path)
    queries = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
    for name, value in itertools.product([*queries, CANARY, "%00"], STRANGE_PARTS[:8]):
        if method != "post" or "requestBody" in operation:
            await call(here, method, f"{named}?{name}={value}&{name}={value}")


WITHOUT_BODY = ("/v1/pause", "/v1/resume")
"""What may be asked without a body as well."""
WITH_BODY = [(path, one) for method, path, one in OPERATION_LIST if "requestBody" in one and method == "post"]


@pytest.mark.parametrize(("path", "operation"), WITH_BODY, ids=[path for path, _ in WITH_BODY])
async def test_no_body_is_too_strange(here: Here, path: str, operation: Json) -> None:
    content = operation["requestBody"]["content"]
    for kind, found in content.items():
        schema = found["schema"]
        if schema.get("format") == "binary":
            picked = list(STRANGE_BODIES[:3])  # each is looked at by a process of its own; test_bad_input has more
        else:
            named = list(bodies(schema))
            assert len(named) > 12
            picked = [*STRANGE_BODIES, *random.Random(7).sample(named, min(MOST, len(named)))]
        for raw in picked:
            data = io.BytesIO(raw.encode("utf-8", "surrogatepass"))
            await call(here, "post", path, data=data, headers={"Content-Type": kind})
    for headers in (
        {"Content-Type": CANARY},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json", "Content-Encoding": CANARY},
        {"Content-Type": "multipart/form-data; boundary=" + CANARY},
    ):
        await call(here, "post", path, data=io.BytesIO(b"{}"), headers=headers)
    if path not in WITHOUT_BODY:
        status, _ = await call(here, "post", path)
        assert status in (415, 422)
    await here.parts.dispatcher.pause(None)


def test_every_body_says_whether_it_is_needed() -> None:
    for _, path, operation in OPERATION_LIST:
        if "requestBody" in operation:
            assert operation["requestBody"]["required"] is (path not in WITHOUT_BODY)
        for parameter in operation.get("parameters", []):
            assert parameter.get("required", False) is (parameter["in"] == "path")


def test_the_contract_says_what_is_always_sent() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert set(schemas["NewJob"]) >= {"oneOf", "discriminator"}
    sent = ("Job", "Picture", "ImageResult", "Model", "Problem", "WorkerInfo", "Progress", "Used", "Input", "Lora")
    for name in sent:
        assert set(schemas[name]["required"]) == set(schemas[name]["properties"])
    assert schemas["NewImageJob"]["required"] == ["key", "owner", "room", "kind", "request"]


# ---------------------------------------------------------------- what is no HTTP

_AUTH = f"Authorization: Bearer {TOKEN}\r\n"
_JSON = "Content-Type: application/json\r\n"
NO_HTTP = {
    "no line": f"{CANARY}\r\n\r\n",
    "another version": f"GET /{CANARY} HTTP/9\r\n\r\n",
    "another method": f"{CANARY} / HTTP/1.1\r\nHost: a\r\n\r\n",
    "TLS": f"\x16\x03\x01\x02{CANARY}\r\n\r\n",
    "a line too long": f"GET /{CANARY * 1_000} HTTP/1.1\r\n\r\n",
    "a header too long": f"GET / HTTP/1.1\r\nX: {CANARY * 1_000}\r\n\r\n",
    "too many headers": "GET / HTTP/1.1\r\n" + f"X: {CANARY}\r\n" * 300 + "\r\n",
    "a header without a colon": f"GET / HTTP/1.1\r\n{CANARY}\r\n\r\n",
    "a header's name": f"GET / HTTP/1.1\r\n{CANARY} a: b\r\n\r\n",
    "an address": f"GET http://[{CANARY}/ HTTP/1.1\r\n\r\n",
    "an expectation": f"GET /healthz HTTP/1.1\r\nHost: a\r\nExpect: {CANARY}\r\n\r\n",
    "a length": f"POST /v1/jobs HTTP/1.1\r\n{_AUTH}{_JSON}Content-Length: {CANARY}\r\n\r\n",
    "a length below nothing": f"POST /v1/jobs HTTP/1.1\r\n{_AUTH}{_JSON}Content-Length: -1\r\n\r\n{CANARY}",
    "two lengths": f"POST /v1/jobs HTTP/1.1\r\n{_AUTH}{_JSON}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{CANARY}",
    "chunks": f"POST /v1/jobs HTTP/1.1\r\n{_AUTH}{_JSON}Transfer-Encoding: chunked\r\n\r\n{CANARY}\r\n",
    "a coding": f"POST /v1/jobs HTTP/1.1\r\n{_AUTH}{_JSON}Transfer-Encoding: {CANARY}\r\n\r\n{CANARY}\r\n",
}


async def exchange(here: Here, sent: bytes) -> bytes:
    """Sends it, and reads the answer."""
    place = urlsplit(here.api.address)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        writer.write(sent)
        async with asyncio.timeout(60):
            head = await reader.readuntil(b"\r\n\r\n")
            (length,) = re.findall(rb"Content-Length: (\d+)", head)
            return head + await reader.readexactly(int(length))
    finally:
        writer.close()


@pytest.mark.parametrize("raw", NO_HTTP.values(), ids=NO_HTTP)
async def test_what_is_no_http_is_answered_without_an_echo(here: Here, raw: str) -> None:
    head, _, body = (await exchange(here, raw.encode("latin-1"))).partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert CANARY.encode() not in head
    problem = json.loads(body)
    is_problem(int(head.split()[1]), problem)
    assert 400 <= problem["status"] < 500


async def test_a_body_that_breaks_on_its_way_is_no_accident(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its next chunk begins, nobody knows any more: the connection ends, and nothing waits for the rest."""
    monkeypatch.setattr("otterbot_worker.api.connections.BODY_SECONDS", 0.0)
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: a\r\n{_AUTH}{_JSON}Transfer-Encoding: chunked\r\n\r\n"
    place = urlsplit(here.api.address)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        for piece in (f"{head}2\r\n{{}}\r\n", f"{CANARY}\r\n"):
            writer.write(piece.encode())
            await here.api.call("GET", "/healthz")
        async with asyncio.timeout(60):
            assert CANARY.encode() not in await reader.read()
    finally:
        writer.close()


async def test_a_client_that_leaves_in_the_middle_is_no_accident(here: Here) -> None:
    place = urlsplit(here.api.address)
    for head in (
        f"POST /v1/jobs HTTP/1.1\r\nHost: a\r\n{_AUTH}{_JSON}Content-Length: 100\r\n\r\n{{",
        f"POST /v1/inputs HTTP/1.1\r\nHost: a\r\n{_AUTH}Content-Type: image/png\r\nContent-Length: 100\r\n\r\n{{",
    ):
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.write(head.encode())
        await writer.drain()
        await here.api.call("GET", "/healthz")
        writer.transport.abort()
        assert await reader.read() == b""
        await here.api.call("GET", "/healthz")


async def test_the_next_job_is_taken_after_all_of_it(here: Here) -> None:
    assert (await here.api.submit(image("after-all-of-it")))["state"] == "queued"
