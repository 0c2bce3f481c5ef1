"""What A1111's clients ask for before they draw: models, samplers, schedules, LoRAs, and lists that are short here."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from ....sampling import samplers
from ....schemas.listings import Lora
from ....styles import StyleLibrary
from ...parts import PARTS
from ...routes_listings import all_loras, all_models
from .draw_body import SCHEDULES, UPSCALERS

_SHAPES = {"sd": 768, "sdxl": 2048}
"""By family, the length of an embedding's vectors, by which clients sort them."""


async def sd_models(request: web.Request) -> web.Response:
    found = [one for one in await all_models(request) if one.kind == "image" and one.available]
    return web.json_response(
        [
            {
                "title": one.name,
                "model_name": one.name,
                "hash": "",
                "sha256": None,
                "filename": one.name,
                "config": None,
            }
            for one in found
        ]
    )


async def sampler_names(_: web.Request) -> web.Response:
    return web.json_response([{"name": name, "aliases": [], "options": {}} for name in samplers.names()])


async def schedulers(_: web.Request) -> web.Response:
    known = {"automatic": "Automatic", **{name: name.replace("_", " ").title() for name in SCHEDULES}}
    known["sgm_uniform"] = "SGM Uniform"
    return web.json_response(
        [
            {"name": name, "label": label, "aliases": [], "default_rho": -1, "need_inner_model": False}
            for name, label in known.items()
        ]
    )


async def loras(request: web.Request) -> web.Response:
    found = [one for one in await _extras(request) if one.kind == "lora"]
    return web.json_response(
        [
            {"name": one.name, "alias": one.name, "path": one.name, "metadata": {"trigger_words": one.triggers}}
            for one in found
        ]
    )


async def embeddings(request: web.Request) -> web.Response:
    loaded = {
        one.name: {"step": None, "sd_checkpoint": None, "sd_checkpoint_name": None, "shape": shape, "vectors": 1}
        for one in await _extras(request)
        if one.kind == "embedding" and (shape := _SHAPES.get(one.family or "")) is not None
    }
    return web.json_response({"loaded": loaded, "skipped": {}})


async def _extras(request: web.Request) -> list[Lora]:
    found = await asyncio.to_thread(all_loras, request.app[PARTS].library)
    return [one for one in found if one.problem is None]


async def prompt_styles(request: web.Request) -> web.Response:
    return web.json_response(await asyncio.to_thread(_styles, request.app[PARTS].styles))


def _styles(library: StyleLibrary) -> list[dict[str, Any]]:
    return [
        {"name": one.name, "prompt": one.prompt, "negative_prompt": one.negative_prompt}
        for one in library.all().values()
    ]


async def upscalers(_: web.Request) -> web.Response:
    return web.json_response([_upscaler("None"), _upscaler("Lanczos")])


def _upscaler(name: str) -> dict[str, Any]:
    return {"name": name, "model_name": None, "model_path": None, "model_url": None, "scale": 4}


async def latent_modes(_: web.Request) -> web.Response:
    return web.json_response([{"name": name.capitalize()} for name in UPSCALERS if name == "latent"])


async def none_of_them(_: web.Request) -> web.Response:
    """VAEs, hypernetworks, face restorers: none can be chosen, and clients go on where they are told so."""
    return web.json_response([])


async def cmd_flags(_: web.Request) -> web.Response:
    """Clients ask for it to see whether a password is needed."""
    return web.json_response({})
