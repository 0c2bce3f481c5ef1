"""What the worker is, has and does; pause; health and metrics."""

from __future__ import annotations

import asyncio
import json
import time

from aiohttp import web

from .. import __version__
from ..errors import CannotLook
from ..models import fetching
from ..models.catalogue import Catalogue
from ..models.entries import ModelEntry
from ..models.loras import Library
from ..sampling import samplers
from ..schemas.jobs import Pause
from ..schemas.listings import (
    ControlNet,
    ControlNets,
    Lora,
    Loras,
    Model,
    ModelDefaults,
    ModelLimits,
    Models,
    WorkerInfo,
)
from ..schemas.requests import MAX_CHAT_CHARACTERS, MAX_COUNT, MAX_PROMPT, PauseRequest
from .card_info import gpu_info, lease_info
from .operations import Operation, reply
from .parts import PARTS
from .problems import body

FEATURES = [
    "images", "chat", "events", "pause", "delivered", "img2img", "inpaint", "loras", "explain", "aspect", "safety",
    "variation", "control", "previews", "hires", "upscale",
]  # fmt: skip
CLOUD = "It runs on somebody else's machines, and this bot keeps chats at home."
HASHING_SECONDS = 1.0
"""How long an answer may be kept waiting for hashes that nobody has needed yet."""


async def info(request: web.Request) -> web.Response:
    parts = request.app[PARTS]
    queued, running = await parts.store.open_counts()
    state, _ = await parts.chat.get()
    obstacles = parts.dispatcher.obstacles
    queue = parts.config.queue
    return reply(
        WorkerInfo(
            version=__version__,
            features=FEATURES if state != "off" else [name for name in FEATURES if name != "chat"],
            pause=parts.dispatcher.pause_state,
            gpu=gpu_info(parts),
            lease=await lease_info(parts),
            queued=queued,
            running=running,
            default_model=parts.default_model,
            chat_model=await parts.chat.default_model(),
            ollama=state,
            chat_backend=parts.chat.backend,
            chat_problem=await parts.chat.problem(),
            chat_notice=await parts.chat.notice(),
            notice=" ".join([*obstacles.values(), *([parts.notice] if parts.notice else [])]) or None,
            limits={
                "prompt_characters": MAX_PROMPT,
                "count": MAX_COUNT,
                "chat_characters": MAX_CHAT_CHARACTERS,
                "body_bytes": parts.config.api.max_body_bytes,
                "input_bytes": int(parts.config.inputs.max_mb * 1_000_000),
                "input_pixels": int(parts.config.inputs.max_megapixels * 1_000_000),
                "open": queue.max_open,
                "open_per_owner": queue.max_open_per_owner,
            },
        )
    )


async def models(request: web.Request) -> web.Response:
    parts = request.app[PARTS]
    _, chat_models = await parts.chat.get()
    default_chat = await parts.chat.default_model()
    found = await asyncio.to_thread(_image_models, parts.catalogue, parts.default_model)
    cloud = parts.config.chat.leaves_home
    found += [
        Model(
            name=model.name,
            kind="chat",
            about=model.parameters,
            available=cloud or not model.remote,
            here=True,
            default=model.name == default_chat,
            problem=CLOUD if model.remote and not cloud else None,
        )
        for model in chat_models
    ]
    return reply(Models(models=found, samplers=samplers.names()))


def _image_models(catalogue: Catalogue, default: str) -> list[Model]:
    """Reads files: not for the event loop."""
    look = catalogue.look()
    broken = dict(look.broken)
    available = {name: _available(catalogue, entry, broken) for name, entry in look.images.items()}
    found = [
        Model(
            name=entry.name,
            kind="image",
            about=entry.about,
            available=available[entry.name],
            default=entry.name == default,
            defaults=ModelDefaults.model_validate(entry.defaults, from_attributes=True),
            limits=ModelLimits.model_validate(entry.limits, from_attributes=True),
            licence=entry.licence,
            family=entry.family,
            samplers=list(_samplers(entry)),
            ignores=list(entry.abilities.ignores),
            problem=broken.pop(entry.name, None),
            **fetching.presence(entry)._asdict(),
        )
        for entry in look.images.values()
    ]
    return found + [
        Model(name=name, kind="image", about="", available=False, default=False, problem=why, here=True)
        for name, why in broken.items()
    ]


def _samplers(entry: ModelEntry) -> tuple[str, ...]:
    """Where nobody can look at its files, those of its family: a request asks again."""
    try:
        return entry.samplers()
    except CannotLook:
        return entry.abilities.samplers


def _available(catalogue: Catalogue, entry: ModelEntry, broken: dict[str, str]) -> bool:
    """Where nobody can say it, that becomes the model's problem."""
    try:
        return entry.name not in broken and catalogue.available(entry)
    except CannotLook as error:
        broken[entry.name] = error.sentence
        return False


