"""``progress`` and ``interrupt``, of what the client itself has asked for here."""

from __future__ import annotations

import base64
from typing import Any

from aiohttp import web

from ....queue.model import StoredJob
from ....schemas.base import State
from ....schemas.jobs import Job, Picture
from ...auth import client_of
from ...parts import PARTS
from .draw import ROOM

MOST = 100


async def progress(request: web.Request) -> web.Response:
    parts = request.app[PARTS]
    stored = await _open(request)
    jobs = await parts.views.jobs(stored)
    job = next((one for one in jobs if one.state is State.RUNNING), jobs[0] if jobs else None)
    picture = None if job is None else _current(job)
    image = None
    if job is not None and picture is not None and request.query.get("skip_current_image", "false").lower() != "true":
        preview = await parts.views.preview(job.id, picture.index)
        image = None if preview is None else base64.b64encode(preview).decode()
    return web.json_response(
        {
            "progress": 0.0 if job is None else round(_share(job), 4),
            "eta_relative": 0.0 if job is None or job.eta_s is None else job.eta_s,
            "state": _state(job, picture, len(jobs)),
            "current_image": image,
            "textinfo": None if job is None else _words(job),
        }
    )


async def interrupt(request: web.Request) -> web.Response:
    """Cancels what runs of the client's, else what comes next: its request is answered with what was finished."""
    parts = request.app[PARTS]
    stored = await _open(request)
    views = await parts.views.jobs(stored)
    running = [job for job, view in zip(stored, views, strict=True) if view.state is State.RUNNING]
    for job in (running or stored)[:1]:
        await parts.dispatcher.cancel(job)
    return web.json_response({})


async def _open(request: web.Request) -> list[StoredJob]:
    """The oldest first."""
    return await request.app[PARTS].store.jobs(client_of(request), room=ROOM, only_open=True, limit=MOST)


def _current(job: Job) -> Picture | None:
    return next((one for one in job.pictures if one.state is State.RUNNING), None)


def _share(job: Job) -> float:
    done = sum(1.0 for one in job.pictures if one.state.final)
    running = _current(job)
    if running is not None and running.progress is not None and running.progress.phase == "denoising":
        done += running.progress.step / max(1, running.progress.steps)
    return done / max(1, len(job.pictures))


def _state(job: Job | None, picture: Picture | None, count: int) -> dict[str, Any]:
    steps = picture.progress if picture is not None else None
    denoising = steps is not None and steps.phase == "denoising"
    return {
        "skipped": False,
        "interrupted": False,
        "stopping_generation": False,
        "job": "" if job is None else "scripts_txt2img",
        "job_count": count,
        "job_timestamp": "0",
        "job_no": 0 if job is None else sum(one.state.final for one in job.pictures),
        "sampling_step": steps.step if steps is not None and denoising else 0,
        "sampling_steps": steps.steps if steps is not None and denoising else 0,
    }


def _words(job: Job) -> str | None:
    if job.place:
        return f"Waiting: {job.place} come before it."
    running = _current(job)
    return None if running is None or running.progress is None else running.progress.phase
