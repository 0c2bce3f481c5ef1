"""All of a census."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from doubles.ollama import OllamaDouble

from . import queue_part
from .normal import Names
from .running import a_worker, make_files, running
from .worker_part import Answer, WorkerPart, answer, commands, job_of


async def take(
    scratch: Path, files: Path, pictures: Path, *, worker: bool = True, rooms: bool = True, only: str | None = None
) -> dict[str, Any]:
    """``scratch``: a folder to work in; ``files``: where the models are; ``pictures``: where drawn ones are put;
    ``only``: pictures whose names hold that, and nothing else of the worker."""
    make_files(files)
    found: dict[str, Any] = {}
    if worker:
        found["worker"] = await take_worker(scratch / "worker", files, pictures, only)
    if rooms:
        from .rooms_part import take_rooms

        found["rooms"] = await take_rooms(scratch / "lab", files)
    return found


async def take_worker(root: Path, files: Path, pictures: Path, only: str | None) -> Answer:
    names = Names()
    names.give(str(files.parent), "files")
    async with OllamaDouble(queue_part.OLLAMA) as ollama:
        a = a_worker(root, files, ollama.url)
        async with running(a) as api:
            part = WorkerPart(api, names, pictures)
            if only is not None:
                some: Answer = names.clean(await part.some(only))
                return some
            found = await part.take()
            found["chats"] = await queue_part.chats(api, names, ollama)
            found["ends"] = await queue_part.ends(api, names)
            found["events"] = await queue_part.events(api)
            # Last: a pause ends the GPU process, and on a busy machine another one takes minutes to start.
            found["queue"] = await queue_part.queue(api, names)
            found["metrics"] = await queue_part.metrics(api)
            found["commands"] = await commands(a)
        found["schema"] = queue_part.schema(a.database)
        found["other settings"] = await other_settings(root, files, names)
    cleaned: Answer = names.clean(found)
    return cleaned


async def other_settings(root: Path, files: Path, names: Names) -> Answer:
    """What is refused only by a worker without a checker and without a chat, and by one without room on its disk."""
    alone: dict[str, dict[str, Any]] = {"images": {"safety_checker": None, "default_model": "tiny-sd"}}
    request = {"prompt": "otter", "seed": 7}
    found: Answer = {}
    async with running(a_worker(root, files, None, **alone)) as api:
        unchecked = job_of("unchecked", {**request, "safety": True})
        found["unchecked"] = answer(*await api.call("POST", "/v1/jobs", unchecked))
        chat = queue_part.chat_job("unheard", queue_part.CHATS["a question"])
        status, job = await api.call("POST", "/v1/jobs", chat)
        names.give(job["id"], "job unheard")
        found["no chat"] = answer(status, await api.done(job["id"]))
        found["without a chat"] = answer(*await api.call("GET", "/v1/info"))
    async with running(a_worker(root, files, None, **alone, archive={"min_free_gb": 1_000_000})) as api:
        found["no room"] = answer(*await api.call("POST", "/v1/jobs", job_of("no room", request)))
        for path in ("/v1/info", "/readyz"):
            found[path] = answer(*await api.call("GET", path))
    return found
