"""The aiohttp application: routes, middlewares, and the worker's parts for its lifetime."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cache

from aiohttp import web

from ..config import Config
from ..tokens import TokensFile, Used
from . import (
    auth,
    disk_full,
    openapi,
    problems,
    routes_images,
    routes_info,
    routes_inputs,
    routes_jobs,
    routes_listings,
    routes_operator,
    routes_prompts,
)
from .compat import mount as compat
from .mounts import Mount, only
from .operations import Operation
from .parts import PARTS, open_parts
from .problems import Handler
from .wrong_tokens import WrongTokens


@cache
def _document() -> str:
    return openapi.text(OPERATIONS)


async def _openapi(_: web.Request) -> web.Response:
    return web.Response(text=_document(), content_type="application/json")


OPERATIONS: tuple[Operation, ...] = (
    *routes_jobs.OPERATIONS,
    *routes_images.OPERATIONS,
    *routes_inputs.OPERATIONS,
    *routes_prompts.OPERATIONS,
    *routes_info.OPERATIONS,
    *routes_listings.OPERATIONS,
    *routes_operator.OPERATIONS,
    Operation(
        method="GET",
        path="/openapi.json",
        handler=_openapi,
        summary="This document.",
        answers={200: "application/json"},
    ),
)


def create_app(config: Config, tokens: Mapping[str, str], mounts: Sequence[Mount] = ()) -> web.Application:
    """``tokens``: client → token, as ``auth.load_tokens`` gives them; ``mounts``: what is served beside the API."""

    def elsewhere(path: str) -> bool:
        return any(mount.has(path) for mount in mounts)

    known = auth.Tokens(tokens, TokensFile(config.tokens_file), Used(config.tokens_used_file))
    access = auth.Access(known, WrongTokens(config.token_file(next(iter(config.api.clients)))))
    app = web.Application(
        client_max_size=config.api.max_body_bytes,
        middlewares=[
            _count,
            compat.answers(),
            problems.middleware,
            disk_full.middleware,
            compat.admission(config),
            auth.middleware(access, elsewhere),
        ],
    )
    app.middlewares.extend(only(mount) for mount in mounts)
    app[auth.ACCESS] = access
    for operation in OPERATIONS:
        if operation.method == "GET":
            app.router.add_get(operation.path, operation.handler, allow_head=False)
        else:
            app.router.add_route(operation.method, operation.path, operation.handler)

    async def parts(app: web.Application) -> AsyncIterator[None]:
        async with open_parts(config, known) as opened:
            app[PARTS] = opened
            yield

    app.cleanup_ctx.append(parts)
    compat.add(app, config)
    for mount in mounts:
        mount.add(app)
    app.on_shutdown.append(_end_streams)
    return app


async def _end_streams(app: web.Application) -> None:
    app[PARTS].hub.close()


@web.middleware
async def _count(request: web.Request, handler: Handler) -> web.StreamResponse:
    started = time.monotonic()
    response = await handler(request)
    measures, route = request.app[PARTS].measures, problems.route_name(request)
    measures.requests.labels(request.method, route, str(response.status)).inc()
    if response.content_type != "text/event-stream":
        measures.request_seconds.labels(request.method, route).observe(time.monotonic() - started)
    return response
