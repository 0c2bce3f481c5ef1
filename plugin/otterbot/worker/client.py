"""Client of the worker's HTTP API: one method per call."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp

from ..errors import WorkerForeign, WorkerRefused, WorkerUnreachable
from .info import Checked, Explained, Info, Lora, Loras, Models, StyleList, Wildcard, Wildcards
from .job_events import Snapshot
from .jobs import Input, Job, Jobs
from .json_answers import Answer
from .stream import EventStream, by_our_clock
from .transport import Address, WorkerHttp

__all__ = ["Address", "WorkerClient"]

A = TypeVar("A", bound=Answer)
QUICK = aiohttp.ClientTimeout(total=4, connect=3)
UPLOAD = aiohttp.ClientTimeout(total=180, connect=5)
DOWNLOAD = aiohttp.ClientTimeout(total=180, connect=5)


class WorkerClient:
    """One per plugin instance. Methods raise :class:`WorkerUnreachable`,
    :class:`WorkerUnauthorized` or :class:`WorkerRefused`."""

    def __init__(self, address: Callable[[], Address]) -> None:
        self._http = WorkerHttp(address)
        self.stream = EventStream(self._http)
        self._info: tuple[tuple[Address, int], float, Info] | None = None
        self._models: tuple[Address, float, Models] | None = None
        self.spoiled_at: float | None = None
        """When a picture last arrived damaged (``time.monotonic()``)."""

    async def close(self) -> None:
        await self._http.close()

    # -- jobs --------------------------------------------------------------------------------

    async def submit(
        self, *, key: str, kind: str, owner: str, room: str, private: bool, request: Mapping[str, Any]
    ) -> Job:
        """Submit a job, or get the existing one of that key."""
        body = {"key": key, "kind": kind, "owner": owner, "room": room, "private": private, "request": request}
        return _read(Job, await self._http.json("POST", "/v1/jobs", body=body))

    async def job(self, job_id: str) -> Job:
        return _read(Job, await self._http.json("GET", f"/v1/jobs/{quote(job_id, safe='')}"))

    async def job_by_key(self, key: str) -> Job | None:
        jobs = await self.jobs(key=key)
        return jobs[0] if jobs else None

    async def jobs(self, **query: str) -> list[Job]:
        """Jobs by ``key``, ``room`` or ``state="open"``."""
        answer = await self._http.json("GET", "/v1/jobs", query=query)
        return list(_read(Jobs, answer).jobs)

    async def cancel(self, job_id: str) -> Job | None:
        """Cancel a job and return its state; a finished job stays as it is. ``None`` if the worker does not know it."""
        try:
            return _read(Job, await self._http.json("DELETE", f"/v1/jobs/{quote(job_id, safe='')}"))
        except WorkerRefused as refusal:
            if not refusal.not_found:
                raise
            return None

    # -- pictures ----------------------------------------------------------------------------

    async def image(self, image_id: str) -> bytes:
        return await self._http.bytes("GET", f"/v1/images/{quote(image_id, safe='')}", DOWNLOAD)

    async def thumbnail(self, image_id: str) -> bytes:
        return await self._http.bytes("GET", f"/v1/images/{quote(image_id, safe='')}/thumbnail", DOWNLOAD)

    async def film(self, image_id: str) -> bytes:
        """How that picture was drawn."""
        return await self._http.bytes("GET", f"/v1/images/{quote(image_id, safe='')}/film", DOWNLOAD)

    async def preview(self, job_id: str, index: int) -> bytes:
        """What a picture that is being drawn looks like by now, a small JPEG."""
        path = f"/v1/jobs/{quote(job_id, safe='')}/pictures/{index}/preview"
        return await self._http.bytes("GET", path, QUICK)

    async def delivered(self, image_id: str) -> None:
        """Report that a picture is in its room. May be repeated; the worker may have forgotten it."""
        await self._forgiving("POST", f"/v1/images/{quote(image_id, safe='')}/delivered")

    async def delete_image(self, image_id: str, key: str) -> None:
        """The request of that key does not use the picture any more; older workers delete it for all that do."""
        await self._forgiving("DELETE", f"/v1/images/{quote(image_id, safe='')}", query={"key": key})

    async def keep(self, image_id: str) -> None:
        """Somebody wants the picture to stay in the archive. Older workers do not know that."""
        await self._forgiving("POST", f"/v1/images/{quote(image_id, safe='')}/keep")

    async def let_go(self, image_id: str) -> None:
        """Nobody wants that any more."""
        await self._forgiving("DELETE", f"/v1/images/{quote(image_id, safe='')}/keep")

    async def _forgiving(self, method: str, path: str, *, query: Mapping[str, str] | None = None) -> None:
        try:
            await self._http.done(method, path, query=query)
        except WorkerRefused as refusal:
            if not refusal.not_found:
                raise

    async def add_input(self, data: bytes, mimetype: str, *, private: bool, owner: str) -> Input:
        """Send an input picture. The same bytes give the same id. ``owner``: the person who sent it, since the worker
        checks people's pictures in fair turns; older workers ignore it."""
        query = {"private": "true" if private else "false"}
        headers = {"Otterbot-Owner": quote(owner, safe="@:.")}
        answer = await self._http.upload("/v1/inputs", data, mimetype, UPLOAD, query=query, headers=headers)
        return _read(Input, answer)

    # -- what it is --------------------------------------------------------------------------

    async def info(self, max_age: float = 0.0) -> Info:
        """The worker's info, at most ``max_age`` seconds old, and not from before its event stream began."""
        source = self._http.address, self.stream.begun
        if self._info is None or self._info[0] != source or time.monotonic() - self._info[1] > max_age:
            found = _read(Info, await self._http.json("GET", "/v1/info", timeout=QUICK))
            found = by_our_clock(found, self._http.clock)
            self._info = source, time.monotonic(), found
            return found
        return self._info[2]

    async def models(self, max_age: float = 300.0) -> Models:
        """The catalogue, at most ``max_age`` seconds old; the last known one if the worker is away."""
        address, known = self._http.address, self.known_models
        if known is not None and self._models is not None and time.monotonic() - self._models[1] <= max_age:
            return known
        try:
            found = _read(Models, await self._http.json("GET", "/v1/models", timeout=QUICK))
        except WorkerUnreachable:
            if known is None:
                raise
            return known
        self._models = address, time.monotonic(), found
        return found

    async def loras(self) -> tuple[Lora, ...]:
        """The LoRAs and embeddings; none from a worker too old for them."""
        try:
            return _read(Loras, await self._http.json("GET", "/v1/loras", timeout=QUICK)).loras
        except WorkerRefused as refusal:
            if refusal.status == 404:
                return ()
            raise

    async def styles(self) -> StyleList | None:
        """The styles; ``None``: the worker is too old for them."""
        try:
            return _read(StyleList, await self._http.json("GET", "/v1/styles", timeout=QUICK))
        except WorkerRefused as refusal:
            if refusal.status == 404:
                return None
            raise

    async def wildcards(self) -> tuple[Wildcard, ...]:
        """The files that words are drawn from. A worker too old for them refuses with 404."""
        return _read(Wildcards, await self._http.json("GET", "/v1/wildcards", timeout=QUICK)).wildcards

    async def explain(
        self, prompt: str, negative_prompt: str | None, style: Sequence[Any] = (), *, seed: int | None = None
    ) -> Explained:
        """How the prompts are read, with the styles around them. ``seed``: by which words are drawn, for workers that
        know of it."""
        body: dict[str, Any] = {"prompt": prompt, "negative_prompt": negative_prompt}
        if style:
            body["style"] = list(style)
        if seed is not None:
            body["seed"] = seed
        return _read(Explained, await self._http.json("POST", "/v1/prompts/explain", body=body, timeout=QUICK))

    async def check(self, request: Mapping[str, Any]) -> Checked:
        """What a request for pictures would become; nothing is drawn. A worker too old for it refuses with 404."""
        return _read(Checked, await self._http.json("POST", "/v1/requests/check", body=request, timeout=QUICK))

    @property
    def known_models(self) -> Models | None:
        """The last known catalogue of the current address, without a call."""
        return self._models[2] if self._models is not None and self._models[0] == self._http.address else None

    async def snapshot(self) -> Snapshot:
        """The open jobs and the pause, as the stream's first event would have them."""
        jobs = await self.jobs(state="open")
        return Snapshot(jobs=tuple(jobs), pause=(await self.info()).pause)


def _read(kind: type[A], data: Any) -> A:
    try:
        return kind.read(data)
    except TypeError:
        raise WorkerForeign("the answer is not the worker's") from None
