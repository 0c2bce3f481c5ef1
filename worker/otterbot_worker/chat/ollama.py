"""The client of an Ollama server, over its own HTTP API.

Not the official client: that one splits lines like ``str.splitlines``, and Ollama sends U+0085 raw. Here a line ends
with ``b"\\n"`` and nothing else. Leaving a call (cancellation, time-out) closes its connection, which stops the server:
a load is aborted, an answer ends.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from otterbot_worker.chat import failures, turn
from otterbot_worker.chat.answer import Answer, BrokenStream, Phases, objects
from otterbot_worker.chat.entries import chat_model, find, is_cloud, loaded_model, same
from otterbot_worker.chat.records import ChatModel, ChatOutcome, Loaded, ModelOptions, OllamaSettings, Phase, Unloaded
from otterbot_worker.errors import JobFailed

__all__ = ["ChatModel", "ChatOutcome", "ModelOptions", "Ollama", "OllamaSettings"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,254}")
_MAX_REPLY = 8 * 1024 * 1024
_RELOAD_WAIT = 20.0


class Ollama:
    """One server. Make it inside the event loop's thread, use it from one loop, `close` it at the end.

    Failures are `JobFailed` with the codes of `schemas.Failure`; cancellation leaves as `asyncio.CancelledError`.
    """

    def __init__(self, settings: OllamaSettings, *, log: logging.Logger | None = None) -> None:
        self.settings = settings
        self._url = settings.url.rstrip("/")
        self._log = log or logging.getLogger("otterbot_worker.chat")
        self._session: aiohttp.ClientSession | None = None
        self._known_away = False

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    # ------------------------------------------------------------ what the server is and has

    async def reachable(self) -> bool:
        try:
            await self._ask("GET", "/api/version")
        except JobFailed:
            return False
        return True

    async def list_models(self) -> list[ChatModel]:
        """The models that can chat, as the server orders them (newest first)."""
        entries = (await self._ask("GET", "/api/tags")).get("models")
        models = [chat_model(entry) for entry in entries or [] if isinstance(entry, Mapping)]
        return [model for model in models if not model.capabilities or "completion" in model.capabilities]

    async def loaded(self) -> list[Loaded]:
        """What is in memory now."""
        entries = (await self._ask("GET", "/api/ps")).get("models")
        return [loaded_model(entry) for entry in entries or [] if isinstance(entry, Mapping)]

    async def resolve(self, requested: str | None) -> str:
        """The model for a request: the one asked for, the configured one, or the server's first."""
        name = requested or self.settings.model
        models = await self.list_models()
        if name is None:
            usable = (model.name for model in models if self.settings.allow_cloud or not model.remote)
            name = next(usable, None)
            if name is None:
                raise failures.no_model()
        if not _NAME.fullmatch(name):
            raise failures.bad_model_name()
        remote = is_cloud(name) or any(model.remote for model in models if same(model.name, name))
        if remote and not self.settings.allow_cloud:
            raise failures.cloud_model(name)
        return name

    def options(self, model: str) -> ModelOptions:
        """The frozen options of a model."""
        for name, options in self.settings.models.items():
            if same(name, model):
                return options
        return self.settings.defaults

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

        An answer that breaks off after something came is an outcome (``complete=False``), not an error.
        Raises `JobFailed`: ``ollama_unreachable``, ``chat_model_missing``, ``chat_too_long``, ``chat_broke_off``,
        ``chat_timeout``, ``chat_failed``.
        """
        started = time.monotonic()
        notes: list[str] = []
        phases = Phases(on_phase)
        answer = Answer(on_text, phases.enter, self.settings.text_interval)
        failure: JobFailed | None = None
        name = ""
        try:
            async with asyncio.timeout(self.settings.total_timeout):
                name = await self.resolve(model)
                options = self.options(name)
                fitted = turn.fit(messages, context=options.num_ctx, answer=options.answer)
                if fitted.left_out:
                    notes.append(
                        f"The oldest {fitted.left_out} messages of this conversation no longer fit and were left out."
                    )
                notes += await self._load(name, options, phases.enter)
                await self._stream(name, options, fitted.messages, answer)
        except JobFailed as failed:
            failure = failed
        except TimeoutError:
            failure = failures.stalled(self.settings.total_timeout)
        text = answer.text()
        if not text:
            raise failure or failures.empty(thought=answer.thought, cut=answer.cut)
        if failure is not None:
            self._log.warning("chat answer broke off: %s %s", failure.code, failure.details)
        elif answer.cut:
            notes.append("The answer was cut because it reached its greatest length.")
        return ChatOutcome(
            text=text, model=name, complete=failure is None, took=time.monotonic() - started, notes=notes
        )

    async def _load(self, name: str, options: ModelOptions, on_phase: Callable[[Phase], None]) -> list[str]:
        """Has the model in memory with its options, on the card as a whole if that can be had; says what cannot."""
        entry = find(await self.loaded(), name)
        if entry is not None and entry.context in (None, options.num_ctx):
            on_phase("thinking")
            return []
        on_phase("loading")
        await self._preload(name, options)
        entry = find(await self.loaded(), name)
        spilled = self.settings.on_gpu and entry is not None and 0 < entry.size_vram < entry.size
        # Ollama places layers by what is free at that moment, and never moves them: once more, with the card empty.
        if spilled and (await self.unload_all(_RELOAD_WAIT)).gone:
            await self._preload(name, options)
            entry = find(await self.loaded(), name)
        on_phase("thinking")
        if not self.settings.on_gpu or entry is None or entry.size_vram >= entry.size:
            return []
        self._log.warning("%s does not fit on the card: %d of %d bytes", name, entry.size_vram, entry.size)
        share = min(99, round(100 * entry.size_vram / entry.size))
        return [f"Only {share} % of the chat model fit on the card, so it answers slowly."]

    async def _preload(self, name: str, options: ModelOptions) -> None:
        body = self._body(name, options) | {"messages": [], "stream": False}
        async with self._post(body, name, options) as response, asyncio.timeout(self.settings.chunk_timeout):
            await response.read()

    async def _stream(self, name: str, options: ModelOptions, messages: Sequence[turn.Message], answer: Answer) -> None:
        think = options.think
        if think is None:
            think = "low" if name.rsplit("/", 1)[-1].startswith("gpt-oss") else False
        body = self._body(name, options) | {"messages": list(messages), "stream": True, "think": think}
        try:
            async with self._post(body, name, options) as response:
                async for line in objects(response.content, self.settings.chunk_timeout):
                    if isinstance(error := line.get("error"), str):
                        raise failures.from_answer(200, error, model=name, context=options.num_ctx)
                    answer.add(line)
                    if line.get("done") is True or answer.cut:
                        return
        except BrokenStream as error:
            self._log.warning("the chat's stream is broken: %s", error)
        raise failures.broke_off()

    def _body(self, name: str, options: ModelOptions) -> dict[str, Any]:
        return {"model": name, "keep_alive": f"{max(1, round(self.settings.keep_alive))}s", "options": options.wire()}

    @asynccontextmanager
    async def _post(
        self, body: dict[str, Any], name: str, options: ModelOptions
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """``POST /api/chat`` up to the headers, which come with the first token: silence until then is loading."""
        limit = self.settings.first_byte_timeout
        try:
            async with asyncio.timeout(limit):
                response = await self._client().post(f"{self._url}/api/chat", json=body, allow_redirects=False)
        except aiohttp.ClientError as error:
            raise self._unreachable(error) from None
        except TimeoutError:
            raise failures.slow_start(limit) from None
        try:
            if response.status != 200:
                error_text = await self._error_text(response)
                raise failures.from_answer(response.status, error_text, model=name, context=options.num_ctx)
            yield response
        except aiohttp.ClientError as error:
            self._log.warning("the chat's connection broke: %s", type(error).__name__)
            raise failures.broke_off() from None
        except TimeoutError:
            raise failures.stalled(self.settings.chunk_timeout) from None
        finally:
            response.close()

    # ------------------------------------------------------------ the card

    async def unload_all(self, timeout: float = 10.0) -> Unloaded:
        """Asks every loaded model to go and waits until the server has none.

        Never while a chat of our own loads. Neither answer says that the memory is back: the device knows that.
        A server that is not running holds nothing.
        """
        on_card: dict[str, int] = {}
        gone = await self._all_leave(time.monotonic() + timeout, on_card)
        return Unloaded(gone=gone, on_card=sum(on_card.values()))

    async def _all_leave(self, deadline: float, on_card: dict[str, int]) -> bool:
        """Whether they have. ``on_card`` gets the bytes that each of them had there."""
        asked: dict[str, float] = {}
        while True:
            try:
                entries = await self.loaded()
                on_card |= {entry.name: entry.size_vram for entry in entries}
                if not entries:
                    return True
                now = time.monotonic()
                names = {entry.name for entry in entries}
                if now >= deadline:
                    self._log.warning("Ollama keeps %s loaded", ", ".join(sorted(names)))
                    return False
                for name in names:
                    # Again after a while: a request in the server's queue takes an unload back.
                    if now - asked.get(name, float("-inf")) >= 2.0:
                        asked[name] = now
                        await self._ask("POST", "/api/chat", {"model": name, "messages": [], "keep_alive": 0})
            except JobFailed as failed:
                if failed.details.get("reason") == "not_running":
                    return True
                if time.monotonic() >= deadline:
                    return False
            await asyncio.sleep(0.1)

    # ------------------------------------------------------------ the wire

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=self.settings.short_timeout)
            # A kept connection may be one that a restarted server has closed; a new one to the next room is free.
            connector = aiohttp.TCPConnector(force_close=True)
            self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False)
        return self._session

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """A question that is answered at once, with one JSON object. Raises ``ollama_unreachable``."""
        try:
            async with asyncio.timeout(self.settings.short_timeout):
                async with self._client().request(
                    method, self._url + path, json=body, allow_redirects=False
                ) as response:
                    data = await response.content.read(-1) if response.status == 200 else b""
                    self._known_away = False
                    if response.status != 200:
                        self._log.info("Ollama answered %s with %d", path, response.status)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error) from None
        if not data:
            return {}
        try:
            answer = json.loads(data[:_MAX_REPLY])
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            self._log.warning("what answers at %s is no Ollama", self._url)
            raise failures.unreachable()
        return answer

    def _unreachable(self, error: BaseException) -> JobFailed:
        # Once, not at every look: a server that is off is normal, and is asked for every few seconds.
        level = logging.DEBUG if self._known_away else logging.WARNING
        self._known_away = True
        self._log.log(level, "Ollama at %s cannot be reached: %s", self._url, type(error).__name__)
        failure = failures.unreachable()
        if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(error, aiohttp.ClientConnectorDNSError):
            failure.details["reason"] = "not_running"
        return failure

    async def _error_text(self, response: aiohttp.ClientResponse) -> str:
        async with asyncio.timeout(self.settings.short_timeout):
            data = await response.content.read(65_536)
        try:
            error = json.loads(data)["error"]
        except (ValueError, KeyError, TypeError):
            return ""
        return error if isinstance(error, str) else json.dumps(error)
