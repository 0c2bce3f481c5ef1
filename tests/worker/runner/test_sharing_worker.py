"""A card that is shared, through the whole worker: dispatcher, lease, queue, API, and a GPU process that is a small
program on a card whose free memory is told by what is on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from card_file import held, lay
from core_lab import Here, Json, chat, image, settings, until, worker_here
from shared_card import SharedCard

from doubles.ollama import OllamaDouble
from otterbot_worker.runner import lease

LLM = {"name": "tiny", "size": 2_000_000_000, "memory": 2_750_000_000}
SMALL = {"weights": 2_100_000_000, "peak": 1_400_000_000}
"""As Stable Diffusion 1.5."""
LARGE = {"weights": 4_500_000_000, "peak": 900_000_000}
"""As SSD-1B."""


class Lab:
    def __init__(self, folder: Path, double: OllamaDouble) -> None:
        self.folder, self.double = folder, double
        self.number = 0

    @asynccontextmanager
    async def worker(self, **gpu: Any) -> AsyncIterator[Here]:
        sections = {"chat": {"ollama_url": self.double.url}, "images": {"default_model": "otter-mini"}}
        async with worker_here(settings(self.folder, **sections, gpu={"device": "cuda"} | gpu)) as here:
            self.here = here
            yield here

    async def picture(self, prompt: str = "otter") -> Json:
        """The one picture of a job."""
        self.number += 1
        job = await self.here.api.submit(image(f"key-{self.number:05}", prompt=prompt, steps=4))
        return dict((await self.here.api.done(job["id"]))["pictures"][0])

    async def turn(self) -> Json:
        self.number += 1
        job = await self.here.api.submit(chat(f"key-{self.number:05}"))
        return dict((await self.here.api.done(job["id"]))["turn"])

    async def lease(self) -> Json:
        self.here.parts.chat._asked_at = float("-inf")  # as it is now
        _, info = await self.here.api.call("GET", "/v1/info")
        return dict(info["lease"])

    @property
    def released(self) -> bool:
        return (self.folder / "released").exists()

    @property
    def loaded(self) -> int:
        return len(self.double.memory.rows())


@asynccontextmanager
async def lab(folder: Path, model: dict[str, int], **llm: Any) -> AsyncIterator[Lab]:
    async with OllamaDouble({"models": [LLM | llm]}) as double:
        lay(folder, double.url, **model)
        with pytest.MonkeyPatch.context() as patch:
            SharedCard(double, image=lambda: held(folder)).put_in(patch)
            patch.setattr(lease, "LOOK_SECONDS", 0.02)
            patch.setattr(lease, "PATIENCE_SECONDS", 0.2)
            yield Lab(folder, double)


async def test_a_small_model_stays_beside_a_small_one(tmp_path: Path) -> None:
    async with lab(tmp_path, SMALL) as here:
        async with here.worker():
            for _ in range(2):
                drawn, said = await here.picture(), await here.turn()
                assert drawn["state"] == said["state"] == "succeeded"
                assert said["result"]["notes"] == []
            assert here.double.memory.loads == ["tiny"]
            assert not here.released
            told = await here.lease()
            assert told["mode"] == "measured"
            assert (told["together"], told["why"]) == (True, None)
            assert told["chat"] == [{"name": "tiny:latest", "bytes": LLM["memory"]}]
            assert told["image"]["bytes"] >= SMALL["weights"]
            assert told["image"]["name"] == "otter-mini"
        async with here.worker():  # nobody has the card but what the language model kept
            assert (await here.picture())["state"] == "succeeded"
            assert here.loaded == 1
            assert (await here.lease())["together"] is True


async def test_a_large_one_takes_turns_and_loses_nothing(tmp_path: Path) -> None:
    async with lab(tmp_path, LARGE) as here, here.worker():
        await here.picture()
        await here.turn()
        assert here.released
        drawn = await here.picture()
        assert here.loaded == 0
        assert drawn["result"]["notes"] == [], "it was told before anything was done"
        assert drawn["attempt"] == 1
        told = await here.lease()
        assert told["together"] is False
        assert "needs 5.0 GiB, and 4.6 GiB were free beside tiny:latest" in told["why"]


async def test_exclusive_is_what_it_always_was(tmp_path: Path) -> None:
    async with lab(tmp_path, SMALL) as here, here.worker(lease="exclusive"):
        await here.picture()
        await here.turn()
        assert here.released
        await here.picture()
        assert here.loaded == 0
        assert await here.lease() == {
            "mode": "exclusive",
            "image": {"name": "otter-mini", "bytes": SMALL["weights"] + SMALL["peak"]},
            "chat": [],
            "together": None,
            "why": None,
        }


async def test_memory_that_runs_out_beside_costs_time_and_no_picture(tmp_path: Path) -> None:
    async with lab(tmp_path, SMALL) as here:
        async with here.worker():
            await here.turn()
            drawn = await here.picture("otter, ranout")
            assert (drawn["state"], drawn["attempt"]) == ("succeeded", 1)
            assert "drawn again with the card to itself" in drawn["result"]["notes"][-1]
            assert here.loaded == 0
            await here.turn()
            assert here.released, "they take turns from now on"
        (tmp_path / "released").unlink()
        async with here.worker():
            drawn = await here.picture("otter, ranout")
            assert drawn["result"]["notes"] == [], "after a restart as well: it was not tried beside"
            assert here.loaded == 0
            await here.turn()
            assert here.released


async def test_a_process_that_dies_beside_draws_alone(tmp_path: Path) -> None:
    async with lab(tmp_path, SMALL) as here, here.worker():
        await here.turn()
        drawn = await here.picture("otter, breaks")
        assert (drawn["state"], drawn["attempt"]) == ("succeeded", 2)
        assert here.loaded == 0
        assert (await here.lease())["together"] is False


async def test_layers_on_the_processor_are_noticed_and_said(tmp_path: Path) -> None:
    async with lab(tmp_path, SMALL, on_card=(0.4, 1.0)) as here, here.worker():
        await here.picture()
        said = await here.turn()
        assert said["state"] == "succeeded"
        assert "Only 40 % of tiny:latest fit on the card beside" in said["result"]["notes"][0]
        assert here.released
        assert here.double.memory.rows()[0]["size_vram"] == LLM["memory"]
        assert (await here.picture())["state"] == "succeeded"
        assert here.loaded == 0


async def test_a_turn_that_is_cancelled_as_its_model_loads_leaves_the_card_to_pictures(tmp_path: Path) -> None:
    async with lab(tmp_path, SMALL, load_s=60.0) as here, here.worker() as worker:
        await here.picture()
        job = await worker.api.submit(chat("key-turn-1"))
        await worker.api.until(job["id"], lambda job: (job["turn"]["progress"] or {}).get("phase") == "loading")
        await until(lambda: bool(here.double.memory.runners))
        await worker.api.call("DELETE", f"/v1/jobs/{job['id']}")
        assert (await here.picture())["state"] == "succeeded"
        assert here.double.memory.runners == []
        assert (await worker.api.job(job["id"]))["state"] == "cancelled"


async def test_an_ollama_that_dies_between_is_no_reason_to_stay(tmp_path: Path) -> None:
    async with lab(tmp_path, SMALL) as here, here.worker():
        await here.turn()
        await here.double.stop()
        assert (await here.picture())["state"] == "succeeded"
        told = await here.lease()
        assert told["chat"] is None
        assert told["why"] == "Ollama could not be asked what it has on the card."
        said = await here.turn()
        assert said["error"]["code"] == "ollama_unreachable"
        assert here.released


async def test_a_pause_frees_the_card_of_both(tmp_path: Path) -> None:
    async with lab(tmp_path, SMALL) as here, here.worker() as worker:
        await here.picture()
        await here.turn()
        await worker.api.call("POST", "/v1/pause")
        await until(lambda: here.loaded == 0 and worker.parts.gpu.pid is None)
        await worker.api.call("POST", "/v1/resume")
        assert (await here.picture())["state"] == "succeeded"


async def test_cancelling_a_picture_that_waits_for_the_card_to_be_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was given back, and is cancelled before it begins again."""
    async with lab(tmp_path, SMALL) as here, here.worker() as worker:
        await here.turn()
        reached, go_on = asyncio.Event(), asyncio.Event()
        alone = worker.parts.card.alone

        async def held_up(*arguments: Any, **named: Any) -> None:
            await alone(*arguments, **named)
            reached.set()
            await go_on.wait()

        monkeypatch.setattr(worker.parts.card, "alone", held_up)
        job = await worker.api.submit(image("key-00099", prompt="ranout", steps=4))
        await reached.wait()
        await worker.api.call("DELETE", f"/v1/jobs/{job['id']}")
        go_on.set()
        assert (await here.picture())["state"] == "succeeded"
        assert (await worker.api.job(job["id"]))["state"] == "cancelled"