async def loras(request: web.Request) -> web.Response:
    return reply(Loras(loras=await asyncio.to_thread(_loras, request.app[PARTS].library)))


def _loras(library: Library) -> list[Lora]:
    library.hash_some(HASHING_SECONDS)
    found = []
    try:
        words = library.words()
    except CannotLook:
        words = {}  # the list says it of the folder
    for extra in [*library.listed("lora"), *library.listed("embedding")]:
        hashes = library.known_hashes(extra)
        # Another embedding may have been the first with a word.
        called = extra.kind == "lora"
        triggers = [word for word in extra.triggers if called or words.get(word.lower()) == extra]
        found.append(
            Lora(
                kind=extra.kind,
                name=extra.name,
                family=extra.family,
                triggers=triggers,
                size=extra.size,
                hash=hashes.file if hashes is not None else None,
                problem=extra.problem,
            )
        )
    return found


async def controlnets(request: web.Request) -> web.Response:
    return reply(ControlNets(controlnets=await asyncio.to_thread(_controlnets, request.app[PARTS].library)))


def _controlnets(library: Library) -> list[ControlNet]:
    found = []
    for net in library.controlnets.listed():
        try:
            hashed = net.hash() if net.problem is None else None
        except OSError:
            hashed = None
        found.append(
            ControlNet(
                name=net.name, family=net.family, canny=net.canny, size=net.size, hash=hashed, problem=net.problem
            )
        )
    return found


async def pause(request: web.Request) -> web.Response:
    asked = PauseRequest()
    if request.can_read_body:
        asked = await body(request, PauseRequest.model_validate_json)
    until = None if asked.minutes is None else time.time() + asked.minutes * 60
    return reply(await request.app[PARTS].dispatcher.pause(until))


async def resume(request: web.Request) -> web.Response:
    return reply(await request.app[PARTS].dispatcher.resume())


async def healthz(_: web.Request) -> web.Response:
    return web.Response(text="alive\n")


async def readyz(request: web.Request) -> web.Response:
    """Whether a job can run now; 503 with the reasons where none can."""
    parts = request.app[PARTS]
    reasons = dict(parts.dispatcher.obstacles)
    state, _ = await parts.chat.get()
    if state != "off" and (problem := await parts.chat.problem()) is not None:
        reasons["chat"] = problem
    paused = parts.dispatcher.pause_state.paused
    ready = not paused and "image" not in reasons
    report = {"ready": ready, "paused": paused, "reasons": reasons}
    return web.Response(status=200 if ready else 503, text=json.dumps(report), content_type="application/json")


async def metrics(request: web.Request) -> web.Response:
    parts = request.app[PARTS]
    queued, running = await parts.store.open_counts()
    parts.measures.queued.set(queued)
    parts.measures.running.set(running)
    parts.measures.paused.set(parts.dispatcher.pause_state.paused)
    parts.measures.streams.set(parts.hub.streams)
    parts.measures.disk_free.set(parts.archive.free_bytes())
    parts.measures.card_free.set(parts.gpu.info.free_bytes or 0)
    return web.Response(body=parts.measures.text(), headers={"Content-Type": "text/plain; version=0.0.4"})


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/info",
        handler=info,
        summary="Version, features, the card, the queue, what an operator should know.",
        answers={200: WorkerInfo},
    ),
    Operation(
        method="GET",
        path="/v1/models",
        handler=models,
        summary="The catalogue, with defaults and limits, and the chat backend's models.",
        answers={200: Models},
    ),
    Operation(
        method="GET",
        path="/v1/loras",
        handler=loras,
        summary="LoRAs and embeddings by name, with their trigger words.",
        answers={200: Loras},
    ),
    Operation(
        method="GET",
        path="/v1/controlnets",
        handler=controlnets,
        summary="ControlNets by name.",
        answers={200: ControlNets},
    ),
    Operation(
        method="POST",
        path="/v1/pause",
        handler=pause,
        summary="Free the card; queued work waits.",
        body=PauseRequest,
        body_needed=False,
        answers={200: Pause},
        problems=(413, 415, 422),
    ),
    Operation(method="POST", path="/v1/resume", handler=resume, summary="Go on.", answers={200: Pause}),
    Operation(
        method="GET",
        path="/healthz",
        handler=healthz,
        summary="The process is alive.",
        answers={200: "text/plain"},
        open=True,
    ),
    Operation(
        method="GET",
        path="/readyz",
        handler=readyz,
        summary="Whether a picture can be drawn now; 503 with the reasons where not.",
        answers={200: "application/json", 503: "application/json"},
    ),
    Operation(
        method="GET", path="/metrics", handler=metrics, summary="Prometheus metrics.", answers={200: "text/plain"}
    ),
)
