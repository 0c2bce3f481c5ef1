"""The longest context that a model was trained for: listed with it, or asked for once, by its file's digest."""

from __future__ import annotations

import logging

from ...errors import JobFailed
from ..records import ChatModel
from .http import Http
from .wire import context_of


class ContextLengths:
    def __init__(self, http: Http, log: logging.Logger) -> None:
        self._http = http
        self._log = log
        self._known: dict[str, int] = {}

    async def of(self, model: ChatModel) -> int:
        """Tokens; 0: nobody says."""
        if model.context or model.digest in self._known:
            return model.context or self._known[model.digest]
        try:
            shown = await self._http.ask("POST", "/api/show", {"model": model.name})
        except JobFailed as failed:
            # Gone since it was listed, or the server is: what comes next says so.
            self._log.info("Ollama did not describe a model: %s", failed.code)
            return 0
        if model.digest:
            self._known[model.digest] = context_of(shown)
        return context_of(shown)
