"""An independent Matrix user: matrix-nio with vodozemac, neither mautrix nor libolm, and raw REST calls."""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import time
import uuid
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
from nio import AsyncClient, AsyncClientConfig, MegolmEvent, SyncResponse
from nio.crypto import decrypt_attachment, encrypt_attachment
from nio.exceptions import EncryptionError, LocalProtocolError

from .events import Ev
from .proc import PATIENCE, until
from .synapse import Login

BIG_TIMELINE = {"room": {"timeline": {"limit": 1000}}}
"""Without it Synapse sends ten events a sync at most, and bursts are lost to this client."""

MEGOLM = "m.megolm.v1.aes-sha2"
logging.getLogger("nio").setLevel(logging.ERROR)


class _Nio(AsyncClient):
    """Keeps each sync's events as they stood on the wire, beside what nio made of them."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.wire: list[tuple[str, dict[str, Any], Any]] = []

    async def receive_response(self, response: Any) -> None:
        if not isinstance(response, SyncResponse):
            await super().receive_response(response)
            return
        raw = {room: [event.source for event in joined.timeline.events] for room, joined in response.rooms.join.items()}
        await super().receive_response(response)
        self.wire = [
            (room, wire, event)
            for room, joined in response.rooms.join.items()
            for wire, event in zip(raw[room], joined.timeline.events, strict=True)
        ]


def _event(room_id: str, wire: dict[str, Any], source: dict[str, Any]) -> Ev:
    return Ev(
        room_id=room_id,
        event_id=wire.get("event_id", ""),
        sender=wire.get("sender", ""),
        type=source.get("type", wire.get("type", "")),
        content=source.get("content", {}),
        ts=wire.get("origin_server_ts", 0),
        encrypted=wire.get("type") == "m.room.encrypted",
        state_key=wire.get("state_key"),
        wire=wire,
        seen=time.monotonic(),
    )


NO_RESTS = (0.0, 0.0)
CALM = (0.1, 2.0)
"""Rests between two syncs, in seconds: while somebody waits for what this user sees, and while nobody does."""


class User:
    """A person with one device, who syncs in the background and remembers everything that was seen.

    ``rests``: as `CALM`. What comes meanwhile comes with one sync; each costs the homeserver as much as a message does.
    """

    def __init__(self, url: str, login: Login, store: Path, *, rests: tuple[float, float] = NO_RESTS) -> None:
        self._rests, self._waiting, self._waited_for = rests, 0, asyncio.Event()
        self.url, self.login, self.id = url, login, login.user_id
        store.mkdir(parents=True, exist_ok=True)
        config = AsyncClientConfig(
            store_sync_tokens=False, encryption_enabled=True, max_limit_exceeded=0, max_timeouts=3
        )
        self.nio = _Nio(url, login.user_id, device_id=login.device_id, store_path=str(store), config=config)
        self.nio.restore_login(login.user_id, login.device_id, login.access_token)
        self.http = aiohttp.ClientSession(headers={"Authorization": f"Bearer {login.access_token}"})
        self.events: list[Ev] = []
        self._pending: list[tuple[Ev, MegolmEvent]] = []
        self._new = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._keys = asyncio.Lock()

    # ------------------------------------------------------------ life

    async def start(self) -> User:
        await self._sync(0)
        self._task = asyncio.create_task(self._loop())
        return self

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.nio.close()
        if self.nio.store is not None:
            self.nio.store.database.close()  # nio leaves it open
        await self.http.close()

    async def export_keys(self, path: Path, passphrase: str) -> None:
        """Writes all room keys that this user has, in the format that Matrix clients import."""
        path.unlink(missing_ok=True)
        await self.nio.export_keys(str(path), passphrase)
        path.chmod(0o600)

    async def _loop(self) -> None:
        while True:
            try:
                await self._sync(10_000)
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
                await asyncio.sleep(0.3)  # the server restarts; go on when it is back
            await self._rest()

    async def _rest(self) -> None:
        waited_for, idle = self._rests
        await asyncio.sleep(waited_for)
        if not self._waiting and idle:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._waited_for.wait(), idle)

    @contextlib.contextmanager
    def _waits(self) -> Iterator[None]:
        """Meanwhile somebody waits for what this user sees."""
        self._waiting += 1
        self._waited_for.set()
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._waited_for.clear()

    async def _sync(self, timeout: int) -> None:
        response = await self.nio.sync(timeout=timeout, sync_filter=BIG_TIMELINE)
        if not isinstance(response, SyncResponse):
            await asyncio.sleep(0.3)
            return
        wire, self.nio.wire = self.nio.wire, []
        await self._olm_chores()
        async with self._new:
            for room_id, raw, event in wire:
                seen = _event(room_id, raw, event.source)
                self.events.append(seen)
                if isinstance(event, MegolmEvent):
                    self._pending.append((seen, event))
            self._pending = [(seen, event) for seen, event in self._pending if not self._decrypt(seen, event)]
            self._new.notify_all()

    def _decrypt(self, seen: Ev, event: MegolmEvent) -> bool:
        """Decrypts in place; ``False`` while the room key has not come."""
        try:
            clear = self.nio.olm.decrypt_megolm_event(event, seen.room_id)
        except EncryptionError:
            return False
        seen.type, seen.content = clear.source["type"], clear.source["content"]
        return True

    async def _olm_chores(self) -> None:
        async with self._keys:
            if self.nio.should_upload_keys:
                await self.nio.keys_upload()
            if self.nio.should_query_keys:
                with contextlib.suppress(LocalProtocolError):
                    await self.nio.keys_query()
            await self.nio.send_to_device_messages()

    # ------------------------------------------------------------ raw REST

    async def api(self, method: str, path: str, body: Any = None, *, ok: bool = True, **options: Any) -> dict[str, Any]:
        """One call; raises RuntimeError for a refusal unless ``ok`` is false."""
        if body is not None:
            options["json"] = body
        async with self.http.request(method, f"{self.url}{path}", **options) as response:
            answer: dict[str, Any] = await response.json(content_type=None)
            if ok and response.status >= 300:
                raise RuntimeError(f"{method} {path}: {response.status} {answer}")
            return answer

    # ------------------------------------------------------------ rooms

    async def create_room(
        self, invite: Sequence[str] = (), *, encrypted: bool = False, version: str | None = None,
        power: dict[str, int] | None = None, **extra: Any,
    ) -> str:  # fmt: skip
        body: dict[str, Any] = {"preset": "private_chat", "invite": list(invite), **extra}
        if encrypted:
            state = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": MEGOLM}}
            body.setdefault("initial_state", []).append(state)
        if version:
            body["room_version"] = version
        if power is not None:
            body["power_level_content_override"] = {"users": power}
        mark = self.mark()
        room: str = (await self.api("POST", "/_matrix/client/v3/createRoom", body))["room_id"]
        await self.wait_joined(room)
        # A sync can bring a room without all that it began with: who is not known yet would get no room key.
        begun = {(room, "m.room.member", who) for who in invite}
        if encrypted:
            begun.add((room, "m.room.encryption", ""))
        with self._waits():
            await until(
                lambda: begun <= {(e.room_id, e.type, e.state_key) for e in self.events[mark:]}, f"all of {room}"
            )
        return room

    async def join(self, room: str) -> None:
        await self.api("POST", f"/_matrix/client/v3/join/{quote(room)}", {})
        await self.wait_joined(room)

    async def wait_joined(self, room: str, timeout: float = 15) -> None:
        with self._waits():
            await until(lambda: room in self.nio.rooms, f"{self.id} sees {room}", timeout=timeout)

    async def members(self, room: str) -> set[str]:
        return set((await self.api("GET", f"/_matrix/client/v3/rooms/{quote(room)}/joined_members"))["joined"])

    async def wait_member(self, room: str, who: str, timeout: float = 20) -> None:
        """Until ``who`` is in the room and this client knows it (and so encrypts for ``who``)."""
        end = time.monotonic() + timeout * PATIENCE
        while who not in await self.members(room):
            if time.monotonic() > end:
                raise TimeoutError(f"{who} did not join {room}")
            await asyncio.sleep(0.05)
        with contextlib.suppress(TimeoutError), self._waits():
            await until(lambda: who in self._users(room), f"{who} in {room}", timeout=timeout)

    def _users(self, room: str) -> Container[str]:
        """Whom this client knows in a room, which it may not have seen yet."""
        return self.nio.rooms[room].users if room in self.nio.rooms else ()

    # ------------------------------------------------------------ sending

    async def send_event(self, room: str, type_: str, content: dict[str, Any]) -> str:
        """Sends, encrypted where the room is; returns the event's id."""
        await self.wait_joined(room)
        if self.nio.rooms[room].encrypted and type_ != "m.reaction":
            await self._olm_chores()
            missing = self.nio.get_missing_sessions(room)
            if missing:
                await self.nio.keys_claim(missing)
            await self._share_key(room)
        sent = await self.nio.room_send(room, type_, content, tx_id=uuid.uuid4().hex, ignore_unverified_devices=True)
        if not hasattr(sent, "event_id"):
            raise RuntimeError(f"send: {sent}")
        return str(sent.event_id)

    async def _share_key(self, room: str) -> None:
        """nio takes a room key for shared also where the homeserver was away meanwhile; people's clients do not."""
        if not self.nio.olm.should_share_group_session(room):
            return
        try:
            await self.nio.share_group_session(room, ignore_unverified_devices=True)
        except LocalProtocolError:
            pass  # another message shares it already
        except KeyError:  # nio drops a session when members or devices change, and then looks for it
            raise RuntimeError("the room key was given up while it was shared; nothing was sent") from None
        session = self.nio.olm.outbound_group_sessions.get(room)
        users = list(self.nio.rooms[room].users)
        devices = {(user, one.id) for user in users for one in self.nio.device_store.active_user_devices(user)}
        if session is not None and not devices <= session.users_shared_with | session.users_ignored:
            self.nio.invalidate_outbound_session(room)
            raise RuntimeError("the room key did not reach everybody; nothing was sent")

    async def send(
        self, room: str, body: str, *, msgtype: str = "m.text", html: str | None = None, thread: str | None = None,
        reply: str | None = None, edit: str | None = None, **extra: Any,
    ) -> str:  # fmt: skip
        content: dict[str, Any] = {"msgtype": msgtype, "body": body, **extra}
        if html:
            content.update(format="org.matrix.custom.html", formatted_body=html)
        if edit:
            relation = {"rel_type": "m.replace", "event_id": edit}
            content = {**content, "body": f"* {body}", "m.new_content": dict(content), "m.relates_to": relation}
        elif thread:
            answered = {"event_id": reply or thread}
            content["m.relates_to"] = {
                "rel_type": "m.thread", "event_id": thread, "is_falling_back": not reply, "m.in_reply_to": answered,
            }  # fmt: skip
        elif reply:
            content["m.relates_to"] = {"m.in_reply_to": {"event_id": reply}}
        return await self.send_event(room, "m.room.message", content)

    async def react(self, room: str, event_id: str, emoji: str) -> str:
        relation = {"rel_type": "m.annotation", "event_id": event_id, "key": emoji}
        return await self.send_event(room, "m.reaction", {"m.relates_to": relation})

    async def redact(self, room: str, event_id: str) -> str:
        path = f"/_matrix/client/v3/rooms/{quote(room)}/redact/{quote(event_id)}/{uuid.uuid4().hex}"
        return str((await self.api("PUT", path, {}))["event_id"])

    async def upload(self, data: bytes, mime: str, name: str = "f") -> str:
        path = f"/_matrix/media/v3/upload?filename={quote(name)}"
        file = io.BytesIO(data)  # aiohttp warns of large bytes
        return str((await self.api("POST", path, data=file, headers={"Content-Type": mime}))["content_uri"])

    async def send_image(
        self, room: str, data: bytes, *, mime: str = "image/png", filename: str = "pic.png",
        caption: str | None = None, **extra: Any,
    ) -> str:  # fmt: skip
        """An ``m.image``: plain ``url`` or encrypted ``file``, as the room asks; a caption by body and filename."""
        content: dict[str, Any] = {
            "msgtype": "m.image", "body": caption or filename, "info": {"mimetype": mime, "size": len(data)}, **extra,
        }  # fmt: skip
        if caption:
            content["filename"] = filename
        await self.wait_joined(room)
        if self.nio.rooms[room].encrypted:
            cipher, keys = encrypt_attachment(data)
            content["file"] = {**keys, "url": await self.upload(cipher, "application/octet-stream"), "mimetype": mime}
        else:
            content["url"] = await self.upload(data, mime, filename)
        return await self.send_event(room, "m.room.message", content)

    async def set_state(self, room: str, type_: str, content: dict[str, Any], key: str = "") -> str:
        path = f"/_matrix/client/v3/rooms/{quote(room)}/state/{type_}/{quote(key)}"
        return str((await self.api("PUT", path, content))["event_id"])

    # ------------------------------------------------------------ seeing

    def mark(self) -> int:
        """Where the list of seen events ends now; ``since`` of the calls below."""
        return len(self.events)

    async def wait_for(self, wanted: Callable[[Ev], object], since: int = 0, timeout: float = 20) -> Ev:
        """The first event after ``since`` that is wanted; the error lists what came instead."""
        return (await self.wait_all(wanted, 1, since, timeout))[0]

    async def wait_all(
        self, wanted: Callable[[Ev], object], count: int, since: int = 0, timeout: float = 20
    ) -> list[Ev]:
        """The first ``count`` wanted events after ``since``."""
        with self._waits():
            return await self._come(wanted, count, since, timeout * PATIENCE)

    async def _come(self, wanted: Callable[[Ev], object], count: int, since: int, seconds: float) -> list[Ev]:
        end = time.monotonic() + seconds
        async with self._new:
            while True:
                found = [event for event in self.events[since:] if wanted(event)]
                if len(found) >= count:
                    return found[:count]
                left = end - time.monotonic()
                if left <= 0:
                    seen = "\n".join(f"  {e.sender} {e.type} {str(e.content)[:200]}" for e in self.events[since:])
                    raise TimeoutError(f"{self.id}: {len(found)} of {count} came in {seconds:.0f} s; seen:\n{seen}")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._new.wait(), left)

    async def never(self, unwanted: Callable[[Ev], object], since: int, within: float = 1.5) -> None:
        """Asserts that nothing unwanted comes for ``within`` seconds."""
        try:
            with self._waits():
                [event] = await self._come(unwanted, 1, since, within)
        except TimeoutError:
            return
        raise AssertionError(f"unexpected event: {event}")

    async def download(self, mxc: str) -> bytes:
        """Raw bytes over the authenticated media endpoint."""
        async with self.http.get(f"{self.url}/_matrix/client/v1/media/download/{mxc[6:]}") as response:
            response.raise_for_status()
            return await response.read()

    async def image_bytes(self, event: Ev, what: str = "") -> bytes:
        """The picture of an image event, decrypted where it is encrypted; ``what="thumbnail_"``: its thumbnail."""
        content = event.content.get("info", {}) if what else event.content
        file = content.get(f"{what}file")
        if not file:
            return await self.download(content[f"{what}url"])
        clear: bytes = decrypt_attachment(
            await self.download(file["url"]), file["key"]["k"], file["hashes"]["sha256"], file["iv"]
        )
        return clear
