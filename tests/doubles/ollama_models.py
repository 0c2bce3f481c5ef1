"""What an Ollama server has on disk and in memory: loads, keep-alives and the unload state machine."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal

from doubles.ollama_wire import FOREVER, Refused, full_name, stamp

RELOADING = ("num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "draft_num_predict", "shift")
"""Options whose change loads the model anew."""
INTEGERS = frozenset(RELOADING) - {"use_mmap", "shift"} | {"num_predict", "seed", "top_k"}
FLOATS = frozenset({"temperature", "top_p", "min_p", "repeat_penalty"})
LINGER = 0.01
"""Seconds that ``/api/ps`` still lists a model after an unload."""


@dataclass(kw_only=True)
class Model:
    """A model on the disk, and how its loads go."""

    name: str
    capabilities: tuple[str, ...] = ("completion",)
    size: int = 239_156
    memory: int = 2_750_257_561
    """Bytes when loaded at 2048 tokens."""
    on_card: tuple[float, ...] = (1.0,)
    """The share that gets onto the card, for the first load, the second … (the last one stays)."""
    load_s: float = 0.0
    load_fails: str | None = None
    """``oom`` or ``crash``."""
    context: int = 8192
    """The longest context that it was trained for; 0: the server does not say."""
    lists_context: bool = True
    """Whether the list says it as well, as it does by now."""
    template: Literal["go", "gguf"] = "go"
    """Whose template it has: with Ollama's own, what is too long is cut in silence unless ``truncate`` is false."""
    prompt: str = "{{ .Prompt }}"
    """Its template: what is put before and behind a message."""
    renders: bool = True
    """Whether ``_debug_render_only`` is honoured, as it is since 0.11.5."""
    family: str = "llama"
    tokens: float = 1.0
    """How many it makes of what others make one of."""
    remote: bool = False
    """A cloud model."""
    version: int = 1
    """Changes with a retag: another digest under the same name."""
    content: str = ""
    """What the file holds, where that is not told by the name: models with the same content have one digest."""

    @property
    def digest(self) -> str:
        return hashlib.sha256(f"{self.content or self.name} {self.version}".encode()).hexdigest()

    def details(self) -> dict[str, Any]:
        return {
            "parent_model": "",
            "format": "gguf",
            "family": self.family,
            "families": [self.family],
            "parameter_size": "115K",
            "quantization_level": "F16",
        }


