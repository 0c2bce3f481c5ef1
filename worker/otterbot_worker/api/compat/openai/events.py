"""A stream of server-sent events to an OpenAI client."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from ....errors import CannotLook
from ....schemas.jobs import Problem
from ...problems import ApiProblem
from ..errand import Gone
from .errors import shape

log = logging.getLogger(__name__)


class Events:
    def __init__(self, response: web.StreamResponse) -> None:
        self.response = response

    async def send(self, data: dict[str, Any], event: str | None = None) -> None:
        """:raises Gone:"""
        # JSON has no raw newline, so the data is one line.
        line = f"data: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"
        await self._write(line if event is None else f"event: {event}\n{line}")

    async def alive(self) -> None:
        """:raises Gone:"""
        await self._write(": keep-alive\n\n")

    async def done(self) -> None:
        """As chat completions end. :raises Gone:"""
        await self._write("data: [DONE]\n\n")

    async def problem(self, problem: Problem) -> None:
        """:raises Gone:"""
        await self.send(shape(problem)[1], "error")

    async def _write(self, text: str) -> None:
        try:
            await self.response.write(text.encode())
        except ConnectionError:
            raise Gone from None


@asynccontextmanager
async def events(request: web.Request) -> AsyncIterator[Events]:
    """From here on the status is 200, so what goes wrong is an event."""
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    try:
        await response.prepare(request)
    except ConnectionError:
        raise Gone from None
    stream = Events(response)
    try:
        yield stream
    except Gone:
        raise
    except ApiProblem as error:
        await stream.problem(error.problem)
    except CannotLook as error:
        await stream.problem(ApiProblem(503, "cannot_look", error.sentence).problem)
    except Exception:
        log.exception("a stream failed unexpectedly")
        detail = "Something unexpected went wrong in the worker; its log says what."
        await stream.problem(ApiProblem(500, "internal", detail).problem)
