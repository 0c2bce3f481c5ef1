"""What is known of a model's file, asked of the server once: by the file's digest, so that a new one is asked anew."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from otterbot_worker.chat.entries import context_of
from otterbot_worker.chat.records import ChatModel
from otterbot_worker.chat.server import Server
from otterbot_worker.chat.thinking import opens_thought
from otterbot_worker.errors import JobFailed


@dataclass(frozen=True, kw_only=True)
class Trait:
    """``context``: the longest that it was trained for, 0 where nobody says. ``inside``: it begins inside a thought."""

    context: int = 0
    inside: bool = False


class Traits:
    def __init__(self, server: Server, log: logging.Logger) -> None:
        self._server = server
        self._log = log
        self._known: dict[str, Trait] = {}

    async def of(self, model: ChatModel) -> Trait:
        known = self._known.get(model.digest) if model.digest else None
        if known is not None:
            return known
        try:
            shown = await self._server.ask("POST", "/api/show", {"model": model.name})
        except JobFailed as failed:
            # Gone since it was listed, or the server is: what comes next says so.
            self._log.info("Ollama did not describe a model: %s", failed.code)
            return Trait(context=model.context)
        trait = Trait(
            context=model.context or context_of(shown),
            # Of a model whose thoughts it knows, the server keeps them apart.
            inside="thinking" not in model.capabilities and opens_thought(str(shown.get("template") or "")),
        )
        if model.digest:
            self._known[model.digest] = trait
        return trait

    def learn_inside(self, digest: str) -> None:
        """The end of a thought came that had no beginning: next time nothing shows before it."""
        if digest:
            self._known[digest] = replace(self._known.get(digest, Trait()), inside=True)
