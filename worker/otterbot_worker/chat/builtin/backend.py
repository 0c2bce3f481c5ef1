"""Models on the worker's own processor: which there are, and the turns that they answer."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence

from ...errors import JobFailed
from ..backend import BackendStatus, Capabilities, ChatBackend
from ..beginnings import Beginnings
from ..choice import Choice
from ..chosen import Chosen
from ..openai.refusals import Refusals
from ..records import NO_WISHES, ChatModel, ChatOutcome, Message, ModelOptions, Phase, Unloaded, Wishes
from ..turn import Turns
from . import failures
from .files import Files, ModelFile, runtime_is_here
from .process import Llama, Running, Wish
from .session import BuiltinSession
from .settings import BuiltinSettings

MOST_THREADS = 8


class Builtin:
    """A `ChatBackend` without a server of anybody else's. Make it inside the event loop's thread."""

    name = failures.NAME
    capabilities = Capabilities(
        needs_card=False, sees_pictures=False, knows_context=True, sends_thoughts=True, counts_tokens=True
    )
    card = None

    def __init__(
        self, settings: BuiltinSettings, *, choice: Choice | None = None, beginnings: Beginnings | None = None
    ) -> None:
        self._settings = settings
        self._log = logging.getLogger("otterbot_worker.chat")
        self._files = Files(settings.folder)
        self._choice = choice or Choice()
        self._refusals = Refusals(self._log)
        self._turns = Turns(settings, beginnings or Beginnings(), self._log)
        self._llama = Llama(keep_alive=settings.keep_alive, load_timeout=settings.load_timeout, log=self._log)
        self._one_at_a_time = asyncio.Lock()
        self._about: str | None = None

    @property
    def about(self) -> str | None:
        return self._about

    @property
    def running(self) -> Running | None:
        """The process that has a model now."""
        return self._llama.running

    async def for_turn(self) -> ChatBackend:
        return self

    async def close(self) -> None:
        await self._llama.end()

    async def unload(self, timeout: float) -> Unloaded:
        return Unloaded(gone=True, on_card=0)

    # ------------------------------------------------------------ models

    async def models(self) -> list[ChatModel]:
        return [found.model for found in await self._look()]

    async def _look(self) -> list[ModelFile]:
        """:raises JobFailed:"""
        if not await asyncio.to_thread(runtime_is_here):
            raise failures.nothing_installed()
        return await asyncio.to_thread(self._files.look)

    async def status(self) -> BackendStatus:
        try:
            found = await self._look()
        except JobFailed as failed:
            return BackendStatus(reachable=False, problem=failed.message)
        models, name, problem = [one.model for one in found], self._settings.model, None
        try:
            model = await self._find(None, found)
            name = model.name
            if (given_up := self._llama.given_up(model)) is not None:
                raise given_up
        except JobFailed as failed:
            problem = failed.message
        return BackendStatus(reachable=True, models=models, default=name, problem=problem, notice=self._about)

    async def _find(self, requested: str | None, found: Sequence[ModelFile]) -> ModelFile:
        """:raises JobFailed:"""
        name = requested or self._settings.model or await self._choice.among([one.model for one in found])
        if name is None:
            raise failures.no_model()
        for one in found:
            if one.name == name:
                self._about = failures.tiny(one) if one.tiny else None
                return one
        raise failures.missing(name)

    # ------------------------------------------------------------ chat

    async def chat(
        self,
        model: str | None,
        messages: Sequence[Message],
        *,
        on_text: Callable[[str], None],
        on_phase: Callable[[Phase], None],
        wishes: Wishes = NO_WISHES,
    ) -> ChatOutcome:
        """One turn, after those that came before: there is one process, which answers one at a time."""
        started = time.monotonic()
        found = await self._find(model, await self._look())
        options = self._settings.options(found.name)
        context = min(options.num_ctx, found.context)
        chosen = Chosen(name=found.name, model=found.model, options=options, context=context)
        wish = Wish(model=found, context=context, threads=_threads(options))
        chosen.options = wishes.applied(options, thinks=chosen.thinks)
        async with self._one_at_a_time:
            session = BuiltinSession(
                chosen, wish, llama=self._llama, refusals=self._refusals, settings=self._settings, log=self._log
            )
            try:
                return await self._turns.run(session, messages, started=started, on_text=on_text, on_phase=on_phase)
            finally:
                await session.close()
                self._llama.leave()


def _threads(options: ModelOptions) -> int:
    """As many as the settings name (``num_thread``), else half of the processor: as many as it has cores wait for each
    other where it is busy, and answer more slowly."""
    if isinstance(wanted := options.more.get("num_thread"), int) and wanted > 0:
        return wanted
    return max(1, min(MOST_THREADS, len(os.sched_getaffinity(0)) // 2))
