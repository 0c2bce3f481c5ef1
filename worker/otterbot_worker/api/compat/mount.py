"""Puts other programs' paths into the application, where the settings name them; else they say how to turn them on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Literal

from aiohttp import web
from aiohttp.typedefs import Middleware

from ...config import Config
from ..auth import client_of
from ..parts import PARTS
from ..problems import ApiProblem
from . import shaping
from .a1111 import draw, listings, options, png_info, progress
from .a1111 import errors as a1111_errors
from .errand import WAITING, Gone, Waiting
from .left_over import clear
from .links import PREFIX, Links
from .openai import chat, images, models
from .openai import errors as openai_errors

Name = Literal["openai", "a1111"]
Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]

ROOTS: Mapping[Name, str] = {"openai": images.ROOM, "a1111": draw.ROOM}
_SHAPES = {"/openai/": openai_errors.shape, "/sdapi/": a1111_errors.shape}
_CALLED = {"openai": "OpenAI's API", "a1111": "AUTOMATIC1111's API"}

NOBODY = 499
"""The status in the metrics of a request whose client left: nobody reads it."""


def _waits(handler: Handle) -> Handle:
    """So many requests of one client at a time, from before their bodies are read."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            with request.app[WAITING].place(client_of(request)):
                return await handler(request)
        except Gone:
            return web.Response(status=NOBODY)

    return handle


_ROUTES: Mapping[Name, tuple[tuple[str, str, Handle], ...]] = {
    "openai": (
        ("POST", "/images/generations", _waits(images.generations)),
        ("POST", "/images/edits", _waits(images.edits)),
        ("POST", "/chat/completions", _waits(chat.completions)),
        ("GET", "/models", models.models),
        ("GET", "/models/{name:.+}", models.model),
        ("GET", f"{PREFIX.removeprefix(ROOTS['openai'])}{{path:.+}}", images.link),
    ),
    "a1111": (
        ("POST", "/txt2img", _waits(draw.txt2img)),
        ("POST", "/img2img", _waits(draw.img2img)),
        ("GET", "/options", options.options),
        ("POST", "/options", options.set_options),
        ("GET", "/progress", progress.progress),
        ("POST", "/interrupt", progress.interrupt),
        ("POST", "/png-info", _waits(png_info.png_info)),
        ("GET", "/sd-models", listings.sd_models),
        ("GET", "/samplers", listings.sampler_names),
        ("GET", "/schedulers", listings.schedulers),
        ("GET", "/loras", listings.loras),
        ("GET", "/embeddings", listings.embeddings),
        ("GET", "/prompt-styles", listings.prompt_styles),
        ("GET", "/upscalers", listings.upscalers),
        ("GET", "/latent-upscale-modes", listings.latent_modes),
        ("GET", "/sd-vae", listings.none_of_them),
        ("GET", "/hypernetworks", listings.none_of_them),
        ("GET", "/face-restorers", listings.none_of_them),
        ("GET", "/cmd-flags", listings.cmd_flags),
    ),
}


def answers() -> Middleware:
    """Outside of those that make problem documents."""
    return shaping.answers(_SHAPES)


def admission(config: Config) -> Middleware:
    """Before that which asks everybody for a bearer token."""

    def is_open(request: web.Request) -> bool:
        return "openai" in config.api.compat and request.app[images.LINKS].opened(request.path) is not None

    return shaping.admission("/sdapi/", is_open)


def add(app: web.Application, config: Config) -> None:
    """After the application's parts: what is added here needs them."""
    app[WAITING] = Waiting()
    app[images.LINKS] = Links()
    for name, root in ROOTS.items():
        if name in config.api.compat:
            for method, path, handler in _ROUTES[name]:
                app.router.add_route(method, root + path, handler)
        app.router.add_route("*", f"{root.rpartition('/')[0]}/{{path:.*}}", _others(name, config))
    app.cleanup_ctx.append(_run)


async def _run(app: web.Application) -> AsyncIterator[None]:
    parts = app[PARTS]
    await clear(parts, tuple(ROOTS.values()))
    parts.background.start(app[images.LINKS].watch(parts), "links")
    yield


def _others(name: Name, config: Config) -> Handle:
    """Every other path: there is no such thing, or all of it is off."""
    turn_on = (
        f"{_CALLED[name]} is off on this worker. Its operator turns it on with `compat: [{name}]` below `api:` in the "
        f"settings, or OTTERBOT_API__COMPAT='[\"{name}\"]', and a restart."
    )
    there = ", ".join(path for _, path, _ in _ROUTES[name] if "{" not in path)
    not_there = f"Otterbot has nothing here. Of {_CALLED[name]} it has {there}, each below {ROOTS[name]}."

    async def other(_: web.Request) -> web.StreamResponse:
        if name in config.api.compat:
            raise ApiProblem(404, "not_found", not_there)
        raise ApiProblem(404, "turned_off", turn_on)

    return other
