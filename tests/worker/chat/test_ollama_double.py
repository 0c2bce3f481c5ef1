"""The double keeps to what real servers do; where it did not, the tests of the client would prove little."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from doubles import ollama, ollama_wire
from doubles.ollama import OllamaDouble


@pytest.fixture
async def http(double: OllamaDouble) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(double.url) as session:
        yield session


async def post(http: aiohttp.ClientSession, path: str = "/api/chat", **body: Any) -> tuple[int, list[dict[str, Any]]]:
    async with http.post(path, json={"model": "tiny"} | body) as response:
        return response.status, [json.loads(line) for line in (await response.read()).split(b"\n") if line]


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


async def test_a_stream(http: aiohttp.ClientSession) -> None:
    async with http.post("/api/chat", json={"model": "tiny", "messages": user("<a> & \u2028 #nel")}) as response:
        assert response.headers["Content-Type"] == "application/x-ndjson"
        assert response.headers["Transfer-Encoding"] == "chunked"
        data = await response.read()
    assert "\u0085".encode() in data
    assert b"\\u2028" in data
    *lines, last = (json.loads(line) for line in data.split(b"\n") if line)
    assert all(line["done"] is False and line["model"] == "tiny" for line in lines)
    assert last["message"] == {"role": "assistant", "content": ""}
    assert last["done_reason"] == "stop"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z", last["created_at"])
    assert ollama_wire.dumps("<&>") == b'"\\u003c\\u0026\\u003e"'


async def test_one_object_and_generate(http: aiohttp.ClientSession) -> None:
    status, (answer,) = await post(http, messages=user("hello"), stream=False)
    assert status == 200
    assert "You said: hello" in answer["message"]["content"]
    status, lines = await post(http, "/api/generate", prompt="hello", options={"num_predict": 2})
    assert [line["response"] for line in lines] == ["Heard", " 1", ""]
    assert lines[-1]["done_reason"] == "length"
    assert "context" in lines[-1]


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"model": "nope", "messages": user("x")}, 404, "model 'nope' not found"),
        ({"model": ""}, 400, "model is required"),
        ({"keep_alive": "5"}, 400, 'time: missing unit in duration "5"'),
        ({"keep_alive": "bogus"}, 400, 'time: invalid duration "bogus"'),
        ({"think": True, "messages": user("x")}, 400, '"tiny" does not support thinking'),
        ({"think": "maybe"}, 400, 'invalid think value: "maybe"'),
        ({"tools": [{}]}, 400, "registry.ollama.ai/library/tiny:latest does not support tools"),
        ({"options": {"num_ctx": "x"}}, 500, 'option "num_ctx" must be of type integer'),
        ({"options": {"temperature": "hot"}}, 500, 'option "temperature" must be of type float32'),
        ({"keep_alive": True}, 400, "Unsupported type: 'bool'"),
        ({"model": "no name!"}, 400, "invalid model name"),
        ({"messages": user("x" * 40_000), "truncate": False}, 400, "exceed_context_size_error"),
        ({"model": "raw", "messages": user("x" * 40_000)}, 400, "exceed_context_size_error"),
        ({"messages": [{"role": "user", "content": "x", "images": ["x"]}]}, 400, "Multimodal data provided"),
        ({"model": "raw", "messages": [{"role": "user", "images": ["x"]}]}, 500, "image input is not supported"),
    ],
)
async def test_refusals(
    double: OllamaDouble, http: aiohttp.ClientSession, body: dict[str, Any], status: int, error: str
) -> None:
    double.update({"models": [{"name": "tiny"}, {"name": "raw", "template": "gguf"}]})
    got, (answer,) = await post(http, **body)
    assert (got, set(answer)) == (status, {"error"})
    assert error in answer["error"]


async def test_other_paths_and_verbs(http: aiohttp.ClientSession) -> None:
    for method, path, status, text in (
        ("GET", "/", 200, "Ollama is running"),
        ("GET", "/nope", 404, "404 page not found"),
        ("GET", "/api/chat", 405, "405 method not allowed"),
        ("POST", "/api/chat", 400, '{"error":"missing request body"}'),
        ("GET", "/api/version", 200, '{"version":"0.33.0"}'),
        ("GET", "/api/ps", 200, '{"models":[]}'),
    ):
        async with http.request(method, path) as response:
            assert (response.status, await response.text()) == (status, text)


async def test_show_tags_pull_delete(double: OllamaDouble, http: aiohttp.ClientSession) -> None:
    assert (await post(http, "/api/show"))[1][0]["capabilities"] == ["completion"]
    assert (await post(http, "/api/show", model="nope"))[1][0]["error"] == "model 'nope:latest' not found"
    assert (await post(http, "/api/pull", model="new:3b"))[1][-1] == {"status": "success"}
    status, lines = await post(http, "/api/pull", model="missing")
    assert (status, lines[-1]) == (200, {"error": "pull model manifest: file does not exist"})
    async with http.delete("/api/delete", json={"model": "tiny"}) as response:
        assert response.status == 200
    async with http.get("/api/tags") as response:
        assert [model["name"] for model in (await response.json())["models"]] == ["new:3b"]


async def names(http: aiohttp.ClientSession) -> list[str]:
    async with http.get("/api/ps") as response:
        return [model["name"] for model in (await response.json())["models"]]


async def until_loaded(http: aiohttp.ClientSession, *expected: str) -> None:
    """A model that was unloaded is still listed for a moment."""
    async with asyncio.timeout(5):
        while await names(http) != list(expected):  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_what_is_too_long_is_cut_in_silence_unless_that_is_forbidden(http: aiohttp.ClientSession) -> None:
    long = [{"role": "system", "content": "the rule"}, *user("the beginning " + "1 " * 5_000 + " the end")]
    status, (answer,) = await post(http, messages=long, stream=False)
    assert status == 200
    assert "the end" in answer["message"]["content"]
    assert "beginning" not in answer["message"]["content"]
    assert answer["prompt_eval_count"] <= 4096 // 2 + 4
    status, (refused,) = await post(http, messages=long, stream=False, truncate=False, shift=False)
    inner = json.loads(refused["error"])["error"]
    assert (status, inner["n_ctx"]) == (400, 4096)
    assert inner["n_prompt_tokens"] > 5_000


async def test_it_tells_the_prompt_and_says_nothing(double: OllamaDouble, http: aiohttp.ClientSession) -> None:
    double.update(
        {"models": [{"name": "tiny", "prompt": "<u>{{ .Prompt }}<think>"}, {"name": "old", "renders": False}]}
    )
    body: dict[str, Any] = {"messages": user("x"), "stream": False, "_debug_render_only": True}
    _, (answer,) = await post(http, **body)
    assert answer["_debug_info"] == {"rendered_template": "<u>x<think>"}
    assert answer["message"]["content"] == ""
    _, (answer,) = await post(http, model="old", **body)
    assert "_debug_info" not in answer
    assert answer["message"]["content"].startswith("Heard")


async def test_without_a_shift_an_answer_ends_where_the_context_does(http: aiohttp.ClientSession) -> None:
    words = user("1 " * 240)
    for shift, reason in ((True, "stop"), (False, "length")):
        _, lines = await post(http, messages=words, options={"num_ctx": 256}, shift=shift, truncate=False)
        assert lines[-1]["done_reason"] == reason


async def test_a_refusal_of_a_stream_comes_in_chunks(http: aiohttp.ClientSession) -> None:
    for stream, kind in ((True, "application/json"), (False, "application/json; charset=utf-8")):
        async with http.post("/api/chat", json={"model": "nope", "messages": user("x"), "stream": stream}) as response:
            assert response.headers["Content-Type"] == kind
            assert ("Transfer-Encoding" in response.headers) is stream


async def test_two_names_of_one_model_share_what_is_loaded(double: OllamaDouble, http: aiohttp.ClientSession) -> None:
    async with http.post("/api/copy", json={"source": "tiny", "destination": "twin"}) as response:
        assert response.status == 200
    async with http.get("/api/tags") as response:
        listed = (await response.json())["models"]
    assert [model["name"] for model in listed] == ["twin:latest", "tiny:latest"], "the newest name comes first"
    double.update({"models": [{"name": "twin", "content": "one"}, {"name": "tiny", "content": "one"}]})
    await post(http, model="tiny", messages=user("x"))
    await post(http, model="twin", messages=user("x"))
    assert await names(http) == ["tiny:latest"]
    await post(http, model="twin", keep_alive=0)
    await until_loaded(http)


async def test_load_and_unload(http: aiohttp.ClientSession) -> None:
    assert (await post(http))[1][0]["done_reason"] == "load"
    assert await names(http) == ["tiny:latest"]
    assert (await post(http, keep_alive=0))[1][0]["done_reason"] == "unload"
    await until_loaded(http)
    assert (await post(http, keep_alive=0))[1][0]["done_reason"] == "unload", "also when it is not loaded"


async def test_unload_while_it_loads_has_no_effect(double: OllamaDouble, http: aiohttp.ClientSession) -> None:
    double.update({"models": [{"name": "tiny", "load_s": 0.2}]})
    loading = asyncio.create_task(post(http))
    await asyncio.sleep(0.1)
    assert double.memory.loads == ["tiny"]
    assert await names(http) == [], "a model that loads is not listed"
    assert (await post(http, keep_alive=0))[0] == 200
    await loading
    assert await names(http) == ["tiny:latest"]


async def test_unload_while_it_streams(double: OllamaDouble, http: aiohttp.ClientSession) -> None:
    double.update({"rules": [{"when": "x", "answer": "a b c", "pause": 0.1}]})
    for queued_keep_alive, after in ((None, []), ("5m", ["tiny:latest"])):
        running = asyncio.create_task(post(http, messages=user("x")))
        await asyncio.sleep(0.05)
        await post(http, keep_alive=0)
        assert await names(http) == ["tiny:latest"]
        queued = await post(http, messages=user("y"), keep_alive=queued_keep_alive) if queued_keep_alive else None
        assert (await running)[1][-1]["done"] is True
        await until_loaded(http, *after)
        assert queued is None or queued[1][-1]["done"] is True


async def test_keep_alive_ends(http: aiohttp.ClientSession) -> None:
    await post(http, messages=user("x"), keep_alive="100ms")
    assert await names(http) == ["tiny:latest"]
    await asyncio.sleep(0.2)
    assert await names(http) == []


async def test_a_crashed_runner_stays_listed(double: OllamaDouble, http: aiohttp.ClientSession) -> None:
    await post(http)
    async with http.post("/double/do", json={"crash": "tiny"}):
        assert await names(http) == ["tiny:latest"]
    assert (await post(http, messages=user("x")))[1][-1]["done"] is True
    assert double.memory.loads == ["tiny", "tiny"]


async def test_a_retagged_model_is_listed_twice(http: aiohttp.ClientSession) -> None:
    await post(http)
    async with http.post("/double/do", json={"retag": "tiny"}):
        await post(http)
    assert await names(http) == ["tiny:latest"] * 2
    await post(http, keep_alive=0)
    await until_loaded(http, "tiny:latest")
    await post(http, keep_alive=0)
    assert await names(http) == ["tiny:latest"], "the old one cannot be reached by its name"


def test_it_is_a_program(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text('{"models": [{"name": "other"}]}')
    command = [sys.executable, str(Path(ollama.__file__)), "--port", "0", "--script", str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.terminate()
    assert re.fullmatch(r"listening on http://127\.0\.0\.1:\d+\n", line)
