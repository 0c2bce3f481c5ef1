"""The chat backend's state as last seen: API calls do not wait for the backend."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from ..chat import BackendStatus, ChatBackend, ChatModel, Loaded
from ..errors import JobFailed

FRESH_SECONDS = 5.0
PATIENCE_SECONDS = 1.0

State = Literal["reachable", "unreachable", "off"]


class ChatStatus:
    """Asks the backend at most every ``FRESH_SECONDS``. Where it does not answer within ``PATIENCE_SECONDS``, the last
    known state is returned."""

    def __init__(self, backend: ChatBackend | None, configured: str | None) -> None:
        """``configured``: the model that the settings name."""
        self._backend = backend
        self._configured = configured
        self._known = BackendStatus(reachable=False)
        self._loaded: Loaded | None = None
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None

    async def get(self) -> tuple[State, Sequence[ChatModel]]:
        if self._backend is None:
            return "off", []
        if time.monotonic() - self._asked_at > FRESH_SECONDS:
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._ask(self._backend), name=f"ask {self._backend.name}")
            await asyncio.wait([self._asking], timeout=PATIENCE_SECONDS)
        return "reachable" if self._known.reachable else "unreachable", self._known.models

    async def default_model(self) -> str | None:
        """The model of a turn that names none; ``None`` while nobody knows."""
        if self._backend is None:
            return None
        await self.get()
        return self._known.default or self._configured

    async def problem(self) -> str | None:
        """Why a chat with the default model cannot work, as a sentence; ``None``: nothing is known to be wrong."""
        await self.get()
        return self._known.problem

    @property
    def backend(self) -> str | None:
        """The backend's name for people; ``None``: chat is switched off."""
        return None if self._backend is None else self._backend.name

    async def notice(self) -> str | None:
        """A sentence for the operator although chats work; ``None``: there is none."""
        await self.get()
        return self._known.notice

    async def loaded(self) -> Loaded | None:
        """What its models take of the card; ``None``: nobody can say."""
        await self.get()
        return self._loaded

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._asking

    async def _ask(self, backend: ChatBackend) -> None:
        status = await backend.status()
        if not status.reachable:  # an unreachable backend keeps its last known models
            known = self._known
            status = replace(status, models=known.models, default=known.default)
        self._known = status
        self._loaded = await _loaded(backend)
        self._asked_at = time.monotonic()


async def _loaded(backend: ChatBackend) -> Loaded | None:
    try:
        return await backend.card.loaded() if backend.card is not None else None
    except JobFailed:
        return None
