"""The composition root: builds all parts, for the program and for the tests.

Each part gets its dependencies when it is made, so later parts know earlier ones, never the other way round. Events
that go upwards (a part was sent, a room is closed) pass through :mod:`..outbox.listeners`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from ..chat.history import History
from ..commands import reactions
from ..commands.limits import Limits
from ..commands.outcome import Outcome
from ..commands.permissions import Permissions
from ..commands.predecessors import Predecessors
from ..commands.registry import VOCABULARY
from ..commands.room_settings import RoomSettings
from ..commands.services import Services
from ..inbox.events import Events
from ..inbox.membership import Membership
from ..inbox.room_upgrades import RoomUpgrades
from ..inbox.unread import Unread
from ..language.message import Message
from ..matrix.addressing import Calls
from ..matrix.cross_signing import CrossSigning
from ..outbox.queue import Outbox
from ..outbox.send_loop import SendLoop
from ..outbox.sender import Sender
from ..outbox.sent_before import SentBefore
from ..requests.delivery import Delivery
from ..requests.part_events import PartNews
from ..store.recovery_keys import RecoveryKeys
from . import makers
from .surroundings import Links, Surroundings, connect

__all__ = ["Inbox", "Links", "Parts", "Surroundings", "build", "build_inbox", "build_signing"]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """All parts between an understood message and its result in the room."""

    around: Surroundings
    links: Links
    outbox: Outbox
    delivery: Delivery
    history: History
    services: Services
    predecessors: Predecessors
    upgrades: RoomUpgrades
    sending: SendLoop

    async def start(self) -> None:
        """Resume open requests, then start sending, then listen to the worker."""
        await self.delivery.take_up()
        await self.sending.start()
        self.delivery.start()
        self.upgrades.start()

    async def stop(self) -> None:
        """Every task ends and every session is closed; client and database outlive us."""
        await self.upgrades.stop()
        await self.delivery.stop()
        await self.sending.stop()
        await self.links.store.close()
        await self.links.worker.close()
        await self.links.http.close()


@dataclass(frozen=True, kw_only=True)
class Inbox:
    """The parts that receive from rooms."""

    rooms: Membership
    unread: Unread
    events: Events


async def build(around: Surroundings) -> Parts:
    """Build all parts. Starts nothing, but sets up the database."""
    links = await connect(around)
    log, store, values = around.log, links.store, around.values
    permissions = Permissions(around.client, around.config, store.clock)
    calls = Calls(links.http, around.bot, prefix=around.prefix, commands=VOCABULARY)
    sent_before = SentBefore(links.http, links.encryption, around.bot, store.clock, log)
    outbox = Outbox(store, sent_before, log)
    predecessors = Predecessors(store, links.states, outbox, around.bot, log)
    settings = RoomSettings(store, around.config, predecessors)
    history = _history(around, links, calls, permissions, settings)
    limits = Limits(permissions, settings, values)
    made = makers.build(around, links, outbox, history, settings, permissions, limits)
    delivery = Delivery(store, links.worker, outbox, made.active, made.kinds, values, around.bot, log)
    upgrades = RoomUpgrades(
        store,
        links.states,
        links.encryption,
        outbox,
        delivery,
        join=around.join,
        allowed=permissions.may_use,
        bot=around.bot,
        log=log,
    )
    sending = SendLoop(
        outbox,
        store,
        Sender(store, links.http, links.encryption),
        builders=made.builders,
        listener=PartNews(store, links.worker, outbox, delivery),
        rules=upgrades,
        log=log,
    )
    return Parts(
        around=around,
        links=links,
        outbox=outbox,
        delivery=delivery,
        history=history,
        services=_services(around, links, delivery, settings, permissions, limits, calls),
        predecessors=predecessors,
        upgrades=upgrades,
        sending=sending,
    )


def _history(
    around: Surroundings, links: Links, calls: Calls, permissions: Permissions, settings: RoomSettings
) -> History:
    return History(
        links.http,
        links.encryption,
        links.store,
        calls,
        bot=around.bot,
        values=around.values,
        allowed=permissions.may_use,
        persona=settings.persona,
    )


def _services(
    around: Surroundings,
    links: Links,
    delivery: Delivery,
    settings: RoomSettings,
    permissions: Permissions,
    limits: Limits,
    calls: Calls,
) -> Services:
    return Services(
        config=around.config,
        client=around.client,
        store=links.store,
        worker=links.worker,
        delivery=delivery,
        http=links.http,
        encryption=links.encryption,
        settings=settings,
        permissions=permissions,
        limits=limits,
        calls=calls,
        log=around.log,
    )


def build_signing(parts: Parts) -> CrossSigning:
    """Cross-signing. Built apart, because no other part depends on it."""
    around = parts.around
    recovery = RecoveryKeys(around.database)
    return CrossSigning(around.client, recovery, around.values, parts.services.warnings, around.log)


def build_inbox(
    parts: Parts,
    *,
    handle: Callable[[Message], Awaitable[Outcome | None]],
    signed: Callable[[], bool | None],
) -> Inbox:
    """``handle``: turns a message into an outcome; ``signed``: whether people's clients trust this device."""
    around, links, permissions = parts.around, parts.links, parts.services.permissions
    rooms = Membership(
        links.store,
        links.http,
        parts.outbox,
        bot=around.bot,
        join=around.accept,
        allowed=permissions.may_use,
        prefix=around.prefix,
        log=around.log,
        follows=parts.predecessors.follows,
    )
    unread = Unread(
        links.store, parts.outbox, bot=around.bot, allowed=permissions.may_use, signed=signed, log=around.log
    )
    parts.services.reports.append(unread.report)
    events = Events(
        around.client,
        links.http,
        links.store,
        links.encryption,
        parts.outbox,
        parts.delivery,
        rooms,
        handle=handle,
        react=partial(reactions.react, parts.services),
        unread=unread,
        values=around.values,
        limits=parts.services.limits,
        restart_sync=around.restart_sync,
        members_changed=permissions.members_changed,
        room_changed=parts.upgrades.heard,
        log=around.log,
    )
    return Inbox(rooms=rooms, unread=unread, events=events)
