"""Names come and go on a server; what is loaded is its file. And which model is meant where nobody names one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web
from talk import Talk, chats

from doubles.ollama import OllamaDouble
from otterbot_worker.chat import Choice
from otterbot_worker.chat.ollama import Ollama, OllamaSettings
from otterbot_worker.errors import JobFailed


@asynccontextmanager
async def page(answer: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    """The address of a server that answers everything alike."""
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


TWINS = {"models": [{"name": "tiny", "content": "one"}, {"name": "twin", "content": "one"}]}


async def test_a_second_name_of_a_loaded_model_loads_nothing(double: OllamaDouble, talk: Talk) -> None:
    double.update(TWINS)
    await talk.say("hello")
    await talk.say("hello", model="twin")
    assert [len(entry["body"]["messages"]) for entry in chats(double)] == [0, 1, 1]


async def test_a_model_is_unloaded_by_its_other_name(double: OllamaDouble, talk: Talk) -> None:
    double.update(TWINS)
    await talk.say("hello")
    double.update({"models": TWINS["models"][1:]})
    left = await talk.client.unload(5.0)
    assert left.gone
    assert left.nameless == 0
    assert left.on_card > 0
    assert double.memory.rows() == []


async def test_a_name_that_means_another_model_now_is_not_believed(double: OllamaDouble, talk: Talk) -> None:
    await talk.say("hello")
    old = double.models["tiny:latest"]
    double.models = {"tiny:latest": replace(old, version=2), "kept:latest": replace(old, name="kept", content="tiny")}
    left = await talk.client.unload(5.0)
    assert (left.gone, left.nameless) == (True, 0)
    assert double.memory.rows() == []
    await talk.say("hello")
    assert double.memory.loads == ["tiny", "tiny"]
    assert double.memory.rows()[0]["digest"] == double.models["tiny:latest"].digest


@pytest.mark.parametrize("how", ["retagged", "deleted"])
async def test_what_no_name_leads_to_any_more_is_not_waited_for(double: OllamaDouble, talk: Talk, how: str) -> None:
    await talk.say("hello")
    old = double.models.pop("tiny:latest")
    if how == "retagged":
        double.models["tiny:latest"] = replace(old, version=2)
    left = await talk.client.unload(60.0)
    assert (left.gone, left.on_card) == (True, 0)
    assert left.nameless == double.memory.rows()[0]["size_vram"]
    assert sum(entry["body"].get("keep_alive") == 0 for entry in chats(double)) == 0


async def test_the_others_leave_beside_one_without_a_name(double: OllamaDouble, talk: Talk) -> None:
    double.update({"models": [{"name": "tiny"}, {"name": "other"}]})
    await talk.say("hello")
    await talk.say("hello", model="other")
    del double.models["tiny:latest"]
    assert (await talk.client.unload(5.0)).gone
    assert [row["name"] for row in double.memory.rows()] == ["tiny:latest"]


# ---------------------------------------------------------------- the default


async def test_the_model_that_was_chosen_once_stays(double: OllamaDouble) -> None:
    stored: list[str] = []

    async def keep(name: str) -> None:
        stored.append(name)

    talk = Talk(double, choice=Choice(None, keep))
    assert await talk.client.resolve(None) == "tiny:latest"
    double.models = {"new:latest": replace(double.models["tiny:latest"], name="new")} | double.models
    assert await talk.client.resolve(None) == "tiny:latest"
    assert stored == ["tiny:latest"]
    later = Talk(double, choice=Choice(stored[-1], keep))
    assert await later.client.resolve(None) == "tiny:latest", "after a restart too"
    assert (await later.client.status()).default == "tiny:latest"
    del double.models["tiny:latest"]
    assert await later.client.resolve(None) == "new:latest"
    assert stored == ["tiny:latest", "new:latest"]
    for one in (talk, later):
        await one.client.close()


@pytest.mark.parametrize(
    ("models", "default", "problem"),
    [
        ([{"name": "tiny"}], None, None),
        ([{"name": "tiny"}], "tiny", None),
        ([{"name": "tiny"}], "tiny:latest", None),
        ([{"name": "tiny"}], "nope", "`ollama pull nope`"),
        ([], None, "No chat model is installed"),
        ([{"name": "vectors", "capabilities": ["embedding"]}], None, "No chat model is installed"),
        ([{"name": "vectors", "capabilities": ["embedding"]}], "vectors", "not made for chat"),
        ([{"name": "far:cloud", "remote": True}], None, "No chat model is installed"),
        ([{"name": "far:cloud", "remote": True}], "far:cloud", "somebody else's machines"),
    ],
)
async def test_why_no_chat_can_work(
    double: OllamaDouble, models: list[dict[str, object]], default: str | None, problem: str | None
) -> None:
    double.update({"models": models})
    talk = Talk(double, model=default)
    status = await talk.client.status()
    assert (status.problem is None) is (problem is None)
    assert (problem or "") in (status.problem or "")
    if problem is not None:
        assert (await talk.fails("hello", model=None)).message == status.problem, "a chat says the same"
    await talk.client.close()


@pytest.mark.parametrize("models", [None, 5, "x", {"name": "x"}, [5, None, {"size": 1}, {"name": None, "details": 3}]])
async def test_a_list_that_is_none_is_an_empty_one(models: object) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"models": models})

    async with page(answer) as url:
        client = Ollama(OllamaSettings(url=url))
        status = await client.status()
        assert (status.models, status.default) == ([], None)
        assert "No chat model is installed" in (status.problem or "")
        assert (await client.unload(5.0)).gone
        await client.close()


# ---------------------------------------------------------------- the address


@pytest.mark.parametrize("path", ["/v1", "/api", "/v1/", "/somewhere"])
async def test_a_wrong_path_is_called_that(double: OllamaDouble, path: str) -> None:
    client = Ollama(OllamaSettings(url=double.url + path))
    assert not (await client.status()).reachable
    for ask in (client.models(), client.resolve(None), client.resolve("tiny")):
        with pytest.raises(JobFailed) as caught:
            await ask
        assert caught.value.code == "ollama_unreachable"
        assert "address is wrong (HTTP 404)" in caught.value.message
    await client.close()


@pytest.mark.parametrize(("status", "said"), [(200, "wrong (HTTP 200)"), (302, "302"), (401, "401"), (502, "HTTP 502")])
async def test_somebody_else_answers(status: int, said: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text="<html>Sign in</html>", headers={"Location": "/login"})

    async with page(answer) as url:
        client = Ollama(OllamaSettings(url=url))
        with pytest.raises(JobFailed) as caught:
            await client.models()
        assert said in caught.value.message
        status = await client.status()
        assert (status.reachable, status.problem) == (False, caught.value.message)
        assert (await client.unload(60.0)).gone, "no picture waits for it"
        await client.close()
