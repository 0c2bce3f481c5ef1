"""A double of an OpenAI-compatible server, as llama.cpp's, vLLM and OpenAI answer, and as they misbehave.

``async with OpenAIDouble(models=["tiny"]) as double: double.url``. It answers as `ollama_answers` says; where that says
"silence", its headers come at once, and comments that keep the connection alive.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from doubles import ollama_answers

_TOKEN = re.compile(r"\w+|[^\w\s]")


class OpenAIDouble:
    def __init__(
        self,
        *,
        models: Sequence[str] = ("tiny",),
        fits: int = 256,
        refuses: Sequence[str] = (),
        key: str | None = None,
        sees: bool = False,
    ) -> None:
        """``fits``: tokens, about words, of a conversation; ``refuses``: fields that it does not take; ``key``: without
        which it answers nobody; ``sees``: whether pictures may come."""
        self.models, self.fits, self.key, self.sees = list(models), fits, key, sees
        self.refuses = set(refuses)
        self.rules: list[dict[str, Any]] = []
        self.refused_tools: tuple[int, str] | None = None
        """With which status and words it refuses tools, if it does in words of its own."""
        self.pings = 0.05
        self.fault: tuple[int, str, dict[str, str]] | None = None
        """What it answers to every chat, if anything."""
        self.chats: list[dict[str, Any]] = []
        """``{body, headers, ended}``; ``ended`` is ``None`` while it runs."""
        self.listed = 0
        self.port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> OpenAIDouble:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Closes every connection at once, as a killed server does."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def fails(self, status: int, error: Any = None, headers: dict[str, str] | None = None) -> None:
        """Every chat gets this answer from now on."""
        text = error if isinstance(error, str) else json.dumps({"error": error or {"message": "no"}})
        self.fault = (status, text, headers or {})

    @property
    def running(self) -> int:
        return sum(chat["ended"] is None for chat in self.chats)

    # ------------------------------------------------------------ what it answers

    async def _models(self, request: web.Request) -> web.Response:
        self.listed += 1
        if (refused := self._stranger(request)) is not None:
            return refused
        return web.json_response({"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]})

    def _stranger(self, request: web.Request) -> web.Response | None:
        given = request.headers.get("Authorization")
        if self.key is None or given == f"Bearer {self.key}":
            return None
        # OpenAI repeats a part of the key, others all of it.
        return refusal(401, f"Incorrect API key provided: {given}", code="invalid_api_key")

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        chat = {"body": body, "headers": dict(request.headers), "ended": None}
        self.chats.append(chat)
        try:
            response = self._refused(request, body) or await self._stream(request, body)
            chat["ended"] = "done"
            return response
        except (ConnectionError, asyncio.CancelledError):
            chat["ended"] = "gone"
            raise

    def _refused(self, request: web.Request, body: dict[str, Any]) -> web.Response | None:
        if (refused := self._stranger(request)) is not None:
            return refused
        if self.fault is not None:
            status, text, headers = self.fault
            return web.Response(status=status, text=text, content_type="application/json", headers=headers)
        if self.refused_tools is not None and "tools" in body:
            return refusal(self.refused_tools[0], self.refused_tools[1])
        if body["model"] not in self.models:
            return refusal(404, f"The model `{body['model']}` does not exist", code="model_not_found")
        for name in body:
            if name in self.refuses:
                return refusal(400, f"Unsupported parameter: '{name}' is not supported with this model.", param=name)
        if not self.sees and any(isinstance(message["content"], list) for message in body["messages"]):
            return refusal(500, "image input is not supported - hint: if this is unexpected, provide the mmproj")
        needed = sum(len(_TOKEN.findall(_text(message))) + 4 for message in body["messages"])
        if needed > self.fits:
            said = (
                f"request ({needed} tokens) exceeds the available context size ({self.fits} tokens), try increasing it"
            )
            return refusal(400, said, type="exceed_context_size_error", n_prompt_tokens=needed, n_ctx=self.fits)
        return None

    async def _stream(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        plain = [{**message, "content": _text(message)} for message in body["messages"]]
        scripted = ollama_answers.answer(plain, self.rules, think=True)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await _say(response, {"choices": [{"index": 0, "delta": {"role": "assistant", "content": None}}]})
        if scripted.ending == "silence":
            await self._keep_alive(response)
        for thought in scripted.thinking:
            await _say(response, {"choices": [{"index": 0, "delta": {"reasoning_content": thought}}]})
        limit = body.get("max_tokens") or body.get("max_completion_tokens") or len(scripted.pieces)
        for piece in scripted.pieces[:limit]:
            await _say(response, {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
            await asyncio.sleep(scripted.pause or 0)
        calls = scripted.calls if body.get("tools") else ()
        for number, call in enumerate(calls):
            await self._call(response, number, call)
        if scripted.ending == "done":
            await self._end(response, body, cut=limit < len(scripted.pieces), called=bool(calls))
        elif scripted.ending == "stall":
            await self._keep_alive(response)
        elif scripted.ending in ("error", "killed"):
            await _say(response, {"error": {"message": "something broke at /home/ann/models", "type": "server_error"}})
        elif scripted.ending == "cut":
            await response.write(b'data: {"choices":[{"del')
            assert request.transport is not None
            request.transport.abort()
        return response

    async def _call(self, response: web.StreamResponse, number: int, call: dict[str, Any]) -> None:
        """Its name first, then the JSON of its arguments, a few characters at a time."""
        begin = {"index": number, "id": f"call_{number}", "type": "function"}
        told = call["arguments"] if isinstance(call["arguments"], str) else json.dumps(call["arguments"])
        await self._delta(response, begin | {"function": {"name": call["name"], "arguments": ""}})
        for start in range(0, len(told), 7):
            await self._delta(response, {"index": number, "function": {"arguments": told[start : start + 7]}})

    async def _delta(self, response: web.StreamResponse, call: dict[str, Any]) -> None:
        await _say(response, {"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}]})

    async def _end(self, response: web.StreamResponse, body: dict[str, Any], *, cut: bool, called: bool) -> None:
        why = "length" if cut else "tool_calls" if called else "stop"
        await _say(response, {"choices": [{"index": 0, "delta": {}, "finish_reason": why}]})
        if (body.get("stream_options") or {}).get("include_usage"):
            await _say(response, {"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7}})
        await response.write(b"data: [DONE]\n\n")

    async def _keep_alive(self, response: web.StreamResponse) -> None:
        while True:
            await response.write(b": ping\n\n")
            await asyncio.sleep(self.pings)


def refusal(status: int, message: str, **more: Any) -> web.Response:
    return web.json_response(
        {"error": {"message": message, "type": "invalid_request_error", "param": None, **more}}, status=status
    )


async def _say(response: web.StreamResponse, event: dict[str, Any]) -> None:
    await response.write(b"data: " + json.dumps({"object": "chat.completion.chunk", **event}).encode() + b"\n\n")


def _text(message: dict[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)
