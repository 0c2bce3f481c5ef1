"""What is known of a model's file, asked of the server once: by the file's digest, so that a new one is asked anew."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from ..errors import JobFailed
from .entries import context_of, template_of
from .records import ChatModel
from .server import Server
from .thinking import opens_thought, speaks_of_thoughts


@dataclass(frozen=True, kw_only=True)
class Trait:
    """``context``: the longest that it was trained for, 0 where nobody says. ``inside``: it seems to begin inside a
    thought, so that nothing should show before that ends; ``surely``: what ends without that end is no answer."""

    context: int = 0
    inside: bool = False
    surely: bool = False
    wary: bool = False
    """Its template speaks of thoughts: until an answer has come, it may begin inside one."""


class Traits:
    def __init__(self, server: Server, log: logging.Logger) -> None:
        self._server = server
        self._log = log
        self._known: dict[str, Trait] = {}
        self._began_inside: dict[str, int] = {}
        """How many of a model's last answers, one after another, began inside a thought."""

    async def of(self, model: ChatModel) -> Trait:
        trait = self._known.get(model.digest) if model.digest else None
        trait = trait or await self._asked(model)
        times = self._began_inside.get(model.digest, int(trait.wary))
        return replace(trait, inside=trait.inside or times > 0, surely=trait.surely or times > 1)

    async def _asked(self, model: ChatModel) -> Trait:
        try:
            shown = await self._server.ask("POST", "/api/show", {"model": model.name})
        except JobFailed as failed:
            # Gone since it was listed, or the server is: what comes next says so.
            self._log.info("Ollama did not describe a model: %s", failed.code)
            return Trait(context=model.context)
        # Of a model whose thoughts it knows, the server keeps them apart.
        template = "" if "thinking" in model.capabilities else template_of(shown)
        inside = opens_thought(template)
        trait = Trait(
            context=model.context or context_of(shown), inside=inside, surely=inside, wary=speaks_of_thoughts(template)
        )
        if model.digest:
            self._known[model.digest] = trait
        return trait

    def learn(self, digest: str, *, began_inside: bool) -> None:
        """From a whole answer: whether the end of a thought came in it that had no beginning."""
        if digest:
            self._began_inside[digest] = self._began_inside.get(digest, 0) + 1 if began_inside else 0
