"""A small worker that keeps to the HTTP contract: queue, event stream, pictures; it draws when it is told to."""

from __future__ import annotations

import asyncio
import hashlib
import json
import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

from aiohttp import web

TOKEN = "the-token"
OLDER_KNOWS = frozenset({
    "asked", "aspect", "control", "count", "guidance_scale", "height", "hires", "init_image", "mask", "model",
    "negative_prompt", "preview", "prompt", "safety", "sampler", "seed", "steps", "strength", "theme",
    "upscale", "variation", "width",
})  # fmt: skip
"""The fields of a picture's request, as the worker of 22 November 2026 told them in its OpenAPI document."""


def png(seed: int, side: int = 8) -> bytes:
    """A picture of one colour, made of its seed."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    pixel = bytes(((seed >> 16) & 255, (seed >> 8) & 255, seed & 255))
    rows = b"".join(b"\0" + pixel * side for _ in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class WorkerDouble:
    """``async with WorkerDouble() as worker``; ``auto`` draws everything at once."""

    def __init__(self, *, auto: bool = True) -> None:
        self.auto = auto
        self.jobs: dict[str, dict[str, Any]] = {}
        self.bodies: dict[str, dict[str, Any]] = {}
        self.images: dict[str, bytes] = {}
        self.delivered: list[str] = []
        self.deleted: list[str] = []
        self.deleted_for: list[str | None] = []
        """The keys of the requests that do not use them any more."""
        self.kept: list[tuple[str, str]] = []
        """What was said of keeping pictures: POST or DELETE, and of which."""
        self.cancelled: list[str] = []
        self.inputs: dict[str, tuple[bytes, str, str]] = {}
        """Pictures to start from by id: bytes, media type, private."""
        self.uploads = 0
        self.refuse_input: tuple[int, dict[str, Any]] | None = None
        self.owners: list[str | None] = []
        """Whose pictures were brought, as it was said."""
        self.slow_owners: dict[str, asyncio.Event] = {}
        """Whose pictures are checked until somebody says that it is enough."""
        self.alpha = False
        """Whether what is brought has holes."""
        self.features = ["img2img", "previews", "film", "sheet", "layers"]
        self.knows: frozenset[str] | None = None
        """The fields of a request that it takes; ``None``: any."""
        self.keeps_private = True
        self.sheets = True
        """Whether it makes a sheet as soon as all pictures of a job are final."""
        self.limits: dict[str, int] = {}
        self.submissions: list[dict[str, Any]] = []
        self.refuse: tuple[int, dict[str, Any]] | None = None
        self.pause: dict[str, Any] = {"paused": False, "until": None}
        self.token = TOKEN
        self.instead: Callable[[web.Request], web.StreamResponse | None] = lambda request: None
        """What somebody else answers in its place, a proxy say; ``None``: it answers itself."""
        self.buffered = False
        """Between it and the plugin stands something that passes the event stream on when it ends, which is never."""
        self.resolves = True
        """Whether it tells what it makes of a request; older workers do not."""
        self.notes: list[str] = []
        """What it says of each request."""
        self.alt: str | None = None
        """What its captioner says of each picture."""
        self.hashes = True
        """Whether it tells the hashes of its files; older workers do not."""
        self.previews: dict[tuple[str, int], bytes] = {}
        """What is seen of pictures that are drawn, by job and index."""
        self.films: dict[str, bytes] = {}
        self.filming = True
        """Whether it makes films where they are asked for."""
        self.thumbnail: bytes | None = None
        """A JPEG; ``None``: the thumbnail is the picture itself."""
        self.port = 0
        self._streams: set[asyncio.Queue[tuple[str, Any] | None]] = set()
        self._runner: web.AppRunner | None = None
        self._number = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> WorkerDouble:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        app = web.Application(middlewares=[self._auth], client_max_size=2**28)
        app.router.add_post("/v1/inputs", self._input)
        app.router.add_post("/v1/jobs", self._submit)
        app.router.add_get("/v1/jobs", self._list)
        app.router.add_get("/v1/jobs/{id}", self._job)
        app.router.add_delete("/v1/jobs/{id}", self._cancel)
        app.router.add_get("/v1/events", self._events)
        app.router.add_get("/v1/info", self._info)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/v1/images/{id}", self._image)
        app.router.add_get("/v1/images/{id}/thumbnail", self._thumbnail)
        app.router.add_get("/v1/images/{id}/film", self._film)
        app.router.add_get("/v1/jobs/{id}/pictures/{index}/preview", self._preview)
        app.router.add_post("/v1/images/{id}/delivered", self._delivered)
        app.router.add_delete("/v1/images/{id}", self._delete)
        app.router.add_post("/v1/images/{id}/keep", self._keep)
        app.router.add_delete("/v1/images/{id}/keep", self._keep)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        for stream in self._streams:
            stream.put_nowait(None)
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def forget(self) -> None:
        """As if its database had been emptied."""
        self.inputs.clear()
        self.jobs.clear()
        self.bodies.clear()
        self.images.clear()

    # -- what tests make it do

    def by_key(self, key: str) -> dict[str, Any]:
        return next(job for job in self.jobs.values() if job["key"] == key)

    def draw(self, job: dict[str, Any], index: int) -> None:
        picture = job["pictures"][index]
        self._number += 1
        image_id = f"image-{self._number}"
        data = self.images[image_id] = png(picture["seed"])
        request = job["request"]
        used = {
            "prompt": request["prompt"], "negative_prompt": "", "model": "otter-noise", "model_hash": "abc",
            "sampler": "unipc", "steps": 3, "guidance_scale": 7.5, "width": 64, "height": 64, "seed": picture["seed"],
            "parser": "otterbot-1", "versions": {}, "init_image": (request.get("init_image") or {}).get("id"),
            "strength": request.get("strength"),
        }  # fmt: skip
        picture["state"] = "succeeded"
        picture["result"] = {
            "image_id": image_id, "filename": f"otter_{self._number}.png", **self._file(data),
            "width": 8, "height": 8, "blurhash": "L00000fQfQfQfQfQfQfQfQfQfQfQ",
            "notes": (job["resolved"] or {}).get("notes", []), "alt": self.alt,
            "thumbnail": {"width": 8, "height": 8, **self._file(data if self.thumbnail is None else self.thumbnail)},
            "record": {"v": 1, "asked": {"prompt": request["prompt"]}, "used": used, "took": 0.1},
        }  # fmt: skip
        if request.get("film") and self.filming:
            film = self.films[image_id] = b"RIFF\0\0\0\0WEBP" + image_id.encode()
            told = {"size": len(film), "sha256": hashlib.sha256(film).hexdigest(), "mimetype": "image/webp"}
            picture["result"]["film"] = {"width": 8, "height": 8, "frames": 4, **told}
        self.changed(job)

    def show(self, job: dict[str, Any], index: int, *, eta_s: float | None, number: int | None = None) -> bytes:
        """A picture is being drawn, and this is seen of it."""
        picture = job["pictures"][index]
        before = (picture.get("progress") or {}).get("preview", 0)
        number = before + 1 if number is None else number
        if picture["state"] == "queued":
            picture.update(state="running", attempt=1)
            self.changed(job)
        progress = {"phase": "denoising", "step": number, "steps": 30, "eta_s": eta_s, "attempt": 1, "preview": number}
        picture["progress"] = progress
        jpeg = self.previews[job["id"], index] = b"\xff\xd8\xff" + f"{job['id']} {index} {number}".encode()
        self.say("progress", {"job_id": job["id"], "index": index, "progress": progress, "eta_s": eta_s})
        return jpeg

    def _file(self, data: bytes) -> dict[str, Any]:
        kind = {"size": len(data), "mimetype": "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"}
        return {**kind, "sha256": hashlib.sha256(data).hexdigest()} if self.hashes else kind

    def draw_all(self, job: dict[str, Any]) -> None:
        for picture in job["pictures"]:
            if picture["state"] in ("queued", "running"):
                self.draw(job, picture["index"])

    def fail(self, job: dict[str, Any], index: int, code: str = "poison", message: str = "It broke.") -> None:
        job["pictures"][index]["state"] = "failed"
        job["pictures"][index]["error"] = {"code": code, "message": message, "details": {}}
        self.changed(job)

    def changed(self, job: dict[str, Any]) -> None:
        states = [picture["state"] for picture in job["pictures"]]
        if "running" in states:
            job["state"] = "running"
        elif "queued" in states:
            job["state"] = "queued"
        elif all(state == "succeeded" for state in states):
            job["state"] = "succeeded"
        else:
            job["state"] = "cancelled" if "cancelled" in states else "failed"
        if self.sheets and {"queued", "running"}.isdisjoint(states):
            self.make_sheet(job)
        self.say("job", {"job": job})

    def make_sheet(self, job: dict[str, Any], error: dict[str, Any] | None = None) -> None:
        """Where one was asked for and something was drawn."""
        drawn = [picture["state"] == "succeeded" for picture in job["pictures"]]
        if (job["resolved"] or {}).get("sheet") is None or not any(drawn) or job["sheet"] is not None:
            return
        fields = [{"index": k, "name": str(k + 1), "shown": shown} for k, shown in enumerate(drawn)]
        job["sheet"] = {
            "columns": job["resolved"]["sheet"]["columns"],
            "fields": fields,
            "picture": None,
            "error": error,
        }
        if error is None:
            self._number += 1
            data = self.images[f"sheet-{self._number}"] = b"\xff\xd8\xff" + job["id"].encode()
            job["sheet"]["picture"] = {
                "image_id": f"sheet-{self._number}", "filename": "otter.sheet.jpg", **self._file(data), "width": 16,
                "height": 16, "blurhash": "L00000fQfQfQfQfQfQfQfQfQfQfQ",
                "thumbnail": {"width": 16, "height": 16, **self._file(data)},
            }  # fmt: skip

    def say(self, name: str, data: Any) -> None:
        for stream in self._streams:
            stream.put_nowait((name, json.loads(json.dumps(data))))

    # -- the API

    @web.middleware
    async def _auth(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return _problem(401, "unauthorized")
        instead = self.instead(request)
        if instead is not None:
            await request.read()
            return instead
        response: web.StreamResponse = await handler(request)
        return response

    async def _submit(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.submissions.append(body)
        if self.refuse is not None:
            return _problem(self.refuse[0], **self.refuse[1])
        if self.knows is not None and (strange := sorted(set(body["request"]) - self.knows)):
            return _problem(422, "invalid_request", fields=[_unknown_field(name) for name in strange])
        old = self.bodies.get(body["key"])
        if old is not None:
            if old != body:
                return _problem(409, "key_reused")
            return web.json_response(self.by_key(body["key"]), status=202)
        inner = body["request"]
        if inner.get("init_image") is not None and inner["init_image"]["id"] not in self.inputs:
            return _problem(422, "input_gone")
        self._number += 1
        pictures = [
            {"index": k, "seed": (inner["seed"] + k) % 2**32, "state": "queued", "attempt": 0}
            for k in range(inner.get("count", 1))
        ]
        job = {
            "id": f"job-{self._number}", "key": body["key"], "kind": "image", "owner": body["owner"],
            "room": body["room"], "private": body["private"], "created_at": time.time(), "state": "queued",
            "place": 0, "eta_s": 1.0, "request": inner, "pictures": pictures, "turn": None,
            "resolved": self._resolved(body["kind"], inner) if self.resolves else None, "sheet": None,
        }  # fmt: skip
        if (before := inner.get("drawn_before")) in self.images:
            self._drawn_before(job, before)
        self.jobs[job["id"]] = job
        self.bodies[body["key"]] = body
        if self.auto:
            asyncio.get_running_loop().call_soon(self.draw_all, job)
        return web.json_response(job, status=202)

    def _drawn_before(self, job: dict[str, Any], image_id: str) -> None:
        pictures = [picture for known in self.jobs.values() for picture in known["pictures"] if "result" in picture]
        result = next(one["result"] for one in pictures if one["result"]["image_id"] == image_id)
        job["pictures"][0] |= {"state": "succeeded", "result": result}
        job["state"] = "succeeded"

    def _resolved(self, kind: str, asked: dict[str, Any]) -> dict[str, Any]:
        """With nothing left open; what was resolved before stays so."""
        if kind == "resolved":
            return asked
        usual = {
            "v": 1, "model": "otter-noise", "negative_prompt": "", "steps": 3, "guidance_scale": 7.5, "width": 8,
            "height": 8, "sampler": "unipc", "count": 1, "init_image": None, "mask": None, "control": None,
            "strength": None, "asked": {}, "notes": self.notes,
        }  # fmt: skip
        size = {"width": 8, "height": 8}
        more = {name: {**asked[name], **size} for name in ("init_image", "control") if asked.get(name) is not None}
        more |= {"mask": {**asked["mask"], "alpha": True}} if asked.get("mask") is not None else {}
        more |= {"sheet": {"columns": 2, **asked["sheet"]}} if asked.get("sheet") is not None else {}
        ours = ("layers", "most", "drawn_before")
        return {**usual, **{name: asked[name] for name in asked if name not in ours}, **more}

    async def _input(self, request: web.Request) -> web.Response:
        data = await request.read()
        self.uploads += 1
        self.owners.append(request.headers.get("Otterbot-Owner"))
        if (held := self.slow_owners.get(self.owners[-1] or "")) is not None:
            await held.wait()
        if self.refuse_input is not None:
            return _problem(self.refuse_input[0], **self.refuse_input[1])
        name = hashlib.sha256(data).hexdigest()
        self.inputs[name] = data, request.content_type, request.query["private"]
        return web.json_response({"id": name, "width": 8, "height": 8, "alpha": self.alpha}, status=201)

    async def _list(self, request: web.Request) -> web.Response:
        key, wanted = request.query.get("key"), request.query.get("state")
        jobs = [job for job in self.jobs.values() if key in (None, job["key"])]
        if wanted == "open":
            jobs = [job for job in jobs if job["state"] in ("queued", "running")]
        return web.json_response({"jobs": jobs})

    async def _job(self, request: web.Request) -> web.Response:
        job = self.jobs.get(request.match_info["id"])
        return _problem(404, "not_found") if job is None else web.json_response(job)

    async def _cancel(self, request: web.Request) -> web.Response:
        job = self.jobs.get(request.match_info["id"])
        if job is None:
            return _problem(404, "not_found")
        self.cancelled.append(job["key"])
        for picture in job["pictures"]:
            if picture["state"] in ("queued", "running"):
                picture["state"] = "cancelled"
        self.changed(job)
        return web.json_response(job)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        if self.buffered:
            await asyncio.sleep(3600)
        await response.prepare(request)
        queue: asyncio.Queue[tuple[str, Any] | None] = asyncio.Queue()
        open_jobs = [job for job in self.jobs.values() if job["state"] in ("queued", "running")]
        queue.put_nowait(("snapshot", {"jobs": json.loads(json.dumps(open_jobs)), "pause": self.pause}))
        self._streams.add(queue)
        try:
            await response.write(b": keep-alive\n\n")
            while (event := await queue.get()) is not None:
                await response.write(f"event: {event[0]}\ndata: {json.dumps(event[1])}\n\n".encode())
        finally:
            self._streams.discard(queue)
        return response

    async def _info(self, request: web.Request) -> web.Response:
        gpu = {"device": "cpu", "name": "none", "state": "idle"}
        return web.json_response(
            {
                "version": "0",
                "features": self.features,
                "keeps_private": self.keeps_private,
                "pause": self.pause,
                "gpu": gpu,
                "limits": self.limits,
                "default_model": "otter-noise",
            }
        )

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response({"models": [{"name": "otter-noise", "default": True}], "samplers": ["unipc"]})

    async def _image(self, request: web.Request) -> web.Response:
        data = self.images.get(request.match_info["id"])
        return _problem(404, "not_found") if data is None else web.Response(body=data, content_type="image/png")

    async def _thumbnail(self, request: web.Request) -> web.Response:
        if self.thumbnail is None:
            return await self._image(request)
        return web.Response(body=self.thumbnail, content_type="image/jpeg")

    async def _film(self, request: web.Request) -> web.Response:
        film = self.films.get(request.match_info["id"])
        return _problem(404, "no_film") if film is None else web.Response(body=film, content_type="image/webp")

    async def _preview(self, request: web.Request) -> web.Response:
        place = request.match_info["id"], int(request.match_info["index"])
        running = self.jobs[place[0]]["pictures"][place[1]]["state"] == "running"
        jpeg = self.previews.get(place) if running else None
        return _problem(404, "no_preview") if jpeg is None else web.Response(body=jpeg, content_type="image/jpeg")

    async def _delivered(self, request: web.Request) -> web.Response:
        self.films.pop(request.match_info["id"], None)  # as of an encrypted room
        self.delivered.append(request.match_info["id"])
        return web.Response(status=204)

    async def _keep(self, request: web.Request) -> web.Response:
        self.kept.append((request.method, request.match_info["id"]))
        return web.Response(status=204)

    async def _delete(self, request: web.Request) -> web.Response:
        self.deleted.append(request.match_info["id"])
        self.deleted_for.append(request.query.get("key"))
        return web.Response(status=204)


def _unknown_field(name: str) -> dict[str, str]:
    return {"field": f"request.{name}", "code": "extra_forbidden", "message": "This worker does not know this field."}


def _problem(status: int, code: str, **more: Any) -> web.Response:
    body = {"type": "about:blank", "title": code, "status": status, "code": code, **more}
    return web.json_response(body, status=status, content_type="application/problem+json")
