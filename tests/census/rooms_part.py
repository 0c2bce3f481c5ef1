"""The rooms' part of the census: what the bot puts into a room for everything that people type, plain and encrypted."""

from __future__ import annotations

import asyncio
import hashlib
import io
import re
from pathlib import Path
from typing import Any

from PIL import Image

from doubles.ollama import OllamaDouble
from lab import Ev, Lab, User

from . import inputs, typed
from .normal import Names
from .queue_part import OLLAMA, schema
from .running import a_worker, settings
from .typed import Step

Answer = dict[str, Any]
QUIET = 1.2
"""Seconds without a word of the bot's after which nothing more is expected."""
PATIENCE = 600
"""Seconds for the end of a request. What has not come by then is missing in the census, which is a difference."""
NEVER = 3600
PLUGIN = {
    "allowed_users": ["@*:{homeserver}", "-@stranger:{homeserver}"],
    # No line that says how far a request is: when it comes is a matter of the machine.
    "status": {"after_seconds": NEVER},
    "chat": {"placeholder_after": NEVER, "edit_seconds": NEVER, "typing": False},
}
ENDS = ("✅", "❌", "☝️")
SEEDS = ("seed",)
RANDOM = ("pixels", "thumbnail", "xyz.amorgan.blurhash", "blurhash")


class Room:
    """A room of the lab, and what was said in it step by step."""

    def __init__(self, lab: Lab, names: Names, room: str, people: dict[str, User]) -> None:
        self.lab, self.names, self.room, self.people = lab, names, room, people
        self.asked: dict[str, str] = {}
        self.said: dict[str, list[Ev]] = {}
        self.posted: dict[str, str] = {}

    async def post(self) -> None:
        """Pictures of a person's, to be replied to."""
        pictures = inputs.pictures()
        sender = self.people.get("moderator") or self.people["member"]
        for name in ("scene", "holes"):
            self.posted[name] = await sender.send_image(self.room, pictures[name][1])
        self.posted["text file"] = await sender.send_image(self.room, b"no picture at all")
        for name, event in self.posted.items():
            self.names.give(event, f"posted {name}")

    async def all(self, steps: tuple[Step, ...]) -> Answer:
        return {step.name: await self.step(step) for step in steps}

    async def step(self, step: Step) -> Answer:
        print(f"{step.name}", flush=True)
        mark = self.reader.mark()
        asked = self.asked[step.name] = await self._send(step)
        self.names.give(asked, f"asked {step.name}")
        if not step.silent:
            await self._answered(step, asked, mark)
        await self._quiet(mark, 2.0 if step.silent else QUIET)
        events = [e for e in self.reader.events[mark:] if e.room_id == self.room and e.sender == self.lab.bot]
        self.said[step.name] = events
        return await self._described(step, events)

    @property
    def reader(self) -> User:
        return self.people["member"]

    async def _send(self, step: Step) -> str:
        who = self.people[step.by]
        if step.caption_of:
            data = inputs.pictures()[step.caption_of][1]
            return await who.send_image(self.room, data, caption=step.line)
        how = {"reply": step.reply, "thread": step.thread}
        relations = {name: self._event(value) for name, value in how.items() if value}
        if step.edits:
            relations["edit"] = self.asked[step.edits]
        return await who.send(self.room, step.line, **relations)

    def _event(self, name: str) -> str:
        if name in self.posted:
            return self.posted[name]
        if name.startswith("asked "):
            return self.asked[name.removeprefix("asked ")]
        events = [event for event in self.said[name] if event.type == "m.room.message" and not event.edits]
        pictures = [event for event in events if event.msgtype == "m.image"]
        return (pictures[-1:] or events[:1])[0].event_id

    # ------------------------------------------------------------ until it is answered

    async def _answered(self, step: Step, asked: str, mark: int) -> None:
        """Until a reaction ends it, or a message answers what was no request."""
        meant = {asked, self.asked.get(step.edits or "", asked)}

        def done(event: Ev) -> bool:
            if event.sender != self.lab.bot or event.room_id != self.room:
                return False
            if event.reaction is not None:
                return event.relates.get("event_id") in meant and event.reaction in (*ENDS, *self._accepted())
            return event.type == "m.room.message" and not self._waits(meant, mark)

        try:
            await self.reader.wait_for(done, mark, timeout=PATIENCE)
        except TimeoutError:
            print(f"    nothing ended {step.name!r} in {PATIENCE} s", flush=True)

    def _accepted(self) -> tuple[str, ...]:
        """While the worker is paused ⏳ is all that comes."""
        return ("⏳",) if self.paused else ()

    paused = False

    def _waits(self, meant: set[str], mark: int) -> bool:
        """Was it accepted, and has not ended?"""
        events = self.reader.events[mark:]
        marks = [e.reaction for e in events if e.sender == self.lab.bot and e.relates.get("event_id") in meant]
        return "⏳" in marks and not any(end in marks for end in ENDS)

    async def _quiet(self, mark: int, seconds: float) -> None:
        while True:
            count = self._count(mark)
            await asyncio.sleep(seconds)
            if self._count(mark) == count:
                return

    def _count(self, mark: int) -> int:
        return sum(event.sender == self.lab.bot and event.room_id == self.room for event in self.reader.events[mark:])

    # ------------------------------------------------------------ what came

    async def _described(self, step: Step, events: list[Ev]) -> Answer:
        found: Answer = {"messages": [], "reactions": [], "taken back": []}
        for number, event in enumerate([event for event in events if event.type == "m.room.message"]):
            self.names.give(event.event_id, f"said {step.name} {number}")
        for event in events:
            self.names.give(str(event.own.get("key", "")), f"key {step.name}")
            if event.reaction is not None:
                self.names.give(event.event_id, f"{event.reaction} {step.name}")
        for event in events:
            if event.redacts:
                found["taken back"].append(event.redacts)
            elif event.reaction is not None:
                found["reactions"].append({"content": event.content, "relates": event.relates})
            elif event.type == "m.room.message":
                found["messages"].append(await self._message(event))
            else:
                found.setdefault("others", []).append({"type": event.type, "content": event.content})
        cleaned: Answer = self.names.clean(found)
        return cleaned if step.seeds else without_seeds(cleaned, seeds_in(found))

    async def _message(self, event: Ev) -> Answer:
        found: Answer = {"encrypted": event.encrypted, "content": of_media(event.content)}
        if event.msgtype == "m.image":
            for name, what in (("pixels", ""), ("thumbnail", "thumbnail_")):
                data = await self.reader.image_bytes(event, what)
                with Image.open(io.BytesIO(data)) as picture:
                    found[name] = hashlib.sha256(picture.convert("RGB").tobytes()).hexdigest()
        return found


