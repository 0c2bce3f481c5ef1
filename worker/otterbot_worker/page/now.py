"""What the worker does now, for the page: what runs, what waits, the pause. Of encrypted rooms no word, no preview."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

from aiohttp import web

from .. import __version__
from ..api.card_info import lanes_info
from ..api.parts import PARTS, Parts
from ..api.problems import ApiProblem, body, not_found
from ..queue.model import StoredJob
from ..schemas.base import State
from ..schemas.jobs import Description, Job, Picture, Progress, Turn
from ..schemas.requests import PauseRequest
from .history import HISTORY
from .replies import answer

MOST_SHOWN = 50
"""Jobs of the line that are shown; of the others their number."""
MOST_WORDS = 300
"""Characters of a prompt in the line."""


async def look(request: web.Request) -> web.Response:
    parts = request.app[PARTS]
    queued, running = await parts.store.open_counts()
    pause = parts.dispatcher.pause_state
    jobs, more = await _line(parts)
    return answer(
        {
            "at": time.time(),
            "version": __version__,
            "pause": {"paused": pause.paused, "until": pause.until},
            "queued": queued,
            "running": running,
            "cards": [
                {"name": lane.gpu.name or lane.gpu.device, "resident": lane.gpu.resident, "paused": lane.paused}
                for lane in lanes_info(parts)
            ],
            "disk_free": parts.archive.free_bytes(),
            "notices": list(parts.dispatcher.obstacles.values()) + ([parts.notice] if parts.notice else []),
            "jobs": jobs,
            "more": more,
        }
    )


async def _line(parts: Parts) -> tuple[list[dict[str, Any]], int]:
    """What runs and the first that wait, of all clients; and how many jobs more wait."""
    places: dict[str, int] = {}
    for client in sorted(await parts.store.open_clients()):
        places |= await parts.views.places(client)
    order = list(dict.fromkeys([*await parts.store.running_jobs(), *sorted(places, key=lambda job: places[job])]))
    stored = await parts.store.jobs_of(order[:MOST_SHOWN])
    by_client: dict[str, list[StoredJob]] = defaultdict(list)
    for job in stored.values():
        by_client[job.client].append(job)
    views: dict[str, Job] = {}
    for jobs in by_client.values():
        views |= {view.id: view for view in await parts.views.jobs(jobs)}
    shown = [_entry(stored[job_id], views[job_id]) for job_id in order if job_id in views]
    return shown, max(0, len(order) - MOST_SHOWN)


def _entry(job: StoredJob, view: Job) -> dict[str, Any]:
    resolved = view.resolved
    return {
        "id": job.id,
        "client": job.client,
        "kind": job.kind,
        "owner": job.owner,
        "room": job.room,
        "private": job.private,
        "created_at": job.created_at,
        "state": view.state,
        "place": view.place,
        "eta_s": view.eta_s,
        "model": resolved.model if resolved is not None else None,
        "prompt": resolved.prompt[:MOST_WORDS] if resolved is not None and not job.private else None,
        "count": len(view.pictures) or 1,
        "done": sum(picture.state is State.SUCCEEDED for picture in view.pictures),
        "running": _running(job, view),
    }


def _running(job: StoredJob, view: Job) -> list[dict[str, Any]]:
    """Its rows that run: with several cards there may be more than one."""
    rows: list[Picture | Turn | Description | None] = [*view.pictures, view.turn, view.description]
    return [_run(job, row) for row in rows if row is not None and row.state is State.RUNNING]


def _run(job: StoredJob, row: Picture | Turn | Description) -> dict[str, Any]:
    progress = row.progress or Progress(phase="starting")
    return {
        "index": row.index if isinstance(row, Picture) else 0,
        "phase": progress.phase,
        "step": progress.step,
        "steps": progress.steps,
        "preview": 0 if job.private else progress.preview,
    }


async def preview(request: web.Request) -> web.Response:
    parts, index = request.app[PARTS], request.match_info["index"]
    job = await _job(request)
    found = None if job.private else await parts.views.preview(job.id, int(index))
    if found is None:
        raise ApiProblem(404, "no_preview", "There is no preview of this picture now.")
    return web.Response(body=found, content_type="image/jpeg")


async def cancel(request: web.Request) -> web.Response:
    await request.app[PARTS].dispatcher.cancel(await _job(request))
    return web.Response(status=204)


async def pause(request: web.Request) -> web.Response:
    asked = await body(request, PauseRequest.model_validate_json)
    if asked.lane is not None:
        raise ApiProblem(422, "invalid_request", "The page pauses all cards; `otterbot-worker pause` pauses one.")
    until = None if asked.minutes is None else time.time() + asked.minutes * 60
    await request.app[PARTS].dispatcher.pause(until)
    return web.Response(status=204)


async def resume(request: web.Request) -> web.Response:
    await request.app[PARTS].dispatcher.resume()
    return web.Response(status=204)


async def memory(request: web.Request) -> web.Response:
    return answer(request.app[HISTORY].shown(time.time()))


async def _job(request: web.Request) -> StoredJob:
    job = await request.app[PARTS].store.job(request.match_info["id"])
    if job is None:
        raise not_found("job")
    return job


ROUTES = (
    web.get("/page/now", look),
    web.get("/page/memory", memory),
    web.get("/page/jobs/{id}/preview/{index:[0-9]{1,3}}", preview),
    web.delete("/page/jobs/{id}", cancel),
    web.post("/page/pause", pause),
    web.post("/page/resume", resume),
)
