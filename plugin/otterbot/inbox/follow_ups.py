"""Commits the outcome of a message together with its mark "handled", then starts it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from .. import texts
from ..commands.limits import Limits
from ..commands.outcome import NewRequest, Outcome, Reply, refuse
from ..config import Values
from ..errors import MatrixError
from ..language.message import Message
from ..language.reaction import Reaction
from ..matrix import event_content
from ..matrix.encryption import Encryption
from ..outbox.queue import Outbox
from ..requests.completion import REPLACED
from ..requests.delivery import Delivery
from ..store.part_names import REFUSED, REPLY, SAME, PartName
from ..store.quotas import Quota
from ..store.room_store import told_as
from ..store.rows import Kept, Kind, Part, PartState, Rank, Request, hint_key, key_of
from ..store.store import Commit, Store
from ..waiting import surely
from .repeats import Repeats

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class _Target:
    """What somebody reacted to, as what is replied to."""

    event_id: str
    thread_root: str | None = None


class FollowUps:
    """One per plugin instance; remembers only the latest answers, for repeats."""

    def __init__(
        self,
        store: Store,
        encryption: Encryption,
        outbox: Outbox,
        delivery: Delivery,
        limits: Limits,
        *,
        bot: str,
        values: Callable[[], Values],
        log: logging.Logger,
    ) -> None:
        self._store = store
        self._encryption = encryption
        self._outbox = outbox
        self._delivery = delivery
        self._limits = limits
        self._bot = bot
        self._values = values
        self._log = log
        self._repeats = Repeats(store, outbox.turns.begun, outbox.sent_before.stands)

    async def commit(self, message: Message, outcome: Outcome) -> None:
        key = key_of(self._bot, message.room_id, message.event_id, message.edit_id)
        self._outbox.sent_before.note(key, message.timestamp / 1000, message.room_id)
        parts: list[Part] = [*outcome.parts]
        request = None if outcome.request is None else await self._request(message, key, outcome.request)
        if request is not None:
            parts += self._delivery.first_parts(request)
        repeated = await self._surely(lambda: self._repeats.covers(message, outcome))
        if repeated:
            parts.append(_same(message, key))
        elif outcome.reply is not None:
            content = await event_content.notice(outcome.reply.text, key, REPLY, message)
            parts.append(Part(key=key, part=REPLY, room_id=message.room_id, content=content))
        parts += await self._surely(lambda: self._refusal(message, outcome))
        replaced = message.edit_id is not None and request is not None
        stop = () if message.edit_id is not None else self._stopped(outcome)
        commit = Commit(
            mark=message.mark,
            room_id=message.room_id,
            request=request,
            parts=parts,
            cancel=[key for key in outcome.cancel if key not in stop],
            stop=stop,
            outcome=REPLACED if replaced else "cancelled",
            setting=None if outcome.setting is None else (outcome.setting.name, outcome.setting.value),
            style=outcome.style,
            unstyle=outcome.unstyle,
            told=() if repeated else [told_as(warning) for warning in outcome.told],
            kept=outcome.kept,
            discarded=outcome.discarded,
            quotas=await self._quotas(request),
        )
        done = await self._surely(lambda: self._store.commit(commit))
        if done.over is not None:
            await self.commit(message, refuse(texts.too_much(done.over)))
            return
        if not done.fresh:
            return
        self._delivery.cancelling.were_stopped(done.stopped)
        await self._delivery.cancelling.were_cancelled(done.cancelled, replaced=replaced)
        if not repeated:
            self._repeats.said(message, outcome, key)
        self._outbox.turns.asked_by(key, message.sender)
        self._settle(outcome)
        self._outbox.enqueue(parts)
        if request is not None:
            self._delivery.accepted_request(request)

    async def _refusal(self, message: Message, outcome: Outcome) -> list[Part]:
        """❌ on a message that was refused, once; taken back where an edit of it was not. None beside a request of the
        message that goes on."""
        key = key_of(self._bot, message.room_id, message.event_id)
        standing = await self._store.parts_of(key)
        there = standing.get(REFUSED)
        if outcome.refused:
            before = None if message.edit_id is None else await self._store.request_by_event(message.event_id)
            if there is not None or (before is not None and before.open):
                return []
            content = event_content.reaction(key, REFUSED, message.event_id, texts.FAILED)
            return [_reaction(key, REFUSED, message.room_id, Kind.REACTION, content)]
        if there is None or message.edit_id is None or REFUSED.unsend() in standing:
            return []
        if there.state in (PartState.FAILED, PartState.DROPPED) or (
            there.state is PartState.READY and await self._outbox.withdraw(*there.id)
        ):
            return []
        return [_reaction(key, REFUSED.unsend(), there.room_id, Kind.REDACTION, {"of": REFUSED})]

    async def commit_reaction(self, reaction: Reaction, outcome: Outcome) -> None:
        """What follows from a reaction. What it says replies to the message that the reaction is on."""
        key = key_of(self._bot, reaction.room_id, reaction.event_id)
        self._outbox.sent_before.note(key, reaction.timestamp / 1000, reaction.room_id)
        request = None if outcome.again is None else self._again(reaction, key, outcome.again)
        if outcome.request is not None:
            request = await self._of_reaction(reaction, key, outcome.request)
        parts = [*outcome.parts, *([] if request is None else self._delivery.first_parts(request))]
        if outcome.reply is not None:
            parts += await self._said(reaction, key, outcome.reply)
        stop = self._stopped(outcome)
        cancel = [key for key in outcome.cancel if key not in stop]
        commit = Commit(
            mark=reaction.event_id,
            room_id=reaction.room_id,
            request=request,
            parts=parts,
            cancel=cancel,
            stop=stop,
            kept=outcome.kept,
            discarded=outcome.discarded,
            told=[told_as(warning) for warning in outcome.told],
            quotas=await self._quotas(request),
        )
        done = await self._surely(lambda: self._store.commit(commit))
        if done.over is not None:
            thread = None if request is None else request.thread_root
            await self.commit_reaction(reaction, Outcome(reply=Reply(text=texts.too_much(done.over), thread=thread)))
            return
        if not done.fresh:
            return
        self._delivery.cancelling.were_stopped(done.stopped)
        await self._delivery.cancelling.were_cancelled(done.cancelled)
        self._outbox.turns.asked_by(key, reaction.sender)
        self._settle(outcome)
        self._outbox.enqueue(parts)
        if request is not None:
            self._delivery.accepted_request(request)

    async def _said(self, reaction: Reaction, key: str, reply: Reply) -> list[Part]:
        """The sentence for who reacted; nothing where it stands there already."""
        if reply.once:
            key = hint_key(self._bot, reaction.target)
            if await self._surely(lambda: self._store.part(key, REPLY)) is not None:
                return []
            self._outbox.sent_before.note(key, reaction.timestamp / 1000, reaction.room_id)
        target = _Target(event_id=reaction.target, thread_root=reply.thread)
        text = texts.for_whom(reply.text, reaction.emoji, reaction.sender)
        content = await event_content.notice(text, key, REPLY, target)
        return [Part(key=key, part=REPLY, room_id=reaction.room_id, content=content)]

    def _settle(self, outcome: Outcome) -> None:
        """A picture is kept or deleted in the database: the rest follows from there."""
        if outcome.kept is not None:
            self._copied(*outcome.kept)
        if outcome.kept is not None or outcome.discarded is not None:
            self._delivery.signals.housekeeping.set()

    def _copied(self, picture: Part, kept: Kept) -> None:
        """The copy may stand in the gallery since before this database was made: it is looked for first."""
        if kept.copy is not None:
            self._outbox.sent_before.note(kept.copy, picture.updated_at, kept.room_id)
            self._outbox.turns.asked_by(kept.copy, kept.sender)

    async def _quotas(self, request: Request | None) -> tuple[Quota, ...]:
        """What the request has to be within."""
        if request is None:
            return ()
        room, sender, kind = request.room_id, request.sender, request.kind
        return await self._surely(lambda: self._limits.of(room, sender, kind))

    def _stopped(self, outcome: Outcome) -> list[str]:
        """Of what is cancelled, that of which something stays."""
        return [key for key in outcome.cancel if self._delivery.cancelling.keeps(key)]

    def _again(self, reaction: Reaction, key: str, old: Request) -> Request:
        """The same question, as if it had been asked by the reaction."""
        now = self._store.clock.now()
        return Request(
            key=key,
            room_id=old.room_id,
            event_id=old.event_id,
            edit_id=old.edit_id,
            sender=old.sender,
            kind=old.kind,
            body=old.body,
            asked=old.asked,
            private=old.private,
            thread_root=old.thread_root,
            reply_to=old.reply_to,
            sent_at=reaction.timestamp / 1000,
            created_at=now,
            expires_at=now + self._values().keep_hours * 3600,
        )

    async def _of_reaction(self, reaction: Reaction, key: str, new: NewRequest) -> Request:
        """A request of who reacted, about the message that the reaction is on."""
        now = self._store.clock.now()
        return Request(
            key=key,
            room_id=reaction.room_id,
            event_id=reaction.target,
            edit_id=reaction.event_id,
            sender=reaction.sender,
            kind=new.kind,
            body=new.body,
            asked=new.asked,
            notes=new.notes,
            private=await self._private(reaction.room_id),
            thread_root=new.thread,
            reaction=reaction.emoji,
            sent_at=reaction.timestamp / 1000,
            created_at=now,
            expires_at=now + self._values().keep_hours * 3600,
        )

    async def _request(self, message: Message, key: str, new: NewRequest) -> Request:
        now = self._store.clock.now()
        return Request(
            key=key,
            room_id=message.room_id,
            event_id=message.event_id,
            edit_id=message.edit_id,
            sender=message.sender,
            kind=new.kind,
            body=new.body,
            asked=new.asked,
            notes=new.notes,
            private=message.encrypted or await self._private(message.room_id),
            thread_root=message.thread_root or new.thread,
            reply_to=message.reply_to,
            sent_at=message.timestamp / 1000,
            created_at=now,
            expires_at=now + self._values().keep_hours * 3600,
        )

    async def _private(self, room: str) -> bool:
        try:
            return await self._surely(lambda: self._encryption.is_encrypted(room))
        except MatrixError:
            return True  # unknown: assume that it is encrypted

    async def _surely(self, call: Callable[[], Awaitable[T]]) -> T:
        return await surely(call, self._log)


def _reaction(key: str, name: PartName, room: str, kind: Kind, content: dict[str, Any]) -> Part:
    return Part(key=key, part=name, room_id=room, kind=kind, rank=Rank.REACTION, content=content)


def _same(message: Message, key: str) -> Part:
    """The reaction for a repeated question, whose answer was just given."""
    content = event_content.reaction(key, SAME, message.event_id, texts.SAME)
    return Part(key=key, part=SAME, room_id=message.room_id, kind=Kind.REACTION, rank=Rank.REPEAT, content=content)
