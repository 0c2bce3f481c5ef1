"""A built-in model for one turn: the process that has it is started, and asked as any such server is."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from ...errors import JobFailed
from ..beginnings import Leaves
from ..chosen import Chosen
from ..failures import broke_off
from ..openai.http import Http
from ..openai.refusals import Refusals
from ..openai.session import Session
from ..openai.settings import OpenAISettings
from ..records import Delta, Message, Phase
from .failures import NAME
from .process import Llama, Running, Wish
from .settings import BuiltinSettings


class BuiltinSession(Session):
    def __init__(
        self,
        chosen: Chosen,
        wish: Wish,
        *,
        llama: Llama,
        refusals: Refusals,
        settings: BuiltinSettings,
        log: logging.Logger,
    ) -> None:
        """There is no server yet: `ready` finds its address."""
        self._wish = wish
        self._llama = llama
        self._all = settings
        at = self._at("http://127.0.0.1", None)
        leaves: Leaves = "outside" if wish.model.packed else "unsaid"  # the tiny one has never heard of thoughts
        super().__init__(chosen, http=Http(at, log), refusals=refusals, settings=at, log=log, leaves=leaves)

    def _at(self, url: str, key: str | None) -> OpenAISettings:
        own = self._all
        return OpenAISettings(
            url=url,
            key=key,
            name=NAME,
            first_byte_timeout=own.first_byte_timeout,
            chunk_timeout=own.chunk_timeout,
            total_timeout=own.total_timeout,
            short_timeout=own.short_timeout,
            load_timeout=own.load_timeout,
        )

    async def ready(self, on_phase: Callable[[Phase], None]) -> list[str]:
        running = self._llama.running
        if running is None or running.wish != self._wish:
            on_phase("loading")
        found: Running = await self._llama.start(self._wish)
        self._settings = self._at(found.url, found.key)
        self._http = Http(self._settings, self._log)
        return await super().ready(on_phase)

    async def in_memory(self) -> bool:
        return self._llama.running is not None

    async def stream(self, messages: Sequence[Message]) -> AsyncGenerator[Delta]:
        whole = False
        try:
            async with aclosing(super().stream(messages)) as deltas:
                async for delta in deltas:
                    whole |= delta.done
                    yield delta
        except JobFailed as failed:
            if failed.code not in ("ollama_unreachable", broke_off().code):
                raise
            await self._llama.bury()
            raise broke_off() from None
        if not whole:
            await self._llama.bury()

    async def close(self) -> None:
        await self._http.close()