@dataclass(kw_only=True, eq=False)
class Runner:
    """A model in memory, or on its way there."""

    model: Model
    digest: str
    options: dict[str, Any]
    num_ctx: int
    on_card: float
    keep_alive: float
    ready: asyncio.Task[None] | None = None
    waiting: int = 0
    """Requests that run or queue."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    loaded: bool = False
    crashed: bool = False
    unload_pending: bool = False
    expires: float = FOREVER
    timer: asyncio.TimerHandle | None = None

    def row(self) -> dict[str, Any]:
        size = self.model.memory
        return {
            "name": full_name(self.model.name),
            "model": full_name(self.model.name),
            "size": size,
            "digest": self.digest,
            "details": self.model.details(),
            "expires_at": stamp(self.expires),
            "size_vram": int(size * self.on_card),
            "context_length": self.num_ctx,
        }


class Memory:
    """The scheduler: at most ``room`` models at once, one request at a time for each."""

    def __init__(self, *, room: int = 3, default_keep_alive: float = 300.0, default_ctx: int = 4096) -> None:
        self.room = room
        self.default_keep_alive = default_keep_alive
        self.default_ctx = default_ctx
        self.runners: list[Runner] = []
        self.loads: list[str] = []
        """Every load that began, by name."""
        self._freed = asyncio.Condition()
        self._leaving: list[Runner] = []

    def rows(self) -> list[dict[str, Any]]:
        """``/api/ps``."""
        loaded = [runner for runner in (*self.runners, *self._leaving) if runner.loaded]
        return [runner.row() for runner in sorted(loaded, key=lambda runner: -runner.expires)]

    def check_options(self, options: dict[str, Any]) -> None:
        for name, value in options.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if name in INTEGERS and not number:
                raise Refused(500, f'option "{name}" must be of type integer')
            if name in FLOATS and not number:
                raise Refused(500, f'option "{name}" must be of type float32')

    @contextlib.asynccontextmanager
    async def use(self, model: Model, options: dict[str, Any], keep_alive: float) -> AsyncIterator[Runner]:
        """Inside, the model is loaded with these options and runs nothing else."""
        wanted = {name: int(options[name]) for name in RELOADING if options.get(name) is not None}
        runner = await self._runner(model, wanted, keep_alive)
        try:
            await self._loaded(runner)
            async with runner.turn:
                yield runner
        finally:
            runner.waiting -= 1
            if runner.waiting == 0 and runner in self.runners:
                await self._idle(runner)

    async def _runner(self, model: Model, wanted: dict[str, Any], keep_alive: float) -> Runner:
        while True:
            runner = next((one for one in self.runners if one.digest == model.digest), None)
            if runner is not None and not runner.crashed and runner.options == wanted:
                break
            if runner is not None and runner.crashed:
                await self._drop(runner)
            elif runner is not None:
                await self._make_way(runner)
            elif len(self.runners) >= self.room:
                await self._make_way(min(self.runners, key=lambda one: (one.waiting, one.expires)))
            else:
                runner = self._start(model, wanted, keep_alive)
                break
        runner.waiting += 1
        runner.keep_alive = keep_alive
        if keep_alive > 0:
            runner.unload_pending = False
        if runner.timer is not None:
            runner.timer.cancel()
        runner.expires = FOREVER if keep_alive == FOREVER else time.time() + keep_alive
        return runner

    def _start(self, model: Model, wanted: dict[str, Any], keep_alive: float) -> Runner:
        done = self.loads.count(model.name)
        self.loads.append(model.name)
        runner = Runner(
            model=model,
            digest=model.digest,
            options=wanted,
            num_ctx=min(wanted.get("num_ctx", self.default_ctx), model.context or 1024),
            on_card=model.on_card[min(done, len(model.on_card) - 1)],
            keep_alive=keep_alive,
        )
        self.runners.append(runner)
        runner.ready = asyncio.create_task(self._load(runner))
        return runner

    async def _load(self, runner: Runner) -> None:
        await asyncio.sleep(runner.model.load_s)
        if runner.model.load_fails is not None:
            why = ": cudaMalloc failed: out of memory" if runner.model.load_fails == "oom" else ""
            raise Refused(500, f"llama-server process has terminated: exit status 1{why}")
        runner.loaded = True

    async def _loaded(self, runner: Runner) -> None:
        assert runner.ready is not None
        try:
            await asyncio.shield(runner.ready)
        except Refused:
            await self._drop(runner)
            raise
        except asyncio.CancelledError:
            if not runner.loaded and runner.waiting == 1:
                runner.ready.cancel()
                await self._drop(runner)
            raise

    async def _idle(self, runner: Runner) -> None:
        if runner.unload_pending or runner.keep_alive <= 0:
            await self._drop(runner)
        elif runner.keep_alive != FOREVER:
            runner.expires = time.time() + runner.keep_alive
            loop = asyncio.get_running_loop()
            runner.timer = loop.call_later(runner.keep_alive, lambda: asyncio.ensure_future(self._expire(runner)))

    async def _expire(self, runner: Runner) -> None:
        if runner.waiting == 0:
            await self._drop(runner)

    async def _make_way(self, runner: Runner) -> None:
        """Waits until nobody uses it, then unloads it."""
        async with self._freed:
            runner.unload_pending = True
            if runner.waiting and runner in self.runners:
                await self._freed.wait()
                return
        await self._drop(runner)

    async def _drop(self, runner: Runner) -> None:
        if runner.timer is not None:
            runner.timer.cancel()
        if runner in self.runners:
            self.runners.remove(runner)
            self._leaving.append(runner)
            asyncio.get_running_loop().call_later(LINGER, self._leaving.remove, runner)
        async with self._freed:
            self._freed.notify_all()

    async def unload(self, model: Model) -> None:
        """``keep_alive: 0`` without messages: at once when idle, later when in use, without effect while it loads."""
        runner = next((one for one in self.runners if one.digest == model.digest), None)
        if runner is None or not runner.loaded:
            return
        runner.keep_alive = 0
        runner.expires = time.time() - 1
        if runner.waiting:
            runner.unload_pending = True
        else:
            await self._drop(runner)

    def crash(self, name: str) -> None:
        """Kills a runner; it stays listed until somebody asks for it."""
        for runner in self.runners:
            if full_name(runner.model.name) == full_name(name):
                runner.crashed = True

    async def close(self) -> None:
        for runner in list(self.runners):
            if runner.ready is not None:
                runner.ready.cancel()
            await self._drop(runner)
