"""Chat turns through the whole worker, with the double of an Ollama server; and who has the card when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from core_lab import Here, Json, chat, events, image, settings, until, worker_here

from doubles.chat_backend import Mind, SmallBackend
from doubles.ollama import OllamaDouble
from doubles.ollama_answers import THOUGHT
from otterbot_worker.api import build
from otterbot_worker.api.parts import PARTS
from otterbot_worker.chat import Unloaded
from otterbot_worker.chat.records import BackendSettings

PLAIN = {"models": [{"name": "tiny", "prompt": "{{ .Prompt }}<think></think>"}]}
"""A model of whose prompt it shows that an answer begins with itself, so that the first one streams, too."""


@asynccontextmanager
async def with_chat(
    folder: Path, script: Json | None = None, **sections: Json
) -> AsyncIterator[tuple[Here, OllamaDouble]]:
    async with OllamaDouble(PLAIN | (script or {})) as double:
        sections.setdefault("chat", {})["ollama_url"] = double.url
        async with worker_here(settings(folder, **sections)) as here:
            yield here, double


async def test_a_turn_streams_and_is_stored(tmp_path: Path) -> None:
    async with with_chat(tmp_path, {"token_s": 0.02}) as (here, _):
        texts: list[str] = []
        async with asyncio.timeout(30), aclosing(events(here.api)) as stream:
            async for name, data in stream:
                if name == "snapshot":
                    await here.api.submit(chat(text="#markdown please"))
                elif name == "chat":
                    texts.append(data["text"])
                    assert data["attempt"] == 1
                elif name == "job" and data["job"]["state"] == "succeeded":
                    done = data["job"]
                    break
        assert texts
        assert all(later.startswith(earlier) for earlier, later in pairwise(texts)), "cumulative"
        turn = done["turn"]
        assert turn["text"] == turn["result"]["text"]
        assert turn["text"].startswith("**Otters** hold hands")
        assert turn["result"]["complete"]
        assert turn["result"]["model"] == "tiny:latest"
        assert "messages" not in done["request"]


async def test_that_the_beginning_is_left_out_is_said_once(tmp_path: Path) -> None:
    async with with_chat(tmp_path) as (here, _):
        body = chat()
        body["request"]["messages"] = [{"role": "user", "content": "word " * 1_500} for _ in range(6)]
        done = await here.api.done((await here.api.submit(body))["id"])
        assert done["turn"]["result"]["notes"][0].startswith("The oldest ")
        assert done["turn"]["result"]["left_out_told"] is True
        again = {**body, "key": "left-out-again", "request": {**body["request"], "left_out_told": True}}
        result = (await here.api.done((await here.api.submit(again))["id"]))["turn"]["result"]
        assert result["left_out_told"] is True
        assert not any(note.startswith("The oldest ") for note in result["notes"])


async def test_the_whole_conversation_arrives(tmp_path: Path) -> None:
    async with with_chat(tmp_path) as (here, _):
        body = chat()
        body["request"]["messages"] = [
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": "my name is Bo"},
            {"role": "assistant", "content": "Hello Bo"},
            {"role": "user", "content": "what is my name? \u0085 #nel"},
        ]
        done = await here.api.done((await here.api.submit(body))["id"])
        assert done["state"] == "succeeded"
        assert "\u0085" in done["turn"]["text"]


async def test_what_fails_says_why(tmp_path: Path) -> None:
    async with with_chat(tmp_path) as (here, double):
        body = chat("key-missing-1")
        body["request"]["model"] = "nope"
        done = await here.api.done((await here.api.submit(body))["id"])
        assert done["turn"]["error"]["code"] == "chat_model_missing"
        assert "ollama pull nope" in done["turn"]["error"]["message"]
        broken = await here.api.done((await here.api.submit(chat("key-broken-1", "#eof")))["id"])
        assert broken["state"] == "succeeded"
        assert not broken["turn"]["result"]["complete"], "what came is kept"
        await double.stop()
        gone = await here.api.done((await here.api.submit(chat("key-gone-1")))["id"])
        assert gone["turn"]["error"]["code"] == "ollama_unreachable"
        assert (await here.api.call("GET", "/readyz"))[0] == 200, "pictures can be drawn"


async def test_cancelling_a_turn_closes_its_connection(tmp_path: Path) -> None:
    async with with_chat(tmp_path) as (here, double):
        job = await here.api.submit(chat(text="#stall"))
        await here.api.until(job["id"], lambda job: bool(job["turn"]["text"]))
        _, cancelled = await here.api.call("DELETE", f"/v1/jobs/{job['id']}")
        assert cancelled["state"] == "cancelled"
        after = await here.api.done((await here.api.submit(chat("key-00002")))["id"])
        assert after["state"] == "succeeded"
        assert (await here.api.job(job["id"]))["state"] == "cancelled"
        assert "gone" in [entry["ended"] for entry in double.requests]


async def test_a_cancelled_turn_keeps_what_came(tmp_path: Path) -> None:
    async with with_chat(tmp_path) as (here, _):
        job = await here.api.submit(chat(text="#stall"))
        held = await here.api.until(job["id"], lambda job: job["turn"]["text"].endswith("because they"))
        assert held["state"] == "running", "the last words are shown while the model pauses"
        _, cancelled = await here.api.call("DELETE", f"/v1/jobs/{job['id']}")
        result = cancelled["turn"]["result"]
        assert result["text"] == cancelled["turn"]["text"] == "Otters hold hands because they"
        assert not result["complete"]
        _, again = await here.api.call("DELETE", f"/v1/jobs/{job['id']}")
        assert again["turn"]["result"] == result, "once"
        await here.api.done((await here.api.submit(chat("key-00002")))["id"])
        assert (await here.api.job(job["id"]))["turn"]["result"] == result


async def test_a_turn_that_is_cancelled_before_a_word_has_no_result(tmp_path: Path) -> None:
    async with with_chat(tmp_path) as (here, _):
        job = await here.api.submit(chat(text="#silence"))
        await here.api.until(job["id"], lambda job: job["state"] == "running")
        _, cancelled = await here.api.call("DELETE", f"/v1/jobs/{job['id']}")
        assert (cancelled["state"], cancelled["turn"]["result"], cancelled["turn"]["text"]) == ("cancelled", None, "")


@pytest.mark.parametrize("word", ["#think", "#inline-think"])
async def test_thoughts_come_only_where_the_settings_want_them(tmp_path: Path, word: str) -> None:
    options = {"think": True}
    script = {"models": [{"name": "tiny", "prompt": "x", "capabilities": ["completion", "thinking"]}]}
    for reasoning, thought in (("hide", ""), ("fold", THOUGHT)):
        sections = {"chat": {"reasoning": reasoning, "options": options}}
        async with with_chat(tmp_path / reasoning, script, **sections) as (here, _):
            done = await here.api.done((await here.api.submit(chat(text=f"{word} please")))["id"])
            assert done["turn"]["result"]["reasoning"] == thought
            assert "Secret plan" not in done["turn"]["text"]


async def test_a_long_thought_is_capped_and_forgotten_with_the_text(tmp_path: Path) -> None:
    rule = {"when": "ponder", "answer": "Four.", "thinking": "deep " * 2_000}
    script = {"models": [{"name": "tiny", "capabilities": ["completion", "thinking"]}], "rules": [rule]}
    options = {"think": True, "num_ctx": 8192, "num_predict": 8192}
    async with with_chat(tmp_path, script, chat={"reasoning": "fold", "options": options}) as (here, _):
        done = await here.api.done((await here.api.submit(chat(text="ponder")))["id"])
        thought = done["turn"]["result"]["reasoning"]
        assert thought.startswith("deep deep")
        assert thought.endswith(" …")
        assert 7_900 < len(thought) <= 8_000
        await here.app[PARTS].store.forget(time.time() + 2 * 3600)
        turn = (await here.api.job(done["id"]))["turn"]
        assert (turn["text"], turn["result"]["reasoning"]) == ("", "")


@pytest.mark.parametrize("letter", ["a", "水"])
async def test_an_answer_that_is_too_long_says_so(tmp_path: Path, letter: str) -> None:
    rule = {"when": "go on", "pieces": [letter * 999 + " "] * 80}
    async with with_chat(tmp_path, {"rules": [rule]}) as (here, _):
        done = await here.api.done((await here.api.submit(chat(text="go on")))["id"])
        result = done["turn"]["result"]
        assert 59_000 < len(result["text"]) <= 60_000
        assert len(result["text"].encode()) > 50_000
        assert result["notes"] == ["The answer was cut because it reached its greatest length."]


async def test_a_pause_stops_a_turn_and_takes_it_up_again(tmp_path: Path) -> None:
    async with with_chat(tmp_path) as (here, double):
        job = await here.api.submit(chat(text="#slow but steady"))
        await here.api.until(job["id"], lambda job: bool(job["turn"]["text"]))
        await here.api.call("POST", "/v1/pause")
        waiting = await here.api.until(job["id"], lambda job: job["state"] == "queued")
        assert waiting["turn"]["attempt"] == 0
        assert waiting["turn"]["text"] == ""
        await until(lambda: not double.memory.rows())
        await here.api.call("POST", "/v1/resume")
        await here.api.until(job["id"], lambda job: bool(job["turn"]["text"]))


async def test_the_card_changes_hands(tmp_path: Path) -> None:
    (tmp_path / "cuda").touch()
    async with with_chat(tmp_path) as (here, double):
        await here.api.done((await here.api.submit(image("key-00001")))["id"])
        assert not (tmp_path / "released").exists()
        await here.api.done((await here.api.submit(chat("key-00002")))["id"])
        assert (tmp_path / "released").exists(), "the image model left before the language model came"
        assert double.memory.rows()
        again = await here.api.done((await here.api.submit(image("key-00003")))["id"])
        assert again["state"] == "succeeded"
        assert not double.memory.rows(), "the language model left before the image model came"


async def test_on_the_processor_nobody_has_to_leave(tmp_path: Path) -> None:
    async with with_chat(tmp_path) as (here, double):
        await here.api.done((await here.api.submit(chat("key-00001")))["id"])
        await here.api.done((await here.api.submit(image("key-00002")))["id"])
        assert double.memory.rows()


async def test_chat_goes_before_a_batch(tmp_path: Path) -> None:
    async with with_chat(tmp_path) as (here, _):
        await here.api.done((await here.api.submit(chat("key-00000")))["id"])  # it is known now how long turns take
        batch = await here.api.submit(image("key-00001", count=8, prompt="slow", steps=5))
        await here.api.running(batch["id"])
        turn = await here.api.submit(chat("key-00002", owner="@bob:here"))
        assert turn["place"] == 0
        await here.api.done(turn["id"])
        states = [picture["state"] for picture in (await here.api.job(batch["id"]))["pictures"]]
        assert states.count("succeeded") <= 2


async def test_info_knows_ollama(tmp_path: Path) -> None:
    async with with_chat(tmp_path, {"models": [{"name": "cloudy:cloud", "remote": True}, {"name": "tiny"}]}) as (
        here,
        _,
    ):
        _, info = await here.api.call("GET", "/v1/info")
        assert (info["ollama"], info["chat_model"]) == ("reachable", "tiny:latest")
        _, models = await here.api.call("GET", "/v1/models")
        chats = {model["name"]: model["default"] for model in models["models"] if model["kind"] == "chat"}
        assert chats["tiny:latest"]


async def test_a_backend_that_needs_no_card_never_asks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cuda").touch()
    mind = Mind()
    unloads: list[float] = []

    class Watched(SmallBackend):
        async def unload(self, timeout: float) -> Unloaded:
            unloads.append(timeout)
            return await super().unload(timeout)

    backend = Watched(mind, BackendSettings())
    monkeypatch.setattr(build, "open_backend", lambda *_, **__: backend)
    async with worker_here(settings(tmp_path)) as here:
        _, info = await here.api.call("GET", "/v1/info")
        assert (info["ollama"], info["chat_model"], info["chat_problem"]) == ("reachable", "small", None)
        await here.api.done((await here.api.submit(image("key-00001")))["id"])
        done = await here.api.done((await here.api.submit(chat("key-00002")))["id"])
        assert done["turn"]["result"]["model"] == "small"
        assert done["turn"]["result"]["text"].startswith("Heard 1 message.")
        assert not (tmp_path / "released").exists(), "the image model stays where it is"
        await here.api.done((await here.api.submit(image("key-00003")))["id"])
        mind.here = False
        gone = await here.api.done((await here.api.submit(chat("key-00004")))["id"])
        assert gone["turn"]["error"]["code"] == "ollama_unreachable"
        assert gone["turn"]["error"]["message"].startswith("The small backend")
    assert unloads == [], "nothing of it has to leave before a picture"
