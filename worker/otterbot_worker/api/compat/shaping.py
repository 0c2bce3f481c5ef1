"""Middlewares of other programs' paths: who asks, and every error in the form that they read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Middleware

from ...schemas.jobs import Problem
from ..auth import ACCESS, CLIENT, OPEN, offered
from ..problems import Handler

Shape = Callable[[Problem], tuple[int, dict[str, Any]]]
"""The status and the JSON of a problem, as a program reads it."""


def answers(shapes: Mapping[str, Shape]) -> Middleware:
    """``shapes``: by the beginning of the path. Outside ``problems.middleware``, whose documents it makes theirs."""

    @web.middleware
    async def shape(request: web.Request, handler: Handler) -> web.StreamResponse:
        of_path = next((shape for prefix, shape in shapes.items() if request.path.startswith(prefix)), None)
        if of_path is None:
            return await handler(request)
        response = await handler(request)
        if not isinstance(response, web.Response) or response.content_type != "application/problem+json":
            return response
        return _shaped(response, of_path)

    return shape


def _shaped(response: web.Response, shape: Shape) -> web.Response:
    assert isinstance(response.body, bytes)
    status, body = shape(Problem.model_validate_json(response.body))
    headers = {name: value for name, value in response.headers.items() if not name.startswith("Content-")}
    made = web.Response(
        status=status, text=json.dumps(body, ensure_ascii=False), content_type="application/json", headers=headers
    )
    if response.keep_alive is False:
        made.force_close()
    return made


def admission(basic: str, is_open: Callable[[web.Request], bool]) -> Middleware:
    """``basic``: the beginning of the paths where a token may come as HTTP Basic's password; ``is_open``: who needs no
    token."""

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if is_open(request):
            request[OPEN] = True
        elif request.path.startswith(basic):
            token = offered(request.headers.get("Authorization", ""), basic=True)
            request[CLIENT] = request.app[ACCESS].admit(token, request.remote)
        return await handler(request)

    return admit
