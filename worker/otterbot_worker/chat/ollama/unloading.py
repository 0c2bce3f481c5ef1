"""Everything leaves Ollama's memory, whoever loaded it.

``/api/ps`` names a model as it was called when it was loaded. That name may be gone since, or mean another model: then
an unload by it does nothing. So models are matched by the digest of their file, and unloaded by any name that has it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from ...errors import JobFailed
from ..records import ChatModel, Unloaded
from .http import Http
from .wire import Loaded, name_for

NOBODY = ("not_running", "address", "proxy")
"""Reasons of ``ollama_unreachable`` where there is no Ollama that could hold anything. No picture waits for a wrong
address or a proxy without a server; what is free on the card is measured anyway."""
AGAIN_SECONDS = 2.0
LOOK_SECONDS = 0.1


class Unloading:
    """One go at it, until ``deadline`` (of ``time.monotonic``)."""

    def __init__(
        self,
        http: Http,
        *,
        loaded: Callable[[], Awaitable[Sequence[Loaded]]],
        models: Callable[[], Awaitable[Sequence[ChatModel]]],
        deadline: float,
        log: logging.Logger,
    ) -> None:
        self._http = http
        self._loaded = loaded
        self._models = models
        self._deadline = deadline
        self._log = log
        self._asked: dict[str, float] = {}
        self._on_card: dict[tuple[str, str], int] = {}
        self._nameless: dict[tuple[str, str], int] = {}

    async def run(self) -> Unloaded:
        gone = await self._all_leave()
        nameless = sum(self._nameless.values())
        left = {key: size for key, size in self._on_card.items() if key not in self._nameless}
        return Unloaded(gone=gone, on_card=sum(left.values()), nameless=nameless)

    async def _all_leave(self) -> bool:
        while True:
            try:
                names = await self._names()
                if not names:
                    return True
                now = time.monotonic()
                if now >= self._deadline:
                    self._log.warning("Ollama keeps %s loaded", ", ".join(sorted(names)))
                    return False
                for name in names:
                    # Again after a while: a request in the server's queue takes an unload back.
                    if now - self._asked.get(name, float("-inf")) >= AGAIN_SECONDS:
                        self._asked[name] = now
                        await self._http.ask("POST", "/api/chat", {"model": name, "messages": [], "keep_alive": 0})
            except JobFailed as failed:
                if failed.details.get("reason") in NOBODY:
                    return True
                if time.monotonic() >= self._deadline:
                    return False
            await asyncio.sleep(LOOK_SECONDS)

    async def _names(self) -> set[str]:
        """By which what is loaded can be unloaded. What has no name any more is remembered, and not waited for."""
        entries = await self._loaded()
        if not entries:
            return set()
        models = await self._models()
        self._nameless = {}
        names: set[str] = set()
        for entry in entries:
            key = (entry.name, entry.digest)
            self._on_card[key] = entry.size_vram
            name = name_for(models, entry)
            if name is None:
                self._nameless[key] = entry.size_vram
            else:
                names.add(name)
        return names
