"""Who leaves the card before an image model comes, and when its memory is believed to be back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from core_lab import image, settings, worker_here

from doubles.ollama import OllamaDouble
from otterbot_worker.chat.ollama import Ollama, OllamaSettings
from otterbot_worker.gpu import driver
from otterbot_worker.gpu.info import GpuInfoData
from otterbot_worker.runner import lease as cards
from otterbot_worker.runner.lease import Card, CardTaken

GB = 10**9


class Gpu:
    """The handle on a GPU process that is there as soon as it is asked for."""

    def __init__(self, seen: Callable[[], None], *, before: str, after: str) -> None:
        self._seen, self._after = seen, after
        self.info = GpuInfoData(device=before, name="")
        self.pid: int | None = None

    async def start(self) -> None:
        if self.pid is None:
            self._seen()
            self.pid, self.info = 1, GpuInfoData(device=self._after, name="double")


class Lab:
    """``vram``: of the chat model; it comes back ``slow`` seconds after the model has left, where ``returns``."""

    def __init__(self, ollama: OllamaDouble, client: Ollama, **gpu: Any) -> None:
        self.double, self.client = ollama, client
        self.loaded_at_start: list[int] = []
        self.gpu = Gpu(lambda: self.loaded_at_start.append(len(ollama.memory.rows())), **gpu)
        self.card = Card(self.gpu, client)  # type: ignore[arg-type]
        self.slow, self.returns = 0.0, True
        self._empty_since: float | None = None

    async def somebody_chats(self) -> int:
        """Another client of the same server; how many bytes it has on the card then."""
        await self.client.chat(None, [{"role": "user", "content": "hello"}], on_text=len, on_phase=len)
        self._empty_since = None
        return sum(row["size_vram"] for row in self.double.memory.rows())

    def free(self) -> int | None:
        """As the driver would say."""
        if self.double.memory.rows():
            return 2 * GB
        now = time.monotonic()
        self._empty_since = self._empty_since or now
        back = self.returns and now >= self._empty_since + self.slow
        return 8 * GB if back else 2 * GB


@asynccontextmanager
async def lab(monkeypatch: pytest.MonkeyPatch, *, before: str = "cuda:0", after: str = "cuda:0") -> AsyncIterator[Lab]:
    async with OllamaDouble() as double:
        client = Ollama(OllamaSettings(url=double.url))
        made = Lab(double, client, before=before, after=after)
        monkeypatch.setattr(driver, "free_memory", made.free)
        monkeypatch.setattr(cards, "LOOK_SECONDS", 0.05)
        monkeypatch.setattr(cards, "PATIENCE_SECONDS", 0.6)
        try:
            yield made
        finally:
            await client.close()


async def timed(card: Card) -> float:
    started = time.monotonic()
    async with asyncio.timeout(10):
        await card.for_images("sd15")
    return time.monotonic() - started


async def test_what_somebody_else_loaded_between_two_pictures_has_left_before_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with lab(monkeypatch) as here:
        assert await timed(here.card) < 0.5
        assert here.card.holder == "images"
        assert await here.somebody_chats() > 0
        here.slow = 0.4
        assert await timed(here.card) >= 0.4, "the memory was not back yet when Ollama's list was empty"
        assert here.free() == 8 * GB
        assert await timed(here.card) < 0.3, "nobody was there"


async def test_memory_that_does_not_come_back_is_waited_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    async with lab(monkeypatch) as here:
        await here.somebody_chats()
        here.returns = False
        assert 0.6 <= await timed(here.card) < 5


async def test_without_a_driver_to_ask_nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async with lab(monkeypatch) as here:
        monkeypatch.setattr(driver, "free_memory", lambda: None)
        await here.somebody_chats()
        assert await timed(here.card) < 0.5


@pytest.mark.parametrize(("before", "loaded"), [("cuda:0", [0]), ("cuda", [0]), ("cpu", [1])])
async def test_the_process_starts_when_the_card_is_free(
    monkeypatch: pytest.MonkeyPatch, before: str, loaded: list[int]
) -> None:
    """It takes some of the card as soon as it is there. Only where that was not foreseen, Ollama leaves afterwards."""
    async with lab(monkeypatch, before=before) as here:
        await here.somebody_chats()
        await here.card.for_images("sd15")
        assert here.loaded_at_start == loaded
        assert here.double.memory.rows() == []


async def test_on_the_processor_nobody_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    async with lab(monkeypatch, before="cpu", after="cpu") as here:
        await here.somebody_chats()
        await here.card.for_images("sd15")
        assert here.double.memory.rows()


async def test_a_model_that_stays_keeps_the_process_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    async with lab(monkeypatch) as here:
        monkeypatch.setattr(cards, "UNLOAD_SECONDS", 0.3)
        talks = asyncio.Event()
        message = [{"role": "user", "content": "#stall"}]
        here.double.update({"models": [{"name": "tiny", "prompt": "{{ .Prompt }}<think></think>"}]})  # it streams
        other = Ollama(OllamaSettings(url=here.double.url))
        chat = asyncio.create_task(
            other.chat(None, message, on_text=lambda _: talks.set(), on_phase=len)  # type: ignore[arg-type]
        )
        await talks.wait()
        with pytest.raises(CardTaken):
            await here.card.for_images("sd15")
        assert (here.loaded_at_start, here.card.holder) == ([], None)
        chat.cancel()
        await asyncio.wait([chat])
        await other.close()


@pytest.mark.parametrize("how", ["retagged", "deleted"])
async def test_a_model_that_no_name_leads_to_any_more_holds_up_no_picture(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    async with lab(monkeypatch) as here:
        monkeypatch.setattr(cards, "UNLOAD_SECONDS", 60.0)
        await here.somebody_chats()
        old = here.double.models.pop("tiny:latest")
        if how == "retagged":
            here.double.models["tiny:latest"] = replace(old, version=2)
        await here.card.for_images("sd15")
        assert here.card.holder == "images"
        assert here.double.memory.rows(), "it leaves by itself"


async def test_a_model_of_another_client_between_two_pictures_through_the_whole_worker(tmp_path: Path) -> None:
    (tmp_path / "cuda").touch()
    async with OllamaDouble() as double:
        async with worker_here(settings(tmp_path, chat={"ollama_url": double.url})) as here:
            await here.api.done((await here.api.submit(image("key-00001")))["id"])
            other = Ollama(OllamaSettings(url=double.url))
            await other.chat(None, [{"role": "user", "content": "hello"}], on_text=len, on_phase=len)
            await other.close()
            assert double.memory.rows()
            done = await here.api.done((await here.api.submit(image("key-00002")))["id"])
            assert done["state"] == "succeeded"
            assert not double.memory.rows()
