"""A small homeserver: sends with transaction ids, timelines, media, limits; answers can be lost."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from aiohttp import web

BOT = "@bot:test"
ROOM = "!room:test"


class Rate:
    """Synapse's limit for messages, ``rc_message``: a bucket of so many, which fills again at so many a second. Its
    defaults are 10 and 0.2; tests take the same bucket and a quicker clock."""

    def __init__(self, burst: int, per_second: float) -> None:
        self._burst, self._per_second = burst, per_second
        self._level, self._at = float(burst), time.monotonic()

    def take(self) -> float:
        """Seconds until the next one passes; 0: this one does."""
        now = time.monotonic()
        self._level = min(self._burst, self._level + (now - self._at) * self._per_second)
        self._at = now
        if self._level < 1:
            return (1 - self._level) / self._per_second
        self._level -= 1
        return 0.0


class HomeserverDouble:
    """``async with HomeserverDouble() as server``. Rooms come into being when they are spoken of."""

    def __init__(self) -> None:
        self.port = 0
        self.rooms: dict[str, list[dict[str, Any]]] = {}
        self.state: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.media: dict[str, bytes] = {}
        self.downloads: list[str] = []
        """Every address that was asked for."""
        self.old_media = False
        """It knows only the addresses of before 2024."""
        self.media_trouble: list[int] = []
        """Statuses of the next downloads."""
        self.transactions: dict[str, str] = {}
        self.forget_transactions = False
        self.upload_limit = 50_000_000
        self.max_event = 65_000
        self.swallow = 0
        """How many sends are carried out but never answered."""
        self.limits: list[int] = []
        """``retry_after_ms`` of the next refusals."""
        self.limit: Callable[[dict[str, Any]], int] = lambda content: 0
        """``retry_after_ms`` of what is refused for its content; 0: it passes."""
        self.read_limits: list[int] = []
        """The same for timelines."""
        self.refuse: Callable[[dict[str, Any]], bool] = lambda content: False
        """Contents that are answered with M_UNKNOWN."""
        self.pages = 0
        """How many of the next sends are answered by some web server's own 404."""
        self.hold: Callable[[dict[str, Any]], bool] = lambda content: False
        """Contents that are carried out, and answered only after ``let_go`` is set."""
        self.held = 0
        self.let_go = asyncio.Event()
        self.forbid: Callable[[dict[str, Any]], bool] = lambda content: False
        """Contents that are answered with M_FORBIDDEN."""
        self.forbidden: set[str] = set()
        self.unreadable: set[str] = set()
        """Rooms whose timelines and state it does not give out."""
        self.outside: set[str] = set()
        """Rooms in which the bot is not (any more)."""
        self.redacted: list[str] = []
        """The events that the bot has redacted, or tried to."""
        self.first_syncs = 0
        """How often it was asked for everything."""
        self.sync_trouble: list[int] = []
        """Statuses of the next answers to that, some web server's own."""
        self.state_trouble: list[int] = []
        """Statuses of the next answers about states, some web server's own."""
        self.sends: list[tuple[str, str, dict[str, Any]]] = []
        """Room, transaction id and content of every attempt."""
        self.down = False
        self.instead: Callable[[web.Request], web.Response | None] = lambda request: None
        """What somebody else answers in its place, a proxy say; ``None``: it answers itself."""
        self.rate: Rate | None = None
        """How fast it lets messages through."""
        self.clock: Callable[[], float] = time.time
        self.new = asyncio.Condition()
        self._number = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> HomeserverDouble:
        app = web.Application(client_max_size=2**28, middlewares=[self._gate])
        client = "/_matrix/client/v3/rooms/{room}"
        app.router.add_put(client + "/send/{type}/{txn}", self._send)
        app.router.add_put(client + "/redact/{event}/{txn}", self._redact)
        app.router.add_get(client + "/messages", self._messages)
        app.router.add_get(client + "/event/{event}", self._event)
        relations = "/_matrix/client/v1/rooms/{room}/relations/{event}/{relation}"
        app.router.add_get(relations, self._related)
        app.router.add_get(client + "/state/{type}", self._state)
        app.router.add_get(client + "/state/{type}/{key:.*}", self._state)
        app.router.add_get("/_matrix/client/v3/joined_rooms", self._joined)
        app.router.add_get("/_matrix/client/v3/sync", self._sync)
        app.router.add_get("/_matrix/client/versions", self._versions)
        app.router.add_get("/_matrix/client/v1/media/config", self._config)
        app.router.add_post("/_matrix/media/v3/upload", self._upload)
        app.router.add_get("/_matrix/client/v1/media/download/{server}/{media}", self._download)
        app.router.add_get("/_matrix/media/v3/download/{server}/{media}", self._download)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    # -- what tests do and see

    def add(self, room: str, sender: str, type_: str, content: dict[str, Any], **more: Any) -> dict[str, Any]:
        self._number += 1
        event = {
            "event_id": f"$event{self._number}", "room_id": room, "sender": sender, "type": type_,
            "content": json.loads(json.dumps(content)), "origin_server_ts": int(self.clock() * 1000),
            "unsigned": {}, **more,
        }  # fmt: skip
        self.rooms.setdefault(room, []).append(event)
        return event

    def say(self, room: str, body: str, sender: str = "@user:test", **content: Any) -> dict[str, Any]:
        return self.add(room, sender, "m.room.message", {"msgtype": "m.text", "body": body, **content})

    def of_bot(self, room: str, type_: str = "m.room.message") -> list[dict[str, Any]]:
        return [event for event in self.rooms.get(room, []) if event["sender"] == BOT and event["type"] == type_]

    def pictures(self, room: str) -> list[dict[str, Any]]:
        return [event for event in self.of_bot(room) if event["content"].get("msgtype") == "m.image"]

    def set_state(
        self, room: str, type_: str, content: dict[str, Any], key: str = "", sender: str = "@mod:test"
    ) -> None:
        self.state[room, type_, key] = self.add(room, sender, type_, content, state_key=key)

    def ban(self, room: str) -> dict[str, Any]:
        """As Synapse does it: the bot sees nothing of that room any more. The event comes by the sync."""
        self.outside.add(room)
        self.unreadable.add(room)
        self.set_state(room, "m.room.member", {"membership": "ban"}, BOT)
        return self.state[room, "m.room.member", BOT]

    def unban(self, room: str) -> dict[str, Any]:
        self.unreadable.discard(room)
        self.set_state(room, "m.room.member", {"membership": "leave"}, BOT)
        return self.state[room, "m.room.member", BOT]

    def create(self, room: str, before: str | None = None, **content: Any) -> None:
        """A room of version 12, made by the moderator; ``before``: it says that it replaces that one."""
        predecessor = {} if before is None else {"predecessor": {"room_id": before}}
        self.set_state(room, "m.room.create", {"room_version": "12", **predecessor, **content})
        self.set_state(room, "m.room.power_levels", {})

    def upgrade(self, old: str, new: str) -> None:
        """As ``/upgrade`` does it: the new room names the old one, which is closed."""
        self.create(new, old)
        self.set_state(old, "m.room.tombstone", {"body": "moved", "replacement_room": new})
        self.set_state(old, "m.room.power_levels", {"events_default": 50})

    async def wait(self, check: Any, timeout: float = 60) -> Any:
        """Until ``check()`` is true; its value."""
        end = time.monotonic() + timeout
        while not (value := check()):
            async with self.new:
                try:
                    await asyncio.wait_for(self.new.wait(), min(0.1, max(0.001, end - time.monotonic())))
                except TimeoutError:
                    if time.monotonic() > end:
                        raise AssertionError("it did not happen") from None
        return value

    # -- the API

    @web.middleware
    async def _gate(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if self.down:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        instead = self.instead(request)
        if instead is not None:
            await request.read()
            return instead
        response: web.StreamResponse = await handler(request)
        response.headers["Date"] = format_datetime(datetime.fromtimestamp(self.clock(), UTC), usegmt=True)
        return response

    async def _put(self, request: web.Request, type_: str, content: dict[str, Any], **more: Any) -> web.Response:
        room, txn = request.match_info["room"], request.match_info["txn"]
        self.sends.append((room, txn, content))
        if room in self.forbidden or room in self.outside or self.forbid(content):
            return web.json_response({"errcode": "M_FORBIDDEN", "error": "no"}, status=403)
        if self.pages:
            self.pages -= 1
            return web.Response(status=404, text="<html>nothing here</html>", content_type="text/html")
        if self.refuse(content):
            return web.json_response({"errcode": "M_UNKNOWN", "error": "no"}, status=400)
        if (wait := self.limit(content)) > 0:
            return web.json_response({"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": wait}, status=429)
        if self.limits:
            wait = self.limits.pop(0)
            return web.json_response({"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": wait}, status=429)
        if self.rate is not None and (pause := self.rate.take()) > 0:
            return web.json_response({"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": pause * 1000}, status=429)
        if len(json.dumps(content)) > self.max_event:
            return web.json_response({"errcode": "M_TOO_LARGE", "error": "too large"}, status=413)
        known = None if self.forget_transactions else self.transactions.get(txn)
        if known is None:
            event = self.add(room, BOT, type_, content, **more)
            known = self.transactions[txn] = event["event_id"]
            async with self.new:
                self.new.notify_all()
        if self.hold(content):
            self.held += 1
            await self.let_go.wait()
        if self.swallow:
            self.swallow -= 1
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return web.json_response({"event_id": known})

    async def _send(self, request: web.Request) -> web.Response:
        return await self._put(request, request.match_info["type"], await request.json())

    async def _redact(self, request: web.Request) -> web.Response:
        self.redacted.append(request.match_info["event"])
        return await self._put(request, "m.room.redaction", {}, redacts=request.match_info["event"])

    async def _messages(self, request: web.Request) -> web.Response:
        if self.read_limits:
            wait = self.read_limits.pop(0)
            return web.json_response({"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": wait}, status=429)
        if request.match_info["room"] in self.unreadable:
            return web.json_response({"errcode": "M_FORBIDDEN", "error": "no"}, status=403)
        wanted = json.loads(request.query.get("filter", "{}"))
        events = [
            event
            for event in reversed(self.rooms.get(request.match_info["room"], []))
            if event["sender"] in wanted.get("senders", [event["sender"]])
            and event["type"] in wanted.get("types", [event["type"]])
        ]
        start, limit = int(request.query.get("from", 0)), int(request.query.get("limit", 10))
        page = events[start : start + limit]
        answer: dict[str, Any] = {"chunk": page}
        if start + limit < len(events):
            answer["end"] = str(start + limit)
        return web.json_response(answer)

    async def _related(self, request: web.Request) -> web.Response:
        target, relation = request.match_info["event"], request.match_info["relation"]
        found = [
            event
            for event in self.rooms.get(request.match_info["room"], [])
            for relates in (event["content"].get("m.relates_to"),)
            if isinstance(relates, dict) and (relates.get("event_id"), relates.get("rel_type")) == (target, relation)
        ]
        return web.json_response({"chunk": found[::-1]})

    async def _event(self, request: web.Request) -> web.Response:
        for event in self.rooms.get(request.match_info["room"], []):
            if event["event_id"] == request.match_info["event"]:
                return web.json_response(event)
        return web.json_response({"errcode": "M_NOT_FOUND", "error": "no"}, status=404)

    async def _state(self, request: web.Request) -> web.Response:
        if self.state_trouble:
            return web.Response(status=self.state_trouble.pop(0))
        if request.match_info["room"] in self.unreadable:
            return web.json_response({"errcode": "M_FORBIDDEN", "error": "no"}, status=403)
        place = (request.match_info["room"], request.match_info["type"], request.match_info.get("key", ""))
        event = self.state.get(place)
        if event is None:
            return web.json_response({"errcode": "M_NOT_FOUND", "error": "no"}, status=404)
        return web.json_response(event if request.query.get("format") == "event" else event["content"])

    async def _sync(self, request: web.Request) -> web.Response:
        """The first one of a new client, with the rooms that the bot was put out of."""
        assert "since" not in request.query, "what was sent to the device would be gone"
        self.first_syncs += 1
        if self.sync_trouble:
            return web.Response(status=self.sync_trouble.pop(0))
        wanted = json.loads(request.query["filter"])["room"]
        left: dict[str, Any] = {}
        for room in self.outside if wanted["include_leave"] else ():
            here = [event for (where, _, _), event in self.state.items() if where == room]
            state, timeline = (
                [event for event in here if room in wanted["rooms"] and event["type"] in wanted[section]["types"]]
                for section in ("state", "timeline")
            )
            left[room] = {"state": {"events": state}, "timeline": {"events": timeline, "limited": True}}
        return web.json_response({"next_batch": "s1", "rooms": {"leave": left}})

    async def _versions(self, request: web.Request) -> web.Response:
        return web.json_response({"versions": ["v1.11"]})

    async def _joined(self, request: web.Request) -> web.Response:
        return web.json_response({"joined_rooms": [room for room in self.rooms if room not in self.outside]})

    async def _config(self, request: web.Request) -> web.Response:
        return web.json_response({"m.upload.size": self.upload_limit})

    async def _download(self, request: web.Request) -> web.StreamResponse:
        uri = f"mxc://{request.match_info['server']}/{request.match_info['media']}"
        self.downloads.append(uri)
        if self.media_trouble:
            return web.json_response({"errcode": "M_UNKNOWN", "error": "no"}, status=self.media_trouble.pop(0))
        if self.old_media and "/client/" in request.path:
            return web.json_response({"errcode": "M_UNRECOGNIZED", "error": "no"}, status=404)
        data = self.media.get(uri)
        if data is None:
            return web.json_response({"errcode": "M_NOT_FOUND", "error": "no"}, status=404)
        response = web.StreamResponse()  # without a length, as some proxies send it
        await response.prepare(request)
        await response.write(data)
        return response

    async def _upload(self, request: web.Request) -> web.Response:
        self._number += 1
        uri = f"mxc://test/{self._number}"
        self.media[uri] = await request.read()
        return web.json_response({"content_uri": uri})
