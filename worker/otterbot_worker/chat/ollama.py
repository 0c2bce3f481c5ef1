"""One Ollama server: what it has, the turns of chats that it answers, and the card that it leaves."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..errors import JobFailed
from . import failures, turn
from .answer import Answer, Phases
from .asking import Asking
from .beginnings import Beginnings
from .choice import Choice
from .chosen import Chosen
from .contexts import Contexts
from .entries import chat_model, is_cloud, listed, loaded_model, named, same
from .loads import Loads
from .readying import Readying
from .records import ChatModel, ChatOutcome, Loaded, ModelOptions, OllamaSettings, Phase, Unloaded
from .server import Server
from .unloading import Unloading

__all__ = ["ChatModel", "ChatOutcome", "ModelOptions", "Ollama", "OllamaSettings"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}")


@dataclass(frozen=True, kw_only=True)
class Look:
    """The models that can chat, the default one, and why a chat with it cannot work, as a sentence."""

    models: list[ChatModel]
    default: str | None
    problem: str | None


class Ollama:
    """One server. Make it inside the event loop's thread, use it from one loop, `close` it at the end.

    Failures are `JobFailed` with the codes of `schemas.Failure`; cancellation leaves as `asyncio.CancelledError`.
    """

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
        self._server = Server(settings, self._log)
        self._loads = Loads(self._server, settings, self._log)
        self._contexts = Contexts(self._server, self._log)
        self._readying = Readying(self._loads, settings, loaded=self.loaded, unload_all=self.unload_all, log=self._log)
        self._ratios = turn.Ratios()
        self._choice = choice or Choice()
        self._beginnings = beginnings or Beginnings()
        self._lowered: set[str] = set()
        """Models of which was said that they get a smaller context than the settings name."""

    async def close(self) -> None:
        await self._loads.stop()
        await self._server.close()

    # ------------------------------------------------------------ what the server is and has

    async def reachable(self) -> bool:
        try:
            await self._server.ask("GET", "/api/version")
        except JobFailed:
            return False
        return True

    async def every_model(self) -> list[ChatModel]:
        """All that the server has, as it orders them (newest first)."""
        models = map(chat_model, listed(await self._server.ask("GET", "/api/tags")))
        return [model for model in models if model.name]

    async def list_models(self) -> list[ChatModel]:
        """The models that can chat."""
        return [model for model in await self.every_model() if model.chats]

    async def loaded(self) -> list[Loaded]:
        """What is in memory now."""
        loaded = map(loaded_model, listed(await self._server.ask("GET", "/api/ps")))
        return [entry for entry in loaded if entry.name or entry.digest]

    async def look(self) -> Look:
        """What there is to chat with. Raises where nobody answers."""
        models = await self.every_model()
        name, problem = None, None
        try:
            name = await self._default(models)
            self._check(name, models)
            problem = failures.missing(name) if named(models, name) is None else None
        except JobFailed as failed:
            problem = failed
        chats = [model for model in models if model.chats]
        return Look(models=chats, default=name, problem=problem.message if problem is not None else None)

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
            raise failures.bad_model_name()
        model = named(models, name)
        if not self.settings.allow_cloud and (is_cloud(name) or (model is not None and model.remote)):
            raise failures.cloud_model(name)
        if model is not None and not model.chats:
            raise failures.cannot_chat(name)

    def options(self, model: str) -> ModelOptions:
        """The frozen options of a model."""
        for name, options in self.settings.models.items():
            if same(name, model):
                return options
        return self.settings.defaults

    async def _choose(self, requested: str | None) -> Chosen:
        models = await self.every_model()
        name = await self._resolve(requested, models)
        model = named(models, name)
        most = await self._contexts.of(model) if model is not None else 0
        options = self.options(name)
        if 0 < most < options.num_ctx:
            # Ollama takes more without a word, and does not honour it.
            if name not in self._lowered:
                self._lowered.add(name)
                said = "num_ctx of %s is %d in the settings; the model was made for %d, which is taken"
                self._log.warning(said, name, options.num_ctx, most)
            options = replace(options, num_ctx=most)
        return Chosen(name=name, model=model, options=options, context=options.num_ctx)

    # ------------------------------------------------------------ chat

    async def chat(
        self,
        model: str | None,
        messages: Sequence[turn.Message],
        *,
        on_text: Callable[[str], None],
        on_phase: Callable[[Phase], None],
    ) -> ChatOutcome:
        """One turn. ``on_text`` gets all of the answer so far, at most every ``text_interval`` seconds.

        Leaving it does not stop a load that it waits for: that goes on for whoever asks next. An answer that breaks off
        after something came is an outcome (``complete=False``), not an error.
        Raises `JobFailed`: ``ollama_unreachable``, ``chat_model_missing``, ``chat_too_long``, ``chat_broke_off``,
        ``chat_timeout``, ``chat_failed``.
        """
        started = time.monotonic()
        chosen = await self._choose(model)
        phases = Phases(on_phase)
        answer = Answer(on_text, phases.enter, self.settings.text_interval)
        asking = Asking(
            chosen,
            messages,
            answer,
            server=self._server,
            settings=self.settings,
            readying=self._readying,
            ratios=self._ratios,
            beginnings=self._beginnings,
            log=self._log,
        )
        failure: JobFailed | None = None
        try:
            await asking.run(phases.enter)
        except JobFailed as failed:
            failure = failed
        text = answer.text()
        await self._beginnings.learn(
            chosen, inside=answer.began_inside, whole=failure is None and answer.whole, apart=answer.apart
        )
        if not text:
            raise failure or asking.no_text()
        if failure is not None:
            self._log.warning("chat answer broke off: %s %s", failure.code, failure.details)
        took = time.monotonic() - started
        return ChatOutcome(text=text, model=chosen.name, complete=failure is None, took=took, notes=asking.notes)

    # ------------------------------------------------------------ the card

    async def unload_all(self, timeout: float = 10.0) -> Unloaded:
        """Stops our own loads, asks every loaded model to go, and waits until the server has none that can go.

        Neither answer says that the memory is back: the device knows that. A server that is not running holds nothing.
        """
        deadline = time.monotonic() + timeout
        # While it loads, an unload has no effect.
        stopped = await self._loads.stop()
        unloading = Unloading(
            self._server, loaded=self.loaded, models=self.every_model, deadline=deadline, log=self._log
        )
        return replace(await unloading.run(), load_stopped=stopped)