def of_media(content: dict[str, Any]) -> dict[str, Any]:
    """Keys of encrypted files are random, and so is the size of a picture whose record says how long it took."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        if key in ("file", "thumbnail_file"):
            found[key] = {**value, "iv": "<iv>", "key": {**value["key"], "k": "<k>"}, "hashes": sorted(value["hashes"])}
        elif key == "info" and content.get("msgtype") == "m.image":
            found[key] = {**of_media(value), "size": "<number>"}
        else:
            found[key] = of_media(value) if key == "m.new_content" else value
    return found


def seeds_in(value: Any) -> set[int]:
    """All that stands under the key ``seed``."""
    if isinstance(value, dict):
        own = {one for key, one in value.items() if key in SEEDS and isinstance(one, int)}
        return own.union(*map(seeds_in, value.values()))
    return set[int]().union(*map(seeds_in, value)) if isinstance(value, list) else set()


def without_seeds(value: Any, seeds: set[int]) -> Any:
    """What was drawn with a seed that the bot chose: neither that nor the pixels are known before."""
    if isinstance(value, dict):
        return {
            key: "<random>" if key in RANDOM or (key in SEEDS and one in seeds) else without_seeds(one, seeds)
            for key, one in value.items()
        }
    if isinstance(value, list):
        return [without_seeds(one, seeds) for one in value]
    if isinstance(value, str) and seeds:
        return re.sub(rf"\b({'|'.join(map(str, seeds))})\b", "<random>", value)
    return value


async def take_rooms(root: Path, files: Path) -> Answer:
    async with OllamaDouble(OLLAMA) as ollama:
        a_worker(root / "worker", files)  # its models
        config = settings(root / "worker" / "data", ollama.url)
        async with Lab(root, plugin=PLUGIN, worker_config=config) as lab:
            found = await _rooms(lab)
            found["schema"] = schema(lab.plugin_database)
            return found


async def _rooms(lab: Lab) -> Answer:
    people = {"member": lab.user, "moderator": lab.admin, "stranger": await lab.new_user("stranger")}
    found: Answer = {}
    rooms: dict[str, Room] = {}
    for encrypted in (False, True):
        kind = "encrypted" if encrypted else "plain"
        names = names_of_rooms(lab)
        rooms[kind], found[f"{kind}, greeting"] = await _of_three(lab, names, people, encrypted=encrypted)
        found[kind] = await rooms[kind].all(typed.steps(encrypted=encrypted))
        found[f"{kind}, alone"] = await _of_two(lab, names, encrypted=encrypted)
    # Last: a pause ends the GPU process, and on a busy machine another one takes minutes to start.
    await lab.worker.api("POST", "/v1/pause", {"minutes": 60})
    for kind, room in rooms.items():
        room.paused = True
        found[f"{kind}, paused"] = await room.all(typed.waiting())
    return found


def names_of_rooms(lab: Lab) -> Names:
    names = Names()
    names.give(str(lab.root), "root")
    names.form(r"mxc://[\w.-]+/\w+", "<mxc>")
    names.form(r"·(?: |&nbsp;)\d+ (?:s|min)\b", "· <time>")
    names.form(r"\b\d+(?:\.\d+)? (?:s|GiB)\b", "<number>")
    names.form(r"\$[\w-]{43}", "<an event>")
    names.form(r"\b[0-9a-f]{40}\b", "<a key>")
    names.form(r"(?<=Worker )\d[\w.]*", "<version>")
    return names


async def _of_three(
    lab: Lab, names: Names, people: dict[str, User], *, encrypted: bool
) -> tuple[Room, list[dict[str, Any]]]:
    """And with what words the bot came in."""
    mark = lab.user.mark()
    room = await lab.room(encrypted=encrypted)
    await people["moderator"].api("POST", f"/_matrix/client/v3/rooms/{room}/invite", {"user_id": people["stranger"].id})
    await people["stranger"].join(room)
    await people["member"].wait_member(room, people["stranger"].id)
    names.give(room, "room")
    here = Room(lab, names, room, people)
    greeting = [e for e in lab.user.events[mark:] if e.sender == lab.bot and e.type == "m.room.message"]
    greeted: list[dict[str, Any]] = names.clean([event.content for event in greeting])
    await here.post()
    return here, greeted


async def _of_two(lab: Lab, names: Names, *, encrypted: bool) -> Answer:
    room = await lab.user.create_room([lab.bot], encrypted=encrypted, is_direct=True)
    names.give(room, "room alone")
    await lab.user.wait_member(room, lab.bot)
    await lab.user.wait_for(lab.says(room))
    return await Room(lab, names, room, {"member": lab.user}).all(typed.ALONE)
