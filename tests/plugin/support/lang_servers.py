"""As much of a homeserver and of a worker as commands read from, over real HTTP."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Self

from aiohttp import web

BOT = "@bot:test"
TOKEN = "the-token"

_LIMITS = {"steps_max": 100, "guidance_scale_max": 20.0, "size_min": 256, "size_max": 1536, "size_multiple": 8,
           "pixels_max": 1_572_864}  # fmt: skip
STYLES: list[dict[str, Any]] = [
    {"name": name, "about": about, "group": group, "source": "catalogue"}
    for name, about, group in (
        ("watercolor", "thin washes", "painting"),
        ("oil-painting", "thick paint", "painting"),
        ("backlit", "light from behind", "light"),
    )
]

CATALOGUE: dict[str, Any] = {
    "models": [
        {"name": "ssd-1b", "kind": "image", "about": "All-round.", "available": True, "default": True,
         "limits": _LIMITS,
         "defaults": {"steps": 30, "guidance_scale": 12.0, "width": 768, "height": 768, "sampler": "UniPC",
                      "negative_prompt": "ugly"}},
        {"name": "sdxl-turbo", "kind": "image", "about": "Fast.", "available": True, "default": False,
         "limits": {**_LIMITS, "steps_max": 20, "guidance_scale_max": 3.0},
         "defaults": {"steps": 4, "guidance_scale": 0.0, "width": 512, "height": 512, "sampler": "Euler a",
                      "negative_prompt": ""}},
        {"name": "sd15", "kind": "image", "about": "Old.", "available": False, "default": False, "limits": _LIMITS,
         "defaults": {"steps": 30, "guidance_scale": 7.5, "width": 512, "height": 512, "sampler": "UniPC",
                      "negative_prompt": "ugly"}},
        {"name": "llama3.2:3b", "kind": "chat", "about": "", "available": True, "default": True},
    ],
    "samplers": ["UniPC", "Euler", "Euler a", "DPM++ 2M", "DPM++ 2M Karras", "DDIM", "PNDM"],
}  # fmt: skip
INFO: dict[str, Any] = {
    "version": "0.1.0",
    "features": [],
    "pause": {"paused": False, "until": None},
    "gpu": {"device": "cuda:0", "name": "GTX 1070", "total_bytes": 8 * 2**30, "free_bytes": 3 * 2**30, "state": "idle",
            "resident": None},
    "queued": 0,
    "running": 0,
    "default_model": "ssd-1b",
    "chat_model": "llama3.2:3b",
    "ollama": "reachable",
    "notice": None,
}  # fmt: skip


class _Server:
    def __init__(self) -> None:
        self.app = web.Application()
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Gone, as a machine that was switched off."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


class Homeserver(_Server):
    """Rooms with events, state and members. Knows ``format=event`` unless ``old`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.rooms: dict[str, list[dict[str, Any]]] = {}
        self.state: dict[str, dict[str, dict[str, Any]]] = {}
        self.members: dict[str, list[str]] = {}
        self.gone: dict[str, int] = {}
        """When (milliseconds) somebody left a room."""
        self.old = False
        self.broken = False
        self.trouble: dict[str, list[tuple[int, Any]]] = {}
        """By the last part of an address: statuses and bodies of the next answers."""
        self.requests: list[str] = []
        room = "/_matrix/client/v3/rooms/{room}"
        self.app.router.add_get(room + "/event/{event}", self._event)
        self.app.router.add_get(room + "/messages", self._messages)
        self.app.router.add_get(room + "/state", self._all_state)
        self.app.router.add_get(room + "/state/{type:[^/]+}{slash:/?}", self._state)
        self.app.router.add_get(room + "/state/{type}/{key}", self._state)
        self.app.router.add_get(room + "/joined_members", self._members)
        self.app.router.add_get(room + "/members", self._gone)

    def add(self, room: str, sender: str, type_: str, content: Any) -> dict[str, Any]:
        events = self.rooms.setdefault(room, [])
        event = {"event_id": f"${room.strip('!')}{len(events)}", "room_id": room, "sender": sender, "type": type_,
                 "content": json.loads(json.dumps(content)), "origin_server_ts": len(events)}  # fmt: skip
        events.append(event)
        return event

    def say(self, room: str, sender: str, body: str, **content: Any) -> dict[str, Any]:
        return self.add(room, sender, "m.room.message", {"msgtype": "m.text", "body": body, **content})

    def picture(self, room: str, record: Any, sender: str = BOT, **more: Any) -> str:
        ours = {"v": 1, "key": "k", "part": "picture/0", "record": record, **more}
        content = {"msgtype": "m.image", "body": "otter.png", "url": "mxc://x/y", "org.otterbot": ours}
        return str(self.add(room, sender, "m.room.message", content)["event_id"])

    def create(self, room: str, creator: str, version: str, users: dict[str, Any] | None, **content: Any) -> None:
        create = {"type": "m.room.create", "sender": creator, "content": {"room_version": version, **content},
                  "event_id": "$create", "state_key": "", "origin_server_ts": 0, "room_id": room}  # fmt: skip
        self.state[room] = {"m.room.create": create}
        if users is not None:
            self.state[room]["m.room.power_levels"] = {**create, "type": "m.room.power_levels",
                                                       "content": {"users": users}}  # fmt: skip

    def join(self, room: str, *users: str) -> None:
        self.members[room] = list(users)

    def _seen(self, request: web.Request) -> str:
        last = request.path.rsplit("/", 1)[-1]
        self.requests.append(last)
        if self.trouble.get(last):
            status, body = self.trouble[last].pop(0)
            raise _Trouble(status, body)
        if self.broken:
            raise web.HTTPBadGateway(text=json.dumps({"errcode": "M_UNKNOWN", "error": ""}))
        return request.match_info["room"]

    async def _gone(self, request: web.Request) -> web.Response:
        room = self._seen(request)
        left = {"type": "m.room.member", "state_key": "@gone:x", "content": {"membership": "leave"}}
        events = [{**left, "origin_server_ts": self.gone[room]}] if room in self.gone else []
        return web.json_response({"chunk": events})

    async def _event(self, request: web.Request) -> web.Response:
        room = self._seen(request)
        for event in self.rooms.get(room, []):
            if event["event_id"] == request.match_info["event"]:
                return web.json_response(event)
        return _not_found()

    async def _messages(self, request: web.Request) -> web.Response:
        room = self._seen(request)
        wanted = json.loads(request.query.get("filter", "{}"))
        events = [e for e in reversed(self.rooms.get(room, [])) if e["sender"] in wanted.get("senders", [e["sender"]])]
        start, limit = int(request.query.get("from", 0)), int(request.query["limit"])
        more = {"end": str(start + limit)} if start + limit < len(events) else {}
        return web.json_response({"chunk": events[start : start + limit], **more})

    async def _all_state(self, request: web.Request) -> web.Response:
        return web.json_response(list(self.state.get(self._seen(request), {}).values()))

    async def _state(self, request: web.Request) -> web.Response:
        event = self.state.get(self._seen(request), {}).get(request.match_info["type"])
        if event is None:
            return _not_found()
        whole = request.query.get("format") == "event" and not self.old
        return web.json_response(event if whole else event["content"])

    async def _members(self, request: web.Request) -> web.Response:
        return web.json_response({"joined": {user: {} for user in self.members.get(self._seen(request), [])}})


class _Trouble(web.HTTPException):
    """Any answer instead."""

    def __init__(self, status: int, body: Any) -> None:
        self.status_code = status
        super().__init__(text=json.dumps(body), content_type="application/json")


class Worker(_Server):
    """What ``!status`` and ``!models`` ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.catalogue: Any = CATALOGUE
        """``None``: it cannot say what it has."""
        self.info = dict(INFO)
        self.token = TOKEN
        self.ahead = 0.0
        """Seconds by which its clock differs."""
        self.loras: list[dict[str, Any]] | None = []
        """``None``: a worker that has never heard of them."""
        self.app.router.add_get("/v1/models", self._models)
        self.app.router.add_get("/v1/info", self._info)
        self.app.router.add_get("/v1/loras", self._loras)
        self.styles: dict[str, Any] | None = {"styles": STYLES, "problems": []}
        """``None``: a worker that has never heard of them."""
        self.app.router.add_get("/v1/styles", self._styles)
        self.wildcards: list[dict[str, Any]] | None = None
        """``None``: a worker that has none yet."""
        self.explained: dict[str, Any] | None = None
        """``None``: a worker that explains nothing yet."""
        self.asked: list[Any] = []
        self.app.router.add_get("/v1/wildcards", self._wildcards)
        self.app.router.add_post("/v1/prompts/explain", self._explain)
        self.checks = True
        """Whether it checks requests; older workers do not."""
        self.app.router.add_post("/v1/requests/check", self._check_request)

    async def _check_request(self, request: web.Request) -> web.Response:
        """As the worker judges steps, CFG and size of a model that is named in a layer."""
        self._check(request)
        if not self.checks:
            raise web.HTTPNotFound
        body = await request.json()
        self.asked.append(body)
        named = [layer["model"] for layer in body["layers"] if "model" in layer] or ["ssd-1b"]
        model = next(model for model in self.catalogue["models"] if model["name"] == named[0])
        limits, own = model["limits"], model["defaults"]
        steps, scale = body.get("steps", own["steps"]), body.get("guidance_scale", own["guidance_scale"])
        size = (body.get("width", own["width"]), body.get("height", own["height"]))
        wrong: list[tuple[str, str, str, dict[str, Any]]] = []
        if steps > limits["steps_max"]:
            wrong.append(("steps", "too_many", "Too many steps.", {"most": limits["steps_max"]}))
        if scale > limits["guidance_scale_max"]:
            wrong.append(("guidance_scale", "too_large", "Too large.", {"most": limits["guidance_scale_max"]}))
        if not all(limits["size_min"] <= side <= limits["size_max"] for side in size):
            details = {"least": limits["size_min"], "most": limits["size_max"], "width": 1248, "height": 1248}
            wrong.append(("width", "bad_size", "Bad size.", details))
        if not model["available"]:
            wrong.append(("model", "model_missing", "Its files are not here.", {}))
        if wrong:
            fields = [
                {"field": f"request.{name}", "code": code, "message": said, "details": {"model": named[0], **details}}
                for name, code, said, details in wrong
            ]
            problem = {"type": "about:blank", "title": "", "status": 422, "code": "invalid_request", "fields": fields}
            return web.json_response(problem, status=422, content_type="application/problem+json")
        width, height = (side // limits["size_multiple"] * limits["size_multiple"] for side in size)
        notes = [] if (width, height) == size else [f"{size[0]}x{size[1]} was rounded to {width}x{height}."]
        return web.json_response(
            {"model": named[0], "width": width, "height": height, "steps": steps, "guidance_scale": scale,
             "negative_prompt": "", "notes": notes}
        )  # fmt: skip

    def _check(self, request: web.Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            raise web.HTTPUnauthorized

    async def _models(self, request: web.Request) -> web.Response:
        self._check(request)
        if self.catalogue is None:
            return web.json_response({"code": "internal", "status": 500}, status=500)
        return web.json_response(self.catalogue)

    async def _info(self, request: web.Request) -> web.Response:
        self._check(request)
        date = datetime.fromtimestamp(time.time() + self.ahead, UTC)
        return web.json_response(self.info, headers={"Date": format_datetime(date, usegmt=True)})

    async def _loras(self, request: web.Request) -> web.Response:
        self._check(request)
        if self.loras is None:
            return web.json_response({"code": "not_found", "status": 404}, status=404)
        return web.json_response({"loras": self.loras})

    async def _styles(self, request: web.Request) -> web.Response:
        self._check(request)
        if self.styles is None:
            return web.json_response({"code": "not_found", "status": 404}, status=404)
        return web.json_response(self.styles)

    async def _wildcards(self, request: web.Request) -> web.Response:
        self._check(request)
        if self.wildcards is None:
            return web.json_response({"code": "not_found", "status": 404}, status=404)
        return web.json_response({"wildcards": self.wildcards})

    async def _explain(self, request: web.Request) -> web.Response:
        self._check(request)
        self.asked.append(await request.json())
        if self.explained is None:
            return web.json_response({"code": "not_found", "status": 404}, status=404)
        return web.json_response(self.explained)


def _not_found() -> web.Response:
    return web.json_response({"errcode": "M_NOT_FOUND", "error": "no"}, status=404)
