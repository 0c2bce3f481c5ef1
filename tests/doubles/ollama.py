#!/usr/bin/env python3
"""A double of an Ollama server, v0.33, for tests: a real program with a real socket.

    python tests/doubles/ollama.py --port 0 --script '{"models": [{"name": "tiny", "load_s": 2}]}'

prints ``listening on http://127.0.0.1:PORT`` when it does. From a test: ``async with OllamaDouble({...}) as double``.
It keeps to what real servers were seen to do; what it says is in `ollama_answers`. The script is JSON or the path of a
file of JSON::

    models        list of `ollama_models.Model` fields; by default one called tiny
    rules         answers of one's own, see `ollama_answers.answer`
    token_s       seconds between chunks (0)
    first_token_s seconds for reading the prompt (0)
    names         which numbers a refusal of what is too long names: both, context or none
    counts        whether all of a conversation is counted (0.30.0: only what had not been read before)
    max_queue     requests that may wait before 503 (512)

Three paths are the test's own: ``GET /double/requests`` (every request so far), ``POST /double/script`` (replaces parts
of the script), ``POST /double/do`` with ``{"crash": NAME}`` or ``{"retag": NAME}``.
Only the standard library and aiohttp.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp import web

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # started as a program, its folder is no package

from doubles import ollama_wire
from doubles.ollama_chat import Chat
from doubles.ollama_models import Memory, Model
from doubles.ollama_wire import NDJSON, Refused, check_name, dumps, full_name, reply

_ENTRY: ContextVar[dict[str, Any]] = ContextVar("entry")
"""What is remembered of the request at hand."""


class OllamaDouble:
    """``async with OllamaDouble(script) as double: double.url``."""

    def __init__(self, script: dict[str, Any] | None = None, *, port: int = 0) -> None:
        self.port = port
        self.models: dict[str, Model] = {}
        self.rules: list[dict[str, Any]] = []
        self.token_s = 0.0
        self.first_token_s = 0.0
        self.max_queue = 512
        self.names = "both"
        self.counts = True
        self.requests: list[dict[str, Any]] = []
        """``{method, path, body, ended}``; ``ended`` is ``None`` while it runs, then ``done``, ``gone`` or a status."""
        self.memory: Memory
        self._runner: web.AppRunner | None = None
        self.update({"models": [{"name": "tiny"}]} | (script or {}))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def update(self, script: dict[str, Any]) -> None:
        """Replaces those parts of the script that are named."""
        for key, value in script.items():
            if key == "models":
                self.models = {full_name(spec["name"]): _model(spec) for spec in value}
            elif key in ("rules", "token_s", "first_token_s", "max_queue", "names", "counts"):
                setattr(self, key, value)
            else:
                raise ValueError(f"the script knows no {key}")

    async def __aenter__(self) -> OllamaDouble:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listens; on ``port`` 0 on any free one, and on the same again after a `stop`."""
        self.memory = Memory()
        app = web.Application(middlewares=[self._speak_go], client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/", self._root)
        for method, path, handler in (
            ("GET", "/api/version", self._version),
            ("GET", "/api/tags", self._tags),
            ("GET", "/api/ps", self._ps),
            ("POST", "/api/show", self._show),
            ("POST", "/api/pull", self._pull),
            ("POST", "/api/copy", self._copy),
            ("DELETE", "/api/delete", self._delete),
            ("POST", "/api/chat", Chat(self).handle),
            ("POST", "/api/generate", Chat(self).handle),
            ("GET", "/double/requests", self._requests),
            ("POST", "/double/script", self._set_script),
            ("POST", "/double/do", self._do),
        ):
            app.router.add_route(method, path, handler)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Closes every connection at once, as a killed server does."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
            await self.memory.close()

    def count(self, path: str) -> int:
        return sum(entry["path"] == path for entry in self.requests)

    # ------------------------------------------------------------ around every request

    @web.middleware
    async def _speak_go(self, request: web.Request, handler: Any) -> web.StreamResponse:
        entry: dict[str, Any] = {"method": request.method, "path": request.path, "body": None, "ended": None}
        if request.path.startswith("/api/"):
            self.requests.append(entry)
        _ENTRY.set(entry)
        try:
            response: web.StreamResponse = await handler(request)
            entry["ended"] = "done" if response.status == 200 else response.status
        except Refused as refused:
            entry["ended"] = refused.status
            body = entry["body"] or {}
            return refused.response(stream=bool(body.get("messages")) and body.get("stream") is not False)
        except web.HTTPNotFound:
            return web.Response(status=404, text="404 page not found")
        except web.HTTPMethodNotAllowed:
            return web.Response(status=405, text="405 method not allowed")
        except (asyncio.CancelledError, ConnectionResetError):
            entry["ended"] = "gone"
            raise
        return response

    async def body(self, request: web.Request) -> dict[str, Any]:
        """What was sent, remembered for the test."""
        body = await ollama_wire.body_of(request)
        _ENTRY.get()["body"] = body
        return body

    def model(self, name: Any, *, full: bool = False) -> Model:
        """A model on the disk; errors name it with its tag where ``full``."""
        if not name:
            raise Refused(400, "model is required")
        check_name(str(name))
        model = self.models.get(full_name(str(name)))
        if model is None:
            raise Refused(404, f"model '{full_name(str(name)) if full else name}' not found")
        return model

    # ------------------------------------------------------------ small answers

    async def _root(self, request: web.Request) -> web.Response:
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, text="405 method not allowed")
        return web.Response(text="Ollama is running")

    async def _version(self, _: web.Request) -> web.Response:
        return reply({"version": "0.33.0"})

    async def _tags(self, _: web.Request) -> web.Response:
        rows = []
        for name, model in self.models.items():
            row = {
                "name": name,
                "model": name,
                "modified_at": "2026-11-21T01:09:03.180499193Z",
                "size": model.size,
                "digest": model.digest,
                "details": model.details()
                | ({"context_length": model.context} if model.context and model.lists_context else {})
                | {"embedding_length": 64},
                "capabilities": list(model.capabilities),
            }
            if model.remote:
                row |= {"remote_model": model.name, "remote_host": "https://ollama.com:443"}
            rows.append(row)
        return reply({"models": rows})

    async def _ps(self, _: web.Request) -> web.Response:
        return reply({"models": self.memory.rows()})

    async def _show(self, request: web.Request) -> web.Response:
        model = self.model((await self.body(request)).get("model"), full=True)
        return reply(
            {
                "modelfile": f"FROM {model.name}",
                "template": model.prompt,
                "details": model.details(),
                "model_info": {"general.architecture": "llama"}
                | ({"llama.context_length": model.context} if model.context else {}),
                "tensors": [],
                "capabilities": list(model.capabilities),
                "modified_at": "2026-11-21T01:09:03.180499193Z",
            }
        )

    async def _pull(self, request: web.Request) -> web.StreamResponse:
        body = await self.body(request)
        name = str(body.get("model") or "")
        missing = not name or "missing" in name
        if body.get("stream") is False:
            if missing:
                raise Refused(500, "pull model manifest: file does not exist")
            self._add(Model(name=name))
            return reply({"status": "success"})
        layer = {"status": "pulling b787dc225834", "digest": "sha256:b787dc225834", "total": 3_000_000}
        lines: list[dict[str, Any]] = [{"status": "pulling manifest"}]
        if missing:
            lines.append({"error": "pull model manifest: file does not exist"})
        else:
            lines += [layer, layer | {"completed": 300_000}, layer | {"completed": 2_700_000}]
            lines += [{"status": text} for text in ("verifying sha256 digest", "writing manifest", "success")]
            self._add(Model(name=name))
        response = web.StreamResponse(headers={"Content-Type": NDJSON})
        await response.prepare(request)
        for line in lines:
            await response.write(dumps(line) + b"\n")
            await asyncio.sleep(self.token_s)
        return response

    def _add(self, model: Model) -> None:
        """A new name comes first: the list is ordered by what was changed last."""
        self.models = {full_name(model.name): model} | self.models

    async def _copy(self, request: web.Request) -> web.Response:
        body = await self.body(request)
        source = self.model(body.get("source"), full=True)
        self._add(replace(source, name=str(body["destination"]), content=source.content or source.name))
        return web.Response(status=200)

    async def _delete(self, request: web.Request) -> web.Response:
        model = self.model((await self.body(request)).get("model"), full=True)
        del self.models[full_name(model.name)]
        return web.Response(status=200)

    # ------------------------------------------------------------ the test's own

    async def _requests(self, _: web.Request) -> web.Response:
        return web.json_response(self.requests)

    async def _set_script(self, request: web.Request) -> web.Response:
        self.update(await request.json())
        return web.json_response({})

    async def _do(self, request: web.Request) -> web.Response:
        for what, name in (await request.json()).items():
            if what == "crash":
                self.memory.crash(name)
            elif what == "retag":
                old = self.models[full_name(name)]
                self.models[full_name(name)] = replace(old, version=old.version + 1)
            else:
                return web.json_response({"error": what}, status=400)
        return web.json_response({})


def _model(spec: dict[str, Any]) -> Model:
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in spec.items()}
    return Model(**fields)


def _read_script(text: str) -> dict[str, Any]:
    script = json.loads(text if text.lstrip().startswith("{") else Path(text).read_text("utf-8"))
    assert isinstance(script, dict)
    return script


async def _serve(port: int, script: dict[str, Any]) -> None:
    async with OllamaDouble(script, port=port) as double:
        print(f"listening on {double.url}", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description="A double of an Ollama server, for tests.")
    parser.add_argument("--port", type=int, default=11434, help="0: any free one")
    parser.add_argument("--script", default="{}", help="JSON, or the path of a file of JSON")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(options.port, _read_script(options.script)))


if __name__ == "__main__":
    main()
