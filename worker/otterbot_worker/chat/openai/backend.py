"""One OpenAI-compatible server: what it has, and the turns of chats that it answers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from ...errors import JobFailed
from ..backend import BackendStatus, Capabilities, ChatBackend
from ..beginnings import Beginnings
from ..choice import Choice
from ..chosen import Chosen
from ..failures import bad_model_name, cannot_chat
from ..records import NO_WISHES, ChatModel, ChatOutcome, Message, Phase, Unloaded, Wishes
from ..turn import Turns
from . import failures, wire
from .http import Http
from .refusals import Refusals
from .session import Session
from .settings import OpenAISettings

LIST_SECONDS = 30.0
"""For which a list of models is good enough to find one in it: a list of the cloud's costs time before each answer."""


class OpenAI:
    """One server, as a `ChatBackend`. Make it inside the event loop's thread.

    It may be on the worker's card, but nobody can ask it to leave: pictures are planned beside what it takes.
    """

    capabilities = Capabilities(
        needs_card=False,
        sees_pictures=True,
        knows_context=False,
        sends_thoughts=True,
        counts_tokens=True,
        calls_tools=True,
    )
    card = None
    about = None

    def __init__(
        self, settings: OpenAISettings, *, choice: Choice | None = None, beginnings: Beginnings | None = None
    ) -> None:
        self._settings = settings
        self._log = logging.getLogger("otterbot_worker.chat")
        self._http = Http(settings, self._log)
        self._choice = choice or Choice()
        self._refusals = Refusals(self._log)
        self._turns = Turns(settings, beginnings or Beginnings(), self._log)
        self._listed: tuple[float, list[ChatModel]] = (float("-inf"), [])

    @property
    def name(self) -> str:
        return self._settings.name

    async def for_turn(self) -> ChatBackend:
        return self

    async def close(self) -> None:
        await self._http.close()

    async def unload(self, timeout: float) -> Unloaded:
        return Unloaded(gone=True, on_card=0)

    # ------------------------------------------------------------ models

    async def models(self) -> list[ChatModel]:
        """The models that can chat, as far as their names tell."""
        return [model for model in await self._every_model() if model.chats]

    async def _every_model(self) -> list[ChatModel]:
        found = wire.models(
            await self._http.ask("/models"), server=self._settings.base, remote=not self._settings.at_home
        )
        self._listed = (time.monotonic(), found)
        return found

    async def status(self) -> BackendStatus:
        try:
            models = await self._every_model()
        except JobFailed as failed:
            reachable = failed.code != "ollama_unreachable"
            return BackendStatus(reachable=reachable, default=self._settings.model, problem=failed.message)
        name, problem = self._settings.model, None
        try:
            name = (await self._find(None, models)).name
        except JobFailed as failed:
            problem = failed.message
        chats = [model for model in models if model.chats]
        return BackendStatus(reachable=True, models=chats, default=name, problem=problem)

    async def _find(self, requested: str | None, models: Sequence[ChatModel]) -> ChatModel:
        """:raises JobFailed:"""
        chats = [model for model in models if model.chats]
        name = requested or self._settings.model or await self._choice.among(chats)
        if name is None:
            raise failures.no_model(self.name)
        if len(name) > 255 or not name.isprintable():
            raise bad_model_name()
        for model in models:
            if model.name in (name, f"{name}:latest"):
                if not model.chats:
                    raise cannot_chat(name)
                return model
        raise failures.missing(self.name, name)

    async def _chosen(self, requested: str | None) -> Chosen:
        asked_at, models = self._listed
        wanted = requested or self._settings.model
        if time.monotonic() - asked_at > LIST_SECONDS or all(model.name != wanted for model in models):
            models = await self._every_model()
        model = await self._find(requested, models)
        options = self._settings.options(model.name)
        context = min(options.num_ctx, model.context) if model.context else 0
        return Chosen(name=model.name, model=model, options=options, context=context, think=options.think or False)

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
        started = time.monotonic()
        chosen = await self._chosen(model)
        chosen.options = wishes.applied(chosen.options, thinks=chosen.thinks)
        chosen.tools = wishes.tools
        session = Session(chosen, http=self._http, refusals=self._refusals, settings=self._settings, log=self._log)
        return await self._turns.run(session, messages, started=started, on_text=on_text, on_phase=on_phase)
