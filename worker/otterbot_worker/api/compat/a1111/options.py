"""``options``: the checkpoint that a client has chosen. It is that client's alone, and the rest cannot be set."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from ....models.catalogue import Catalogue
from ....schemas.jobs import FieldProblem
from ...auth import client_of
from ...parts import PARTS
from ...problems import ApiProblem
from .. import bodies
from .draw_body import checkpoint
from .fields import NOTHING

FIXED = {"CLIP_stop_at_last_layers": 1, "sd_vae": "Automatic", "samples_format": "png"}
"""What clients look at besides, as it always is."""
META = "a1111_checkpoint"
"""Where it is stored, with the client's name behind it: it survives a restart."""


class Options(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    sd_model_checkpoint: str | None = None


async def chosen(request: web.Request) -> str | None:
    """The client's model; ``None``: the worker's default."""
    found = await request.app[PARTS].store.meta(f"{META} {client_of(request)}")
    return found if isinstance(found, str) and found else None


async def options(request: web.Request) -> web.Response:
    model = await chosen(request) or request.app[PARTS].default_model
    return web.json_response({"sd_model_checkpoint": model, "sd_checkpoint_hash": "", **FIXED})


async def set_options(request: web.Request) -> web.Response:
    asked = await bodies.with_pictures(request, Options.model_validate_json, pictures=0)
    _refuse_others(asked.model_extra or {})
    if asked.sd_model_checkpoint is not None:
        name = checkpoint(asked.sd_model_checkpoint)
        found = None if name is None else await asyncio.to_thread(_known, request.app[PARTS].catalogue, name)
        await request.app[PARTS].store.set_meta(f"{META} {client_of(request)}", found)
    return web.json_response(None)


def _refuse_others(extra: dict[str, Any]) -> None:
    """Open WebUI sends back all that it was told. :raises ApiProblem: 422"""
    same = {**FIXED, "sd_checkpoint_hash": ""}
    problems = [
        FieldProblem(field=_shown(name), code="not_done", message=f"{_shown(name)} cannot be set here.")
        for name, value in extra.items()
        if value not in NOTHING and not (name in same and value == same[name])
    ]
    if problems:
        sentences = " ".join(problem.message for problem in problems[:10])
        raise ApiProblem(422, "invalid_request", sentences, fields=problems[:50])


def _shown(name: str) -> str:
    return "".join(c for c in name[:64] if c.isalnum() or c in "_-.") or "?"


def _known(catalogue: Catalogue, name: str) -> str:
    """The name of a model, in whatever capitals. Reads files, so it runs in a thread. :raises ApiProblem: 422"""
    images = catalogue.look().images
    found = next((one for one in images if one.lower() == name.lower()), None)
    if found is None:
        sentence = f"There is no such model here; there are {', '.join(sorted(images)[:50])}."
        problem = FieldProblem(field="sd_model_checkpoint", code="unknown_model", message=sentence)
        raise ApiProblem(422, "unknown_model", sentence, fields=[problem])
    return found
