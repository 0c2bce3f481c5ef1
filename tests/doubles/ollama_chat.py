"""``/api/chat`` and ``/api/generate`` of the double: silence until there is a token, then one line for each."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import TYPE_CHECKING, Any

from aiohttp import web

from doubles import ollama_answers
from doubles.ollama_models import Model, Runner
from doubles.ollama_wire import NDJSON, Refused, dumps, full_name, keep_alive, reply, stamp

if TYPE_CHECKING:
    from doubles.ollama import OllamaDouble

_LEVELS = ("high", "medium", "low", "max")


class Chat:
    """The handler; the server's script, models and memory are `OllamaDouble`'s."""

    def __init__(self, double: OllamaDouble) -> None:
        self.double = double

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """``POST /api/chat`` and ``/api/generate``."""
        body = await self.double.body(request)
        started = time.monotonic_ns()
        generate = request.path.endswith("generate")
        if generate:
            messages = [{"role": "user", "content": body["prompt"]}] if body.get("prompt") else []
        else:
            messages = body.get("messages") or []
        seconds = keep_alive(body.get("keep_alive"), 300.0)
        options = (body.get("options") or {}) | {"shift": body.get("shift")}
        model = self.double.model(body.get("model"))
        if not messages and seconds == 0:
            await self.double.memory.unload(model)
            return reply(self._line(body, "", generate) | {"done": True, "done_reason": "unload"})
        self.double.memory.check_options(options)
        think = self._check(body, model)
        if sum(runner.waiting for runner in self.double.memory.runners) >= self.double.max_queue:
            raise Refused(503, "server busy, please try again.  maximum pending requests exceeded")
        async with self.double.memory.use(model, options, seconds) as runner:
            loaded = time.monotonic_ns()
            if not messages:
                return reply(self._line(body, "", generate) | {"done": True, "done_reason": "load"})
            if body.get("_debug_render_only") and model.renders:
                text = str(messages[-1].get("content") or "")
                told = {"rendered_template": model.prompt.replace("{{ .Prompt }}", text)}
                return reply(self._line(body, "", generate) | {"done": False, "_debug_info": told})
            cut = model.template == "go" and body.get("truncate") is not False
            messages = _fitting(messages, model, runner.num_ctx, cut=cut, names=self.double.names)
            scripted = ollama_answers.answer(messages, self.double.rules, think=think)
            return await self._speak(request, body, runner, messages, scripted, (started, loaded))

    def _check(self, body: dict[str, Any], model: Model) -> bool:
        """Refuses what the model cannot do; whether it is to think."""
        think = body.get("think")
        if think is not None and not isinstance(think, bool) and think not in _LEVELS:
            raise Refused(
                400, f'invalid think value: "{think}" (must be "high", "medium", "low", "max", true, or false)'
            )
        if think and "thinking" not in model.capabilities:
            raise Refused(400, f'"{body["model"]}" does not support thinking')
        if body.get("tools") and "tools" not in model.capabilities:
            raise Refused(400, f"registry.ollama.ai/library/{full_name(model.name)} does not support tools")
        if any(message.get("images") for message in body.get("messages") or []) and "vision" not in model.capabilities:
            if model.template == "go":
                raise Refused(400, "Multimodal data provided, but model does not support multimodal requests.")
            inner = {"code": 500, "message": "image input is not supported - hint: mmproj", "type": "server_error"}
            raise Refused(500, json.dumps({"error": inner}))
        return "thinking" in model.capabilities and think is not False

    def _line(self, body: dict[str, Any], piece: str, generate: bool, *, thought: bool = False) -> dict[str, Any]:
        head = {"model": body["model"], "created_at": stamp()}
        if generate:
            return head | ({"response": "", "thinking": piece} if thought else {"response": piece})
        message = {"role": "assistant", "content": "" if thought else piece}
        return head | {"message": message | ({"thinking": piece} if thought else {})}

    async def _speak(
        self,
        request: web.Request,
        body: dict[str, Any],
        runner: Runner,
        messages: list[dict[str, Any]],
        scripted: ollama_answers.Scripted,
        times: tuple[int, int],
    ) -> web.StreamResponse:
        generate = request.path.endswith("generate")
        await asyncio.sleep(self.double.first_token_s)
        if scripted.ending == "silence":
            await asyncio.Event().wait()
        limit = int((body.get("options") or {}).get("num_predict", -1))
        room = runner.num_ctx - _tokens(messages, runner.model)
        if body.get("shift") is False and (limit < 0 or room < limit):
            limit = room
        chunks = [(piece, True) for piece in scripted.thinking] + [(piece, False) for piece in scripted.pieces]
        cut = 0 <= limit < len(chunks)
        chunks = chunks[:limit] if cut else chunks
        final: dict[str, Any] = {
            "done": True,
            "done_reason": "length" if cut else "stop",
            "total_duration": time.monotonic_ns() - times[0],
            "load_duration": times[1] - times[0],
            "prompt_eval_count": _tokens(messages, runner.model) if self.double.counts else 1,
            "prompt_eval_duration": 1_473_000,
            "eval_count": len(chunks),
            "eval_duration": 2_037_999,
        }
        if generate:
            final["context"] = [1, 2, 3]
        final = {name: value for name, value in final.items() if value != 0}
        if body.get("stream") is False:
            line = self._line(body, "".join(piece for piece, thought in chunks if not thought), generate)
            return reply(line | final)
        response = web.StreamResponse(headers={"Content-Type": NDJSON})
        response.enable_chunked_encoding()
        await response.prepare(request)
        for piece, thought in chunks:
            if runner.crashed:
                return await self._end(response, "killed")
            line = self._line(body, piece, generate, thought=thought) | {"done": False}
            await response.write(dumps(line) + b"\n")
            await asyncio.sleep(self.double.token_s if scripted.pause is None else scripted.pause)
        # One line for each, whole.
        for number, call in enumerate(scripted.calls if body.get("tools") else ()):
            function = {"index": number, **call}
            line = self._line(body, "", generate)
            line["message"]["tool_calls"] = [{"id": f"call_{number}", "function": function}]
            await response.write(dumps(line | {"done": False}) + b"\n")
        if scripted.ending == "done":
            await response.write(dumps(self._line(body, "", generate) | final) + b"\n")
            return response
        return await self._end(response, scripted.ending)

    async def _end(self, response: web.StreamResponse, ending: str) -> web.StreamResponse:
        if ending == "error":
            inner = "map[code:500 message:something broke type:server_error]"
            await response.write(dumps({"error": f"llama-server chat error: {inner}"}) + b"\n")
        elif ending == "killed":
            text = "an error was encountered while running the model: unexpected EOF"
            await response.write(dumps({"error": text}) + b"\n")
        elif ending == "stall":
            await asyncio.Event().wait()
        elif ending == "cut":
            await response.write(b'{"model":"tiny","message":{"role":"assi')
            assert response._req is not None
            assert response._req.transport is not None
            response._req.transport.abort()
        return response


_TOKEN = re.compile(r"[ \t]*[A-Za-z]{1,5}|[ \t]*[^\sA-Za-z]|\s")
"""Letters in fives; digits, signs and other scripts one by one, as most tokenizers of today count them."""


def _tokens(messages: list[dict[str, Any]], model: Model) -> int:
    return sum(int(model.tokens * len(_TOKEN.findall(str(one.get("content") or "")))) + 4 for one in messages)


def _fitting(
    messages: list[dict[str, Any]], model: Model, num_ctx: int, *, cut: bool, names: str
) -> list[dict[str, Any]]:
    """What is too long is refused, or (``cut``) cut in silence: only the newest half of the context stays, and neither
    the system prompt nor where a message began."""
    needed = _tokens(messages, model)
    if needed <= num_ctx:
        return messages
    if cut:
        text = "\n".join(str(message.get("content") or "") for message in messages)
        rest = _TOKEN.findall(text)[-(num_ctx // 2) :]
        return [{"role": "user", "content": "".join(rest)}]
    inner = {
        "code": 400,
        "message": f"request ({needed} tokens) exceeds the available context size ({num_ctx} tokens), "
        "try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": needed,
        "n_ctx": num_ctx,
    }
    if names != "both":
        inner = {"code": 400, "message": "the request exceeds the available context size", "type": inner["type"]}
    if names == "context":
        inner["n_ctx"] = num_ctx
    raise Refused(400, json.dumps({"error": inner}))
