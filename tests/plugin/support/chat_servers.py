"""Homeserver and worker for chats: threads with bundled edits, and turns that a test answers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from aiohttp import web
from homeserver_double import BOT, HomeserverDouble
from plugin_parts import build_parts, config_of, stop_parts
from worker_double import TOKEN, WorkerDouble

from otterbot.config import ChatValues, ReactionValues, Values, WorkerValues
from otterbot.store.rows import Request, key_of
from otterbot.store.store import Commit
from otterbot.worker.client import Address

ROOM = "!room:test"
USER = "@user:test"
STRANGER = "@stranger:elsewhere"
LOG = logging.getLogger("test.otterbot")


class ChatHomeserver(HomeserverDouble):
    """With ``/relations``, and edits bundled as Synapse does it, or otherwise."""

    bundling: Literal["whole", "ids", "none"] = "whole"
    """What comes of an edit with what it changes: all (Synapse), its id, nothing (Dendrite, conduwuit, tuwunel)."""
    overlap = 0
    """How many events each page repeats of the one before it."""
    relations_refused: tuple[int, dict[str, Any]] | None = None
    """What ``/relations`` answers instead."""
    relations_refused_from = ""
    """Only from this page on."""
    relations_cycle = False
    """Whether the pages begin anew behind the second one."""
    messages_refused = False
    typing_broken = False

    def __init__(self) -> None:
        super().__init__()
        self.later_limits: list[int] = []
        """As ``limits``, once the bot has said something."""
        self.pace = 0.0
        """Seconds that each send takes."""
        self.asked_relations: list[tuple[str, str]] = []
        """Event and kind of every question to ``/relations``."""
        self.typed: list[bool] = []
        """Typing notices, begun and taken back."""

    @web.middleware
    async def _gate(self, request: web.Request, handler: Any) -> web.StreamResponse:
        parts = request.path.split("/")
        if "relations" in parts and not self.down:
            self.asked_relations.append((parts[-2], parts[-1]))
            if self.relations_refused is not None and request.query.get("from", "") >= self.relations_refused_from:
                return web.json_response(self.relations_refused[1], status=self.relations_refused[0])
            return self._relations(parts[parts.index("relations") - 1], *parts[-2:], request.query)
        if parts[-1] == "messages" and self.messages_refused:
            return web.json_response({"errcode": "M_FORBIDDEN", "error": "no"}, status=403)
        if parts[-2] == "typing" and not self.down:
            self.typed.append((await request.json())["typing"])
            return web.json_response({}, status=500 if self.typing_broken else 200)
        response: web.StreamResponse = await super()._gate(request, handler)
        return response

    def _relations(self, room: str, target: str, kind: str, query: Any) -> web.Response:
        found = [
            self.bundled(event)
            for event in reversed(self.rooms.get(room, []))
            if (relates := event["content"].get("m.relates_to") or {}).get("rel_type") == kind
            and relates.get("event_id") == target
        ]
        start, limit = int(query.get("from", 0)), int(query["limit"])
        answer: dict[str, Any] = {"chunk": found[start : start + limit]}
        if start + limit < len(found):
            answer["next_batch"] = str(start + limit - self.overlap if not (self.relations_cycle and start) else 0)
        return web.json_response(answer)

    def newest_edit(self, event: dict[str, Any]) -> dict[str, Any] | None:
        edits = [
            other
            for other in self.rooms[event["room_id"]]
            if other["sender"] == event["sender"]
            and (other["content"].get("m.relates_to") or {}).get("rel_type") == "m.replace"
            and other["content"]["m.relates_to"]["event_id"] == event["event_id"]
        ]
        return edits[-1] if edits else None

    def bundled(self, event: dict[str, Any]) -> dict[str, Any]:
        edit = self.newest_edit(event)
        if edit is None or self.bundling == "none":
            return event
        bundle: dict[str, Any] = edit if self.bundling == "whole" else {"event_id": edit["event_id"]}
        return {**event, "unsigned": {"m.relations": {"m.replace": bundle}}}

    async def _event(self, request: web.Request) -> web.Response:
        for event in self.rooms.get(request.match_info["room"], []):
            if event["event_id"] == request.match_info["event"]:
                return web.json_response(self.bundled(event))
        return web.json_response({"errcode": "M_NOT_FOUND", "error": "no"}, status=404)

    async def _redact(self, request: web.Request) -> web.Response:
        """A message that is redacted is gone; which reactions there were, tests still look at."""
        response = await super()._redact(request)
        for event in self.rooms.get(request.match_info["room"], []) if response.status == 200 else ():
            if event["event_id"] == request.match_info["event"] and event["type"] == "m.room.message":
                self.delete(event)
        return response

    async def _send(self, request: web.Request) -> web.Response:
        await asyncio.sleep(self.pace)
        if self.later_limits and self.of_bot(ROOM):
            self.limits.append(self.later_limits.pop())
        return await super()._send(request)

    # -- people

    def in_thread(self, root: str, body: str, sender: str = USER) -> dict[str, Any]:
        relates = {"rel_type": "m.thread", "event_id": root, "m.in_reply_to": {"event_id": root}}
        return self.say(ROOM, body, sender, **{"m.relates_to": {**relates, "is_falling_back": True}})

    def later(self, hours: float) -> None:
        """As if everything that was said so far had been said that much earlier."""
        for event in self.rooms[ROOM]:
            event["origin_server_ts"] -= int(hours * 3_600_000)

    def change(self, event: dict[str, Any], body: str) -> dict[str, Any]:
        relates = {"rel_type": "m.replace", "event_id": event["event_id"]}
        new = {"msgtype": "m.text", "body": body}
        return self.say(ROOM, f"* {body}", event["sender"], **{"m.new_content": new, "m.relates_to": relates})

    def delete(self, event: dict[str, Any]) -> None:
        event["content"] = {}
        event["unsigned"] = {"redacted_because": {}}

    # -- what a person sees

    def shown(self) -> list[dict[str, Any]]:
        """The bot's messages with their edits applied."""
        said = [event for event in self.of_bot(ROOM) if event["content"]]
        own = [event for event in said if event["content"]["m.relates_to"].get("rel_type") != "m.replace"]
        seen = []
        for event in own:
            edit = self.newest_edit(event)
            new = edit["content"]["m.new_content"] if edit else event["content"]
            seen.append({**new, "m.relates_to": event["content"]["m.relates_to"]})
        return seen

    def edits(self) -> list[dict[str, Any]]:
        return [
            event["content"]
            for event in self.of_bot(ROOM)
            if event["content"].get("m.relates_to", {}).get("rel_type") == "m.replace"
        ]


