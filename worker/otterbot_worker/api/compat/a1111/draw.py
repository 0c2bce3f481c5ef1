"""``txt2img`` and ``img2img``: a job, and its pictures as A1111's server answers with them."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from aiohttp import web

from ....archive import metadata
from ....schemas.base import State
from ....schemas.jobs import Job
from ....schemas.new_jobs import NewImageJob
from ....schemas.requests import ImageRequest
from ...auth import client_of
from ...parts import PARTS
from ...problems import ApiProblem
from .. import bodies, results
from ..errand import errand, new_key, sent
from ..results import Drawn, Format
from .draw_body import DrawBody
from .options import chosen

ROOM = "/sdapi/v1"
"""What these jobs have for a room: nobody's room is called so."""
INTERRUPTED = "Interrupted: these are the pictures that were finished."


async def txt2img(request: web.Request) -> web.StreamResponse:
    asked = await bodies.with_pictures(request, DrawBody.model_validate_json, pictures=0)
    if asked.init_images or asked.mask:
        raise ApiProblem(422, "invalid_request", "Pictures to start from are for img2img.")
    return await _draw(request, asked, asked.request(await chosen(request)))


async def img2img(request: web.Request) -> web.StreamResponse:
    asked = await bodies.with_pictures(request, DrawBody.model_validate_json, pictures=bodies.MOST_PICTURES)
    if not asked.init_images or len(asked.init_images) != 1:
        raise bodies.one_picture("init_images")
    model = await chosen(request)
    asked.request(model)  # what is wrong with it is told before its pictures are looked at
    private = not asked.save_images
    start = await bodies.keep(
        request, bodies.of_base64(asked.init_images[0], "init_images"), "init_images", private=private
    )
    pictures: dict[str, Any] = {"init_image": {"id": start.id}}
    if asked.mask:
        mask = await bodies.keep(request, bodies.of_base64(asked.mask, "mask"), "mask", private=private)
        pictures["mask"] = {"id": mask.id}
    return await _draw(request, asked, asked.request(model, **pictures))


async def _draw(request: web.Request, asked: DrawBody, wanted: ImageRequest) -> web.StreamResponse:
    owner = client_of(request)
    job = NewImageJob(
        kind="image", key=new_key(), owner=owner, room=ROOM, private=not asked.save_images, request=wanted
    )
    async with errand(request, job) as one:
        done = await one.finished()
        pictures = await one.pictures()
        if not pictures and done.state is not State.CANCELLED:
            raise results.why_none(done)
        images = [await _base64(request, picture) for picture in pictures] if asked.send_images else []
        whole = {"images": images, "parameters": _parameters(done), "info": json.dumps(info(done, pictures))}
        return await sent(request, web.json_response(whole))


async def _base64(request: web.Request, one: Drawn) -> str:
    return base64.b64encode(await results.encoded(request.app[PARTS], one, Format())).decode()


def _parameters(job: Job) -> dict[str, Any]:
    """What was drawn with. What was sent is not repeated: it may hold pictures of megabytes."""
    used = job.resolved
    if used is None:
        return {}
    return {
        "prompt": used.prompt,
        "negative_prompt": used.negative_prompt,
        "seed": used.seed,
        "steps": used.steps,
        "cfg_scale": used.guidance_scale,
        "width": used.width,
        "height": used.height,
        "sampler_name": used.sampler,
        "denoising_strength": used.strength,
        "batch_size": used.count,
    }


def info(job: Job, pictures: Sequence[Drawn]) -> dict[str, Any]:
    """As A1111 says it, in JSON within JSON; ``notes`` are ours."""
    said = _parameters(job)
    records = [one.result.record for one in pictures]
    notes = [*dict.fromkeys(note for one in pictures for note in one.result.notes), *results.not_drawn(job)]
    if job.state is State.CANCELLED:
        notes.append(INTERRUPTED)
    used = job.resolved
    return {
        **said,
        "all_prompts": [record.used.prompt for record in records],
        "all_negative_prompts": [record.used.negative_prompt for record in records],
        "all_seeds": [one.seed for one in pictures],
        "subseed": -1 if used is None or used.variation is None else used.variation.seed,
        "subseed_strength": 0 if used is None or used.variation is None else used.variation.strength,
        "sd_model_name": "" if used is None else used.model,
        "sd_model_hash": records[0].used.model_hash.removeprefix("sha256:")[:10] if records else "",
        "clip_skip": 1 if used is None else used.clip_skip or 1,
        "restore_faces": False,
        "extra_generation_params": {},
        "index_of_first_image": 0,
        "infotexts": [metadata.a1111(record) for record in records],
        "styles": [],
        "notes": notes,
    }
