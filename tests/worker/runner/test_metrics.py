"""What Prometheus is told: of pictures and turns that really ran."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from core_lab import Here, chat, image, settings, until, worker_here
from prometheus_client.parser import text_string_to_metric_families
from sharing_lab import Lab
from sharing_lab import lab as sharing_lab

from doubles.ollama import OllamaDouble
from otterbot_worker.chat import ChatOutcome, Usage
from otterbot_worker.runner import pace as paces
from otterbot_worker.runner.lease import Card
from otterbot_worker.runner.metrics import Measures
from otterbot_worker.runner.pace import Pace

Values = dict[tuple[str, ...], float]


async def metrics(here: Here) -> Values:
    """Each sample by its name and the values of its labels."""
    status, text = await here.api.call("GET", "/metrics")
    assert status == 200
    return read(text)


def read(text: bytes) -> Values:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


async def test_pictures(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        job = await here.api.done((await here.api.submit(image(count=2, steps=3)))["id"])
        assert job["state"] == "succeeded"
        values = await metrics(here)
    assert values["otterbot_wait_seconds_count", "image"] == 2
    assert values["otterbot_rows_finished_total", "image", "succeeded"] == 2
    size = job["pictures"][0]["result"]["record"]["used"]
    work = 2 * 3 * size["width"] * size["height"] / 1e6
    assert values["otterbot_megapixel_steps_total", "otter-mini"] == pytest.approx(work)
    assert values["otterbot_model_load_seconds_count", "otter-mini"] == 1, "the second found it loaded"
    assert values["otterbot_model_resident", "otter-mini"] == 1


async def test_what_ran_out_of_memory(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path)) as here:
        assert (await here.api.done((await here.api.submit(image(prompt="fail tight")))["id"]))["state"] == "failed"
        values = await metrics(here)
    found = {key: value for key, value in values.items() if key[0] == "otterbot_out_of_memory_total"}
    assert found
    assert all(model == "otter-mini" and plan for _, model, plan in found)


async def test_requests_by_route_without_what_was_typed(tmp_path: Path) -> None:
    async with worker_here(settings(tmp_path), paused=True) as here:
        await here.api.call("GET", "/v1/jobs/canary-of-a-path")
        async with here.api.session.get(here.api.address + "/v1/events") as stream:
            await stream.content.readline()
        await until(lambda: here.parts.hub.streams == 0)
        values = await metrics(here)
    names = {key[2] for key in values if key[0] == "otterbot_http_request_seconds_count"}
    assert "/v1/jobs/{id}" in names
    assert "/v1/events" not in names, "a stream of hours is no slow answer"
    assert not any("canary" in part for key in values for part in key)


async def test_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paces, "SHORTEST", 0.0)
    async with OllamaDouble() as double, worker_here(settings(tmp_path, chat={"ollama_url": double.url})) as here:
        assert (await here.api.done((await here.api.submit(chat()))["id"]))["state"] == "succeeded"
        values = await metrics(here)
    assert values["otterbot_wait_seconds_count", "chat"] == 1
    assert values["otterbot_chat_tokens_total", "tiny:latest"] > 3
    assert values["otterbot_chat_tokens_per_second_count", "tiny:latest"] == 1


def test_an_answer_that_comes_in_one_piece_tells_no_speed() -> None:
    measures, phases = Measures(), list[str]()
    pace = Pace(phases.append)
    pace.on_phase("loading")
    pace.on_phase("streaming")
    usage = Usage(prompt_tokens=5, answer_tokens=40)
    pace.measure(ChatOutcome(text="…", model="m", complete=True, took=9.0, usage=usage), measures)
    values = read(measures.text())
    assert phases == ["loading", "streaming"]
    assert values["otterbot_chat_tokens_total", "m"] == 40
    assert ("otterbot_chat_tokens_per_second_count", "m") not in values


async def test_who_left_the_card(tmp_path: Path) -> None:
    async with sharing_lab(tmp_path) as here:
        measures = Measures()
        here.card = Card(here.gpu, here.client, None, measures.swapped)  # type: ignore[arg-type]
        await here.card.for_images("sd15")
        assert swaps(measures) == {}, "nobody had to leave"
        here.gpu.draws("sd15")
        await talk(here)
        assert swaps(measures) == {"chat": 1}
        await here.card.for_images("sd15")
        assert swaps(measures) == {"chat": 1, "images": 1}


async def talk(here: Lab) -> None:
    await here.card.for_chat(None)
    await here.client.chat(None, [{"role": "user", "content": "hello"}], on_text=len, on_phase=len)


def swaps(measures: Measures) -> dict[str, float]:
    return {key[1]: value for key, value in read(measures.text()).items() if re.match(r".*swap_seconds_count", key[0])}