class ChatWorker(WorkerDouble):
    """Turns wait until the test answers them."""

    def __init__(self) -> None:
        super().__init__(auto=False)

    async def _submit(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.submissions.append(body)
        known = self.bodies.get(body["key"])
        if known is not None and known != body:
            return self._problem(409, "key_reused")
        if self.refuse is not None:
            return self._problem(self.refuse[0], **self.refuse[1])
        if known is None:
            self._number += 1
            fields = {name: body[name] for name in ("key", "kind", "owner", "room", "private", "request")}
            times = {"created_at": time.time(), "place": 0, "eta_s": 1.0}
            job = {**fields, **times, "id": f"job-{self._number}", "state": "queued", "pictures": []}
            self.jobs[job["id"]] = job | {"turn": {"state": "queued", "attempt": 0}}
            self.bodies[body["key"]] = body
        return web.json_response(self.by_key(body["key"]), status=202)

    @staticmethod
    def _problem(status: int, code: str, **more: Any) -> web.Response:
        body = {"title": code, "status": status, "code": code, **more}
        return web.json_response(body, status=status, content_type="application/problem+json")

    def changed(self, job: dict[str, Any]) -> None:
        if job["turn"]["state"] in ("queued", "running") and job["key"] in self.cancelled:
            job["turn"]["state"] = "cancelled"
            if text := job["turn"].pop("streamed", ""):
                job["turn"]["result"] = {"text": text, "model": "tiny", "complete": False, "took": 1.0, "notes": []}
        job["state"] = job["turn"]["state"]
        self.say("job", {"job": job})

    def run(self, job: dict[str, Any], phase: str = "thinking") -> None:
        job["turn"] |= {"state": "running", "attempt": 1, "progress": {"phase": phase}}
        self.changed(job)

    def stream(self, job: dict[str, Any], text: str) -> None:
        if job["turn"]["state"] == "queued":
            self.run(job)
        job["turn"]["streamed"] = text
        self.say("chat", {"job_id": job["id"], "attempt": 1, "text": text})

    def answer(
        self, job: dict[str, Any], text: str, *, complete: bool = True, notes: list[str] | None = None, **more: Any
    ) -> None:
        result = {"text": text, "model": "tiny", "complete": complete, "took": 1.0, "notes": notes or [], **more}
        job["turn"] |= {"state": "succeeded", "result": result}
        self.changed(job)

    def break_down(self, job: dict[str, Any], code: str, message: str) -> None:
        job["turn"] |= {"state": "failed", "error": {"code": code, "message": message}}
        self.changed(job)


class Rig:
    """One life of the plugin's chat; `restart` begins another on the same database."""

    def __init__(self, path: Path, server: ChatHomeserver, worker: ChatWorker, chat: ChatValues) -> None:
        self.path, self.server, self.worker = path, server, worker
        self.config = config_of(Values(worker=WorkerValues(token=TOKEN), chat=chat, reactions=ReactionValues(offer=())))

    @property
    def values(self) -> Values:
        return self.config.current

    @values.setter
    def values(self, values: Values) -> None:
        self.config.current = values

    async def start(self) -> None:
        address = Address(url=self.worker.url, token=TOKEN)
        self.parts = parts = await build_parts(
            self.path, bot=BOT, homeserver=self.server.url, config=self.config, address=lambda: address, log=LOG
        )
        self.client, self.db = parts.around.client, parts.around.database
        self.store, self.http, self.worker_client = parts.links.store, parts.links.http, parts.links.worker
        self.outbox, self.delivery, self.history = parts.outbox, parts.delivery, parts.history
        await parts.start()

    async def stop(self) -> None:
        await stop_parts(self.parts)

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    def request(self, event: dict[str, Any], *, edit: str | None = None, **more: Any) -> Request:
        relates = event["content"].get("m.relates_to") or {}
        thread = relates.get("event_id") if relates.get("rel_type") == "m.thread" else None
        reply = None if thread else (relates.get("m.in_reply_to") or {}).get("event_id")
        now = time.time()
        return Request(
            **{
                "key": key_of(BOT, ROOM, event["event_id"], edit),
                "room_id": ROOM,
                "event_id": event["event_id"],
                "edit_id": edit,
                "sender": event["sender"],
                "kind": "chat",
                "thread_root": thread,
                "reply_to": reply,
                "created_at": now,
                "expires_at": now + 3600,
                **more,
            }
        )

    async def ask(self, event: dict[str, Any], **more: Any) -> Request:
        request = self.request(event, **more)
        await self.accept(request)
        return request

    async def accept(self, request: Request) -> None:
        parts = self.delivery.first_parts(request)
        commit = Commit(mark=request.event_id, room_id=request.room_id, request=request, parts=parts)
        await self.store.commit(commit)
        self.outbox.enqueue(parts)
        self.delivery.accepted_request(request)

    async def job(self, request: Request) -> dict[str, Any]:
        """What the worker got."""
        found = await self.server.wait(lambda: [job for job in self.worker.jobs.values() if job["key"] == request.key])
        job: dict[str, Any] = found[0]
        deadline = time.monotonic() + 60
        while (stored := await self.store.request(request.key)) is None or stored.job_id is None:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        return job

    async def done(self, request: Request) -> str | None:
        deadline = time.monotonic() + 60
        while (found := await self.store.request(request.key)) is None or found.open:
            assert time.monotonic() < deadline, "the request is not done"
            await asyncio.sleep(0.02)
        return found.outcome

    async def settled(self) -> None:
        """Until the outbox has nothing to send."""
        deadline = time.monotonic() + 60
        while await self.store.pending_parts():
            assert time.monotonic() < deadline, "it is not all sent"
            await asyncio.sleep(0.02)


@asynccontextmanager
async def rig_in(path: Path, *, bundling: Literal["whole", "ids", "none"] = "whole", **chat: Any) -> AsyncIterator[Rig]:
    """Servers and plugin; ``chat`` are settings of the section of that name."""
    async with ChatHomeserver() as server, ChatWorker() as worker:
        server.bundling = bundling
        rig = Rig(path / "plugin.db", server, worker, ChatValues(**chat))
        await rig.start()
        try:
            yield rig
        finally:
            await rig.stop()
