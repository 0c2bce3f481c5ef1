"""Loads of models that go on when whoever waited for them has left.

Ollama binds a load to the request that asked for it: closing the connection aborts it, and the next one begins
anew. So a load is a request of its own, with a time of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Mapping
from typing import Any

from ..turn import NoFirstToken
from . import failures
from .http import Http
from .settings import OllamaSettings


class Loads:
    def __init__(self, http: Http, settings: OllamaSettings, log: logging.Logger) -> None:
        self._http = http
        self._settings = settings
        self._log = log
        self._running: dict[str, asyncio.Task[None]] = {}

    @property
    def running(self) -> bool:
        """Whether a model is being loaded."""
        return bool(self._running)

    async def loaded(self, body: Mapping[str, Any]) -> None:
        """Waits until the model of ``body`` is loaded with its options, by a load that runs already or a new one.

        :raises JobFailed:
        """
        key = json.dumps([body["model"], body["options"]], sort_keys=True)
        load = self._running.get(key)
        if load is None:
            load = self._running[key] = asyncio.create_task(self._load(body), name=f"load {body['model']}")
            load.add_done_callback(lambda done: self._over(key, done))
        await asyncio.wait([load])
        if load.cancelled():
            raise failures.load_stopped(str(body["model"]))
        load.result()

    async def stop(self) -> bool:
        """Stops every load: the card is for something else now. Whether there was one."""
        loads = list(self._running.values())
        for load in loads:
            load.cancel()
        if loads:
            await asyncio.wait(loads)
        return bool(loads)

    async def _load(self, body: Mapping[str, Any]) -> None:
        model, limit = str(body["model"]), self._settings.load_timeout
        wire = {**body, "messages": [], "stream": False}
        try:
            async with (
                self._http.chat(wire, patience=limit) as response,
                asyncio.timeout(self._settings.chunk_timeout),
            ):
                await response.read()
        except NoFirstToken:
            raise failures.endless_load(model, limit) from None

    def _over(self, key: str, load: asyncio.Task[None]) -> None:
        self._running.pop(key, None)
        with contextlib.suppress(asyncio.CancelledError):
            if load.exception() is not None:
                self._log.info("a load of a chat model failed")
