"""Rooms that go on elsewhere: open requests move to where people are now.

``/upgrade`` closes a room with a tombstone that names a new one, and the new one's create event names the old one. Both
are looked at, and the bot has to be in the new room. Then, in one transaction, every open request of the old room and
everything of it that has not been sent belongs to the new one. What may have been sent is looked for in the old room
first and moves if it is not there (the outbox asks again). Replies and threads do not reach across rooms, so what comes
into the new one names who asked for it. Out of an encrypted room nothing moves into one that is not.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from .. import texts
from ..errors import MatrixError, NotAllowed
from ..matrix import event_content
from ..matrix.encryption import Encryption
from ..matrix.room_state import RoomStates, Standing, Tombstone, tombstone_in
from ..matrix.sync_answer import LEFT, Raw, joins, membership_of
from ..outbox.listeners import Following
from ..outbox.queue import Outbox
from ..requests.delivery import Delivery
from ..store.part_names import ACK, FINAL, GREETING, PLACEHOLDER, PROGRESS, SETTINGS, UNREAD, PartName
from ..store.rows import Kind, Part, PartState, Rank, Request
from ..store.store import Store

DROPPED = frozenset({ACK, PLACEHOLDER, GREETING, SETTINGS, UNREAD})
"""Parts that make no sense in another room."""
INVITES = 7 * 86_400.0
"""Seconds for which a tombstone counts as an invitation to its new room."""
CHAIN = 30
"""Limit of successive upgrades that are followed."""


class RoomUpgrades:
    """Follows tombstones. One per plugin instance; keeps nothing."""

    def __init__(
        self,
        store: Store,
        states: RoomStates,
        encryption: Encryption,
        outbox: Outbox,
        delivery: Delivery,
        *,
        join: Callable[[str, str | None], Awaitable[object]],
        allowed: Callable[[str], bool],
        bot: str,
        log: logging.Logger,
    ) -> None:
        """``join`` takes a room and a homeserver that knows the way."""
        self._store = store
        self._states = states
        self._encryption = encryption
        self._outbox = outbox
        self._delivery = delivery
        self._join = join
        self._allowed = allowed
        self._bot = bot
        self._log = log
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self.resume(), name="otterbot upgraded rooms")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def resume(self) -> None:
        """Look for rooms that were closed while the bot was away."""
        requests = await self._store.open_requests()
        for request in requests:
            try:
                await self._ends_exposed(request)
            except MatrixError:
                continue  # nothing is sent there until that is known
        rooms = {request.room_id for request in requests}
        for room in rooms | {part.room_id for part in await self._store.pending_parts()}:
            try:
                closed = await self._states.tombstone(room) is not None
            except MatrixError:
                closed = True  # unknown: asked again later
            if closed:
                self._outbox.blocked.doubt(room)

    def heard(self, room: str, state: Raw) -> None:
        """A state event from the sync."""
        blocked = self._outbox.blocked
        self._states.departures.heard(room, state)
        if state.get("type") == "m.room.tombstone" and state.get("state_key") == "":
            if tombstone_in(state).replacement is not None:
                blocked.doubt(room)
        elif state.get("type") == "m.room.power_levels":
            blocked.changed(room)
        elif membership_of(state, self._bot) in LEFT:
            blocked.left(room)
        elif joins(state, self._bot):
            blocked.changed()

    # -- what blocked rooms ask --------------------------------------------------------------

    async def standing(self, room: str) -> Standing:
        return await self._states.standing(room, self._encryption.is_encrypted)

    async def follow(self, room: str, tombstone: Tombstone) -> Following:
        old, further = room, tombstone
        for _ in range(CHAIN):
            new = further.replacement
            if new is None or new == old:
                return Following.NEVER
            inside = await self._states.joined(new) or await self._come_in(new, further)
            try:
                claimed, _made = await self._states.predecessor(new)
                beyond = None if inside else await self._states.tombstone(new)
            except NotAllowed:
                return Following.NOT_YET
            if claimed != old:
                self._log.warning("A closed room names another one that does not say that it replaces it")
                return Following.NEVER
            if inside:
                await self._move(room, new)
                return Following.MOVED
            if beyond is None:
                return Following.NOT_YET
            old, further = new, beyond  # the bot is not in it, but it has been replaced as well
        return Following.NEVER

    async def _come_in(self, room: str, tombstone: Tombstone) -> bool:
        """Join the new room: the tombstone counts as an invitation from its sender."""
        sender, age = tombstone.sender, self._store.clock.now() - tombstone.at
        if sender is None or not self._allowed(sender) or age > INVITES or await self._states.was_put_out(room):
            return False
        try:
            await self._join(room, sender.partition(":")[2] or None)
        except Exception as error:  # any error of mautrix or aiohttp; an invitation may still come
            self._log.info("Not let into the room that replaces another yet: %s", type(error).__name__)
            return False
        return True

    async def banned(self, room: str) -> None:
        """The bot was banned: end the room's requests now. Their sentences wait for a while in case it is let in
        again."""
        requests = await self._store.open_requests(room)
        if requests:
            self._log.info("Banned from a room; its open requests end: %d", len(requests))
        for request in requests:
            await self._delivery.giving_up.give_up(request, "refused", texts.BANNED_MEANWHILE)

    # -- moving ------------------------------------------------------------------------------

    async def _move(self, old: str, new: str) -> None:
        secret = await self._encryption.is_encrypted(old)
        exposed = not await self._encryption.is_encrypted(new)
        waiting = [part for part in await self._store.pending_parts() if part.room_id == old]
        moving: list[Part] = []
        unwanted: list[Part] = []
        for part in waiting:
            if part.state is not PartState.READY or part.kind in (Kind.REACTION, Kind.REDACTION):
                continue  # possibly sent, or about an event in the old room
            request = await self._store.request(part.key)
            private = exposed and (secret or (request is not None and request.private))
            moved = None if private else await moved_part(part, new, request)
            if moved is not None:
                moving.append(moved)
            elif part.kind is Kind.MESSAGE or part.rank == Rank.RESULT:
                unwanted.append(part)
        requests = await self._store.move(old, new, moving, unwanted, private=secret)
        await self._outbox.moved([*moving, *unwanted])
        await self._go_on(requests, old, exposed)

    async def _go_on(self, requests: list[Request], old: str, exposed: bool) -> None:
        if requests:
            self._log.info("Open requests have moved to the room that replaces theirs: %d", len(requests))
        for request in requests:
            self._delivery.moved(request, ends=exposed and request.private)
            if await self._ends_exposed(request):
                continue
            standing = await self._store.parts_of(request.key)
            for name in PROGRESS:
                if name.in_room(old) in standing:
                    await self._outbox.post(await _goes_on(request, old, name))

    async def _ends_exposed(self, request: Request) -> bool:
        """Whether the request ends because the new room is not encrypted while the old one was.
        (:class:`~..outbox.sender.Sender` would send nothing there in any case.)"""
        if not (request.moved and request.private) or await self._encryption.is_encrypted(request.room_id):
            return False
        await self._delivery.giving_up.give_up(request, "refused", texts.NOT_ENCRYPTED_ANY_MORE)
        return True


async def moved_part(part: Part, room: str, request: Request | None) -> Part | None:
    """An unsent part, changed for the new room; ``None``: it is dropped."""
    if part.part in DROPPED:
        return None
    if part.rank == Rank.RESULT:  # results are built again, without the reply
        return replace(part, room_id=room, kind=Kind.MESSAGE, content=None, moved=True)
    content = part.content
    if part.kind is Kind.EDIT:
        if part.part != FINAL or content is None:
            return None
        content = content["content"]
    if content is None:
        return None
    sender = request.sender if request is not None and not part.moved else None  # once, even after several upgrades
    return replace(
        part, room_id=room, kind=Kind.MESSAGE, content=await event_content.carried_over(content, sender), moved=True
    )


async def _goes_on(request: Request, old: str, name: PartName) -> Part:
    """The last edit of the status message in the old room."""
    part = name.left(old)
    content = await event_content.notice(texts.GOES_ON_ELSEWHERE, request.key, part, None)
    inner = {"of": name.in_room(old), "content": content}
    return Part(key=request.key, part=part, room_id=old, kind=Kind.EDIT, rank=Rank.EDIT, content=inner)
