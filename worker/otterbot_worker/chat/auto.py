"""Two backends in one: the better one where it answers, the other where it does not; asked anew before each turn."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from ..errors import JobFailed
from .backend import BackendStatus, Capabilities, ChatBackend
from .card_use import CardModels
from .failures import unreachable
from .records import NO_WISHES, ChatModel, ChatOutcome, Message, Phase, Unloaded, Wishes

log = logging.getLogger("otterbot_worker.chat")


class Auto:
    """A `ChatBackend`. ``other``'s models do not need the card."""

    def __init__(self, better: ChatBackend, other: ChatBackend) -> None:
        self._better = better
        self._other = other
        self._now = better
        self._advice: str | None = None
        """Where neither works: what would make the other one work."""

    @property
    def name(self) -> str:
        return self._now.name

    @property
    def about(self) -> str | None:
        return self._now.about

    @property
    def capabilities(self) -> Capabilities:
        """Of the better one: what the lease has to reckon with. Those of a turn has what `for_turn` returns."""
        return self._better.capabilities

    @property
    def card(self) -> CardModels | None:
        return self._better.card

    async def for_turn(self) -> ChatBackend:
        """Itself where neither works, so that a turn fails with what there is to do."""
        await self.status()
        return self._now if self._advice is None else self

    async def status(self) -> BackendStatus:
        better = await self._better.status()
        if better.reachable and (better.models or better.default is not None):
            self._use(self._better)
            return better
        other = await self._other.status()
        if other.problem is None:
            self._use(self._other)
            # That it is off is normal. That it has no model, or a wrong address, the operator should hear.
            usual = better.problem in (None, unreachable(self._better.name).message)
            said = [other.notice, None if usual else better.problem]
            return replace(other, notice=" ".join(filter(None, said)) or None)
        self._use(self._better, advice=other.problem)
        return replace(better, problem=f"{better.problem} {other.problem}")

    def _use(self, backend: ChatBackend, *, advice: str | None = None) -> None:
        self._advice = advice
        if backend is not self._now:
            log.info("chats are answered by %s from now on", backend.name)
            self._now = backend

    async def models(self) -> list[ChatModel]:
        await self.status()
        return await self._now.models()

    async def chat(
        self,
        model: str | None,
        messages: Sequence[Message],
        *,
        on_text: Callable[[str], None],
        on_phase: Callable[[Phase], None],
        wishes: Wishes = NO_WISHES,
    ) -> ChatOutcome:
        await self.status()
        try:
            return await self._now.chat(model, messages, on_text=on_text, on_phase=on_phase, wishes=wishes)
        except JobFailed as failed:
            if self._advice is None:
                raise
            raise JobFailed(failed.code, f"{failed.message} {self._advice}", failed.details) from None

    async def unload(self, timeout: float) -> Unloaded:
        return await self._better.unload(timeout)

    async def close(self) -> None:
        await self._better.close()
        await self._other.close()
