"""A lease with a real Ollama client, on a card whose free memory is told by what is on it. The GPU process is a handle
that loads and lets go at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from shared_card import SharedCard

from doubles.ollama import OllamaDouble
from otterbot_worker.chat.ollama import Ollama, OllamaSettings
from otterbot_worker.gpu.info import GpuInfoData
from otterbot_worker.queue.database import Database
from otterbot_worker.queue.store import Store
from otterbot_worker.runner import lease
from otterbot_worker.runner.lease import Card
from otterbot_worker.runner.sharing import Company, Sharing
from otterbot_worker.runner.sharing_store import SharingStore

LLM = {"name": "tiny", "size": 2_000_000_000, "memory": 2_750_000_000}
CONTEXT = 300_000_000


class Gpu:
    """``weights``: of any model that it loads; ``kept``: what it computed with, until it is trimmed."""

    def __init__(self, weights: int) -> None:
        self.weights, self.kept = weights, 1_000_000_000
        self.pid: int | None = None
        self.info = GpuInfoData(device="cuda:0", name="double")
        self.asked: list[str] = []

    @property
    def held(self) -> int:
        return 0 if self.pid is None else CONTEXT + (self.info.held_bytes or 0)

    async def start(self) -> None:
        self.pid = 1

    async def stop(self) -> None:
        self.pid = None
        self.info = replace(self.info, resident=None, held_bytes=None)

    async def release(self) -> None:
        self.asked.append("release")
        self.info = replace(self.info, resident=None, held_bytes=0)

    async def trim(self) -> None:
        self.asked.append("trim")
        self.info = replace(self.info, held_bytes=self.weights)

    def draws(self, model: str) -> None:
        self.info = replace(self.info, resident=model, held_bytes=self.weights + self.kept)


class Lab:
    def __init__(self, double: OllamaDouble, client: Ollama, store: Store, *, weights: int) -> None:
        self.double, self.client, self.store = double, client, store
        self.gpu = Gpu(weights)
        self.place = SharedCard(double, image=lambda: self.gpu.held)
        self.renew()

    def renew(self) -> None:
        """As after a restart of the worker: what it knows is what is stored."""
        self.known = SharingStore(self.store)
        sharing = Sharing(self.gpu, self.client, self.client.card, self.known, reserve=500_000_000)  # type: ignore[arg-type]
        self.card = Card(self.gpu, self.client, sharing)  # type: ignore[arg-type]

    async def picture(self, image: str = "sd15") -> Company:
        async with asyncio.timeout(10):
            company = await self.card.for_images(image)
        self.gpu.draws(image)
        await self.card.drew(image, company, None)
        return company

    async def turn(self, model: str | None = None) -> list[str]:
        """As `runner.turns` has it; the notes."""
        loads = await self.card.for_chat(model)
        notes = await self.card.load_beside(model, lambda _: None) if loads else []
        outcome = await self.says(model)
        await self.card.chatted(outcome)
        return notes

    async def says(self, model: str | None = None, client: Ollama | None = None) -> str:
        messages: Any = [{"role": "user", "content": "hello"}]
        outcome = await (client or self.client).chat(model, messages, on_text=len, on_phase=len)
        return outcome.model

    @property
    def loaded(self) -> list[str]:
        return [row["name"] for row in self.double.memory.rows()]

    @property
    def why(self) -> str:
        assert self.card.terms is not None
        assert not self.card.terms.together
        return self.card.terms.why or ""


@asynccontextmanager
async def lab(tmp_path: Path, *, weights: int = 2_100_000_000, **llm: Any) -> AsyncIterator[Lab]:
    database = await Database.open(tmp_path / "jobs.sqlite")
    async with OllamaDouble({"models": [LLM | llm]}) as double:
        client = Ollama(OllamaSettings(url=double.url, on_gpu=True))
        made = Lab(double, client, Store(database), weights=weights)
        with pytest.MonkeyPatch.context() as patch:
            made.place.put_in(patch)
            patch.setattr(lease, "LOOK_SECONDS", 0.02)
            patch.setattr(lease, "PATIENCE_SECONDS", 0.2)
            try:
                yield made
            finally:
                await client.close()
                await database.close()
