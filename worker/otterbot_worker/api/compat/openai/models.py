"""``models``: what draws and what chats, in one list as OpenAI's has it."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from ...problems import ApiProblem
from ...routes_listings import all_models


async def models(request: web.Request) -> web.Response:
    return web.json_response({"object": "list", "data": await _listed(request)})


async def model(request: web.Request) -> web.Response:
    name = request.match_info["name"]
    found = next((one for one in await _listed(request) if one["id"] == name), None)
    if found is None:
        raise ApiProblem(404, "unknown_model", "There is no such model here.")
    return web.json_response(found)


async def _listed(request: web.Request) -> list[dict[str, Any]]:
    """``kind`` is no field of OpenAI's. When a model was made nobody knows here, and a number is expected."""
    return [
        {"id": one.name, "object": "model", "created": 0, "owned_by": "otterbot", "kind": one.kind}
        for one in await all_models(request)
        if one.available
    ]
