"""One Ollama server: what it has, the turns of chats that it answers, and the card that it leaves."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from ...errors import JobFailed
from ..backend import BackendStatus, Capabilities, ChatBackend
from ..beginnings import Beginnings
from ..choice import Choice
from ..chosen import Chosen
from ..failures import bad_model_name, cannot_chat, cloud_model
from ..records import NO_WISHES, ChatModel, ChatOutcome, Message, ModelOptions, Phase, Unloaded, Wishes
from ..turn import Turns
from . import failures
from .card_use import OllamaCard
from .context_length import ContextLengths
from .http import Http
from .loads import Loads
from .preload import Preload
from .session import Session
from .settings import OllamaSettings
from .unloading import Unloading
from .wire import Loaded, chat_model, is_cloud, listed, loaded_model, named, same, think

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}")


class Ollama:
    """One server, as a `ChatBackend`. Make it inside the event loop's thread."""

    name = failures.NAME
    capabilities = Capabilities(
        needs_card=True,
        sees_pictures=True,
        knows_context=True,
        sends_thoughts=True,
        counts_tokens=True,
        calls_tools=True,
    )
    about = None

    def __init__(
        self,
        settings: OllamaSettings,
        *,
        log: logging.Logger | None = None,
        choice: Choice | None = None,
        beginnings: Beginnings | None = None,
    ) -> None:
        self.settings = settings
        self._log = log or logging.getLogger("otterbot_worker.chat")
        self._http = Http(settings, self._log)
        self._loads = Loads(self._http, settings, self._log)
        self._lengths = ContextLengths(self._http, self._log)
        self._preload = Preload(self._loads, settings, loaded=self.loaded, unload=self.unload, log=self._log)
        self.card = OllamaCard(loaded=self.loaded, choose=self._choose, loads=self._loads, preload=self._preload)
        self._choice = choice or Choice()
        self._turns = Turns(settings, beginnings or Beginnings(), self._log)
        self._lowered: set[str] = set()
        """Models of which was said that they get a smaller context than the settings name."""

    async def for_turn(self) -> ChatBackend:
        return self

    async def close(self) -> None:
        await self._loads.stop()
        await self._http.close()

    # ------------------------------------------------------------ what the server is and has

    async def every_model(self) -> list[ChatModel]:
        """All that the server has, as it orders them (newest first)."""
        models = map(chat_model, listed(await self._http.ask("GET", "/api/tags")))
        return [model for model in models if model.name]

    async def models(self) -> list[ChatModel]:
        """The models that can chat."""
        return [model for model in await self.every_model() if model.chats]

    async def loaded(self) -> list[Loaded]:
        """What is in memory now."""
        loaded = map(loaded_model, listed(await self._http.ask("GET", "/api/ps")))
        return [entry for entry in loaded if entry.name or entry.digest]

    async def status(self) -> BackendStatus:
        name, problem = None, None
        try:
            models = await self.every_model()
        except JobFailed as failed:
            return BackendStatus(reachable=False, problem=failed.message)
        try:
            name = await self._default(models)
            self._check(name, models)
            problem = failures.missing(name) if named(models, name) is None else None
        except JobFailed as failed:
            problem = failed
        return BackendStatus(
            reachable=True,
            models=[model for model in models if model.chats],
            default=name,
            problem=problem.message if problem is not None else None,
        )

    # ------------------------------------------------------------ the model of a turn

    async def resolve(self, requested: str | None) -> str:
        """The model for a request: the one asked for, the configured one, or the one that was chosen once."""
        return await self._resolve(requested, await self.every_model())

    async def _resolve(self, requested: str | None, models: Sequence[ChatModel]) -> str:
        name = requested or await self._default(models)
        self._check(name, models)
        return name

    async def _default(self, models: Sequence[ChatModel]) -> str:
        if self.settings.model is not None:
            return self.settings.model
        usable = [model for model in models if model.chats and (self.settings.allow_cloud or not model.remote)]
        name = await self._choice.among(usable)
        if name is None:
            raise failures.no_model()
        return name

    def _check(self, name: str, models: Sequence[ChatModel]) -> None:
        if not _NAME.fullmatch(name):
            raise bad_model_name()
        model = named(models, name)
        if not self.settings.allow_cloud and (is_cloud(name) or (model is not None and model.remote)):
            raise cloud_model(name)
        if model is not None and not model.chats:
            raise cannot_chat(name)

    def options(self, model: str) -> ModelOptions:
        """The frozen options of a model."""
        for name, options in self.settings.models.items():
            if same(name, model):
                return options
        return self.settings.defaults

    async def _choose(self, requested: str | None, wishes: Wishes = NO_WISHES) -> Chosen:
        models = await self.every_model()
        name = await self._resolve(requested, models)
        model = named(models, name)
        most = await self._lengths.of(model) if model is not None else 0
        options = self.options(name)
        if 0 < most < options.num_ctx:
            # Ollama takes more without a word, and does not honour it.
            if name not in self._lowered:
                self._lowered.add(name)
                said = "num_ctx of %s is %d in the settings; the model was made for %d, which is taken"
                self._log.warning(said, name, options.num_ctx, most)
            options = replace(options, num_ctx=most)
        thinks = think(name, model, options)
        options = wishes.applied(options, thinks=bool(thinks))
        # A model that has not learned them is refused with them.
        tools = wishes.tools if model is not None and "tools" in model.capabilities else ()
        return Chosen(name=name, model=model, options=options, context=options.num_ctx, think=thinks, tools=tools)

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
        """One turn. Leaving it does not stop a load that it waits for: that goes on for whoever asks next."""
        started = time.monotonic()
        chosen = await self._choose(model, wishes)
        session = Session(chosen, http=self._http, preload=self._preload, settings=self.settings, log=self._log)
        return await self._turns.run(session, messages, started=started, on_text=on_text, on_phase=on_phase)

    # ------------------------------------------------------------ the card

    async def unload(self, timeout: float) -> Unloaded:
        """Stops our own loads, asks every loaded model to go, and waits until the server has none that can go.

        Neither answer says that the memory is back: the device knows that. A server that is not running holds nothing.
        """
        deadline = time.monotonic() + timeout
        # While it loads, an unload has no effect.
        stopped = await self._loads.stop()
        unloading = Unloading(self._http, loaded=self.loaded, models=self.every_model, deadline=deadline, log=self._log)
        return replace(await unloading.run(), load_stopped=stopped)
