"""What can be asked for: models, LoRAs and embeddings, ControlNets, wildcards."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from aiohttp import web

from ..errors import CannotLook
from ..models import fetching
from ..models.catalogue import Catalogue
from ..models.entries import ModelEntry
from ..models.loras import Library
from ..sampling import samplers
from ..schemas.listings import (
    ControlNet,
    ControlNets,
    Lora,
    Loras,
    Model,
    ModelDefaults,
    ModelLimits,
    Models,
    Style,
    StyleFile,
    Styles,
    Wildcard,
    Wildcards,
)
from ..styles import FOLDER, StyleLibrary
from ..styles import Style as Known
from .operations import Operation, reply
from .parts import PARTS

CLOUD = "It runs on somebody else's machines, and this bot keeps chats at home."
HASHING_SECONDS = 1.0
"""Time that one answer may spend on hashes that are not known yet."""


async def models(request: web.Request) -> web.Response:
    return reply(Models(models=await all_models(request), samplers=samplers.names()))


async def all_models(request: web.Request) -> list[Model]:
    """The catalogue's and the chat backend's."""
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
            sees_pictures=model.sees_pictures,
            problem=CLOUD if model.remote and not cloud else None,
        )
        for model in chat_models
    ]
    return found


def _image_models(catalogue: Catalogue, default: str) -> list[Model]:
    """Reads files, so it runs in a thread."""
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
    """The model's samplers; its family's where the files cannot be looked at. A request checks again."""
    try:
        return entry.samplers()
    except CannotLook:
        return entry.abilities.samplers


def _available(catalogue: Catalogue, entry: ModelEntry, broken: dict[str, str]) -> bool:
    """Whether the model's files are here; where that is unknown, the reason goes into ``broken``."""
    try:
        return entry.name not in broken and catalogue.available(entry)
    except CannotLook as error:
        broken[entry.name] = error.sentence
        return False


async def loras(request: web.Request) -> web.Response:
    return reply(Loras(loras=await asyncio.to_thread(all_loras, request.app[PARTS].library)))


def all_loras(library: Library) -> list[Lora]:
    """And embeddings. Reads files, so it runs in a thread."""
    library.hash_some(HASHING_SECONDS)
    found = []
    try:
        words = library.words()
    except CannotLook:
        words = {}  # ``listed`` names the folder's problem
    for extra in [*library.listed("lora"), *library.listed("embedding")]:
        hashes = library.known_hashes(extra)
        # An embedding's word counts only for the first embedding that has it.
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


async def styles(request: web.Request) -> web.Response:
    return reply(await asyncio.to_thread(_styles, request.app[PARTS].styles))


def _styles(library: StyleLibrary) -> Styles:
    try:
        there = library.files()
        found = library.all()
    except CannotLook as error:
        problem = StyleFile(name=f"{FOLDER}/", problem=f"could not be looked at: {error.why}")
        return Styles(styles=_shown(StyleLibrary().all()), problems=[problem], whole=False)
    problems = [StyleFile(name=one.name, problem=why) for one in there for why in one.problems]
    return Styles(styles=_shown(found), problems=problems, whole=all(one.unread is None for one in there))


def _shown(found: Mapping[str, Known]) -> list[Style]:
    return [Style(name=one.name, about=one.about, group=one.group, source=one.source) for one in found.values()]


async def wildcards(request: web.Request) -> web.Response:
    found = await asyncio.to_thread(request.app[PARTS].library.wildcards.listed)
    return reply(Wildcards(wildcards=[Wildcard(**one._asdict()) for one in found]))


OPERATIONS = (
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
        method="GET",
        path="/v1/styles",
        handler=styles,
        summary="Styles by name, and what is wrong with files of styles.",
        answers={200: Styles},
    ),
    Operation(
        method="GET",
        path="/v1/wildcards",
        handler=wildcards,
        summary="Files of wildcards by name, with what is wrong with them.",
        answers={200: Wildcards},
    ),
)
