"""A model of an OpenAI-compatible server for one turn: what `turn.Turn` needs of it."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

import aiohttp

from ...errors import JobFailed
from .. import too_long
from ..beginnings import Leaves
from ..chosen import Chosen
from ..failures import broke_off, stalled
from ..reading import BrokenStream
from ..records import Delta, Message, Phase
from ..turn import NoFirstToken
from . import failures, wire
from .failures import ServerRefused
from .http import MAX_REPLY, Http, bounded
from .refusals import Refusals
from .settings import OpenAISettings
from .sse import events
from .wire import Piece

LAST_WORD_SECONDS = 2.0
"""Between the end of an answer and what a server says after it: the counts, and that it is done."""
LOAD_LOOK_SECONDS = 1.0


class Session:
    def __init__(
        self,
        chosen: Chosen,
        *,
        http: Http,
        refusals: Refusals,
        settings: OpenAISettings,
        log: logging.Logger,
        leaves: Leaves = "unsaid",
    ) -> None:
        """``leaves``: where the model's prompt leaves it, if that is known."""
        self.chosen = chosen
        self.notes: list[str] = []
        self._http = http
        self._refusals = refusals
        self._settings = settings
        self._log = log
        self._leaves: Leaves = leaves

    async def ready(self, on_phase: Callable[[Phase], None]) -> list[str]:
        on_phase("thinking")
        return []

    async def in_memory(self) -> bool:
        return True

    async def prompt_leaves(self) -> Leaves:
        return self._leaves

    async def stream(self, messages: Sequence[Message]) -> AsyncGenerator[Delta]:
        loading_until = time.monotonic() + self._settings.load_timeout
        while True:
            body, pictures = self._body(messages)
            patience = _Patience(self._settings)
            try:
                async with self._http.chat(body, patience=self._settings.first_byte_timeout) as response:
                    async with aclosing(self._deltas(response, patience)) as deltas:
                        async for delta in deltas:
                            yield delta
                return
            except ServerRefused as refused:
                if refused.loading and time.monotonic() < loading_until:
                    await asyncio.sleep(LOAD_LOOK_SECONDS)
                    continue
                self._learn(refused, body, pictures=pictures)

    def _body(self, messages: Sequence[Message]) -> tuple[dict[str, Any], bool]:
        """And whether pictures are in it."""
        key, wanted = self.chosen.key, wire.fields(self.chosen)
        shown = any(message.get("images") for message in messages)
        blind = "The chat model does not see pictures, so it answers from the words alone."
        if messages[-1].get("images") and self._refusals.of(key).pictures and blind not in self.notes:
            self.notes.append(blind)
        pictures = shown and not self._refusals.of(key).pictures
        body = {"model": self.chosen.name, "messages": wire.messages(messages, pictures=pictures), "stream": True}
        return body | self._refusals.taken(key, wanted), pictures

    def _learn(self, refused: ServerRefused, body: dict[str, Any], *, pictures: bool) -> None:
        """Returns where it is worth asking again, with less. :raises TooLong: :raises JobFailed:"""
        if refused.status in (400, 413, 422, 500) and (long := too_long.in_words(refused.words)) is not None:
            raise long
        said = self._refusals.learn(self.chosen.key, refused, body, pictures=pictures)
        if said is None:
            self._log.info("the chat server refused a turn: HTTP %d", refused.status)
            raise failures.from_answer(refused, self._http.asked(self.chosen.name)) from None
        if said:
            self.notes.append(said)

    async def _deltas(self, response: aiohttp.ClientResponse, patience: _Patience) -> AsyncGenerator[Delta]:
        finish, prompt_tokens, answer_tokens = "", 0, 0
        try:
            async with aclosing(self._pieces(response, patience)) as pieces:
                async for piece in pieces:
                    finish = piece.finish or finish
                    prompt_tokens = piece.prompt_tokens or prompt_tokens
                    answer_tokens = piece.answer_tokens or answer_tokens
                    if piece.text or piece.thought or piece.calls:
                        patience.heard()
                        yield piece.delta
                    if piece.finish:
                        patience.ended()
        except BrokenStream as error:
            self._log.warning("the chat's stream is broken: %s", error)
            raise broke_off() from None
        except TimeoutError:
            if not finish:
                raise (stalled(self._settings.chunk_timeout) if patience.began else NoFirstToken()) from None
        if finish == "content_filter" and not patience.began:
            raise failures.filtered(self._settings.name)
        if finish:
            cut = finish == "length"
            yield Delta(done=True, cut=cut, prompt_tokens=prompt_tokens, answer_tokens=answer_tokens)

    async def _pieces(self, response: aiohttp.ClientResponse, patience: _Patience) -> AsyncGenerator[Piece]:
        """:raises TimeoutError: :raises BrokenStream: :raises JobFailed: :raises TooLong:"""
        if response.content_type == "application/json":  # a server that does not stream
            async with asyncio.timeout(patience.left()):
                yield self._piece((await bounded(response, MAX_REPLY)).decode("utf-8", "replace"))
            return
        async with aclosing(events(response.content, patience.left)) as found:
            async for data in found:
                if data.strip() == "[DONE]":
                    return
                yield self._piece(data)

    def _piece(self, data: str) -> Piece:
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            raise BrokenStream("no JSON") from None
        if not isinstance(event, dict):
            raise BrokenStream("no object")
        if event.get("error"):
            raise self._failed(event)
        return wire.piece(event)

    def _failed(self, event: dict[str, Any]) -> Exception:
        """An error in the middle of the stream, whose status is 200."""
        words = json.dumps(event)
        self._log.warning("the chat server broke off with an error")
        failure: JobFailed = broke_off()
        return too_long.in_words(words) or failure


class _Patience:
    """For how long the next piece is waited for. What keeps a connection alive is no piece."""

    def __init__(self, settings: OpenAISettings) -> None:
        self._settings = settings
        self.began = False
        self._until = time.monotonic() + settings.first_byte_timeout

    def left(self) -> float:
        return self._until - time.monotonic()

    def heard(self) -> None:
        self.began = True
        self._until = time.monotonic() + self._settings.chunk_timeout

    def ended(self) -> None:
        self._until = time.monotonic() + min(LAST_WORD_SECONDS, self._settings.chunk_timeout)
