"""The chat model of an operator who names none: chosen once, and kept.

A server may list what was changed last first: then its first model is another one after every installation.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

from .records import ChatModel

log = logging.getLogger(__name__)


class Choice:
    """``kept`` is the choice of an earlier life; ``keep`` stores a new one."""

    def __init__(self, kept: str | None = None, keep: Callable[[str], Awaitable[None]] | None = None) -> None:
        self._kept = kept
        self._keep = keep

    async def among(self, models: Sequence[ChatModel]) -> str | None:
        """The kept model while the server has it; else its first, from then on."""
        if self._kept is not None and any(model.name == self._kept for model in models):
            return self._kept
        if not models:
            return None
        name = models[0].name
        log.info("the chat model is %s from now on; chat.default_model names another one", name)
        self._kept = name
        if self._keep is not None:
            await self._keep(name)
        return name
