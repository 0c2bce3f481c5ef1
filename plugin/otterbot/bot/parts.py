"""The composition root: builds all parts, for the program and for the tests.

Each part gets its dependencies when it is made, so later parts know earlier ones, never the other way round. Events
that go upwards (a part was sent, a room is closed) pass through :mod:`..outbox.listeners`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from logging import Logger

from mautrix.client import Client
from mautrix.util.async_db import Database

from ..chat.history import History
from ..chat.turn_delivery import Chats
from ..chat.typing_notice import Typing
from ..commands import reactions
from ..commands.drawn_by_chat import DrawnByChat
from ..commands.info import line_in
from ..commands.limits import Limits
from ..commands.outcome import Outcome
from ..commands.permissions import Permissions
from ..commands.predecessors import Predecessors
from ..commands.registry import VOCABULARY
from ..commands.room_settings import RoomSettings
from ..commands.services import Services
from ..config import Config, Values
from ..inbox.events import Events
from ..inbox.membership import Membership
from ..inbox.room_upgrades import RoomUpgrades
from ..inbox.unread import Unread
from ..language.message import Message
from ..matrix.addressing import Calls
from ..matrix.cross_signing import CrossSigning
from ..matrix.encryption import Encryption
from ..matrix.http import MatrixHttp
from ..matrix.room_state import RoomStates
from ..outbox.queue import Outbox
from ..outbox.send_loop import SendLoop
from ..outbox.sender import Sender
from ..outbox.sent_before import SentBefore
from ..requests.active import Kind
from ..requests.active_requests import ActiveRequests
from ..requests.delivery import Delivery
from ..requests.descriptions import Descriptions
from ..requests.gallery import Gallery
from ..requests.images import Pictures
from ..requests.input_images import Starts
from ..requests.part_events import PartNews
from ..store.part_names import CHAT, COPIES, DESCRIBED, FILM, PICTURE, PREVIEW, SHEET
from ..store.recovery_keys import RecoveryKeys
from ..store.store import Store
from ..worker.client import Address, WorkerClient


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the plugin gets from Maubot, and callbacks into it."""

    client: Client
    database: Database
    config: Config
    log: Logger
    address: Callable[[], Address]
    """The worker's address."""
    accept: Callable[[str], Awaitable[object]]
    """Accept an invitation to a room."""
    join: Callable[[str, str | None], Awaitable[object]]
    """Try once to join a room, through a homeserver that knows it (``None``: our own)."""
    restart_sync: Callable[[], object]

    @property
    def bot(self) -> str:
        return str(self.client.mxid)

    def values(self) -> Values:
        """The current settings."""
        return self.config.current

    def prefix(self) -> str:
        return self.config.current.prefix


@dataclass(frozen=True, kw_only=True)
class Links:
    """Connections: database, homeserver, worker."""

    store: Store
    http: MatrixHttp
    encryption: Encryption
    states: RoomStates
    worker: WorkerClient


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
    links = await _links(around)
    log, store, values = around.log, links.store, around.values
    permissions = Permissions(around.client, around.config, store.clock)
    calls = Calls(links.http, around.bot, prefix=around.prefix, commands=VOCABULARY)
    sent_before = SentBefore(links.http, links.encryption, around.bot, store.clock, log)
    outbox = Outbox(store, sent_before, log)
    predecessors = Predecessors(store, links.states, outbox, around.bot, log)
    settings = RoomSettings(store, around.config, predecessors)
    history = History(
        links.http,
        links.encryption,
        store,
        calls,
        bot=around.bot,
        values=values,
        allowed=permissions.may_use,
        persona=settings.persona,
    )
    active = ActiveRequests(store.clock, log)
    starts = Starts(links.http, links.encryption, links.worker)
    pictures = Pictures(
        store,
        links.worker,
        outbox,
        links.http,
        links.encryption,
        starts,
        values=values,
        offered=settings.offered,
    )
    descriptions = Descriptions(store, links.worker, outbox, starts, around.prefix)
    typing = Typing(links.http, around.bot, active.worker, values)
    limits = Limits(permissions, settings, values)
    drawn = DrawnByChat(permissions, settings, limits, values, store)
    chats = Chats(
        store,
        links.worker,
        outbox,
        links.http,
        links.encryption,
        history,
        starts,
        active.worker,
        typing,
        values,
        drawn.request,
    )
    gallery = Gallery(store, links.http, links.encryption, line_in, around.prefix)
    kinds: dict[str, Kind] = {"image": pictures, "chat": chats, "describe": descriptions}
    delivery = Delivery(store, links.worker, outbox, active, kinds, values, around.bot, log)
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
        builders={
            PICTURE: pictures.build,
            SHEET: pictures.build,
            FILM: pictures.films.build,
            PREVIEW: pictures.watching.build,
            CHAT: chats.build,
            DESCRIBED: descriptions.build,
            COPIES: gallery.build,
        },
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


async def _links(around: Surroundings) -> Links:
    store = Store(around.database)
    await store.open()
    http = MatrixHttp(around.client.api, store.clock)
    return Links(
        store=store,
        http=http,
        encryption=Encryption(around.client),
        states=RoomStates(http, around.bot),
        worker=WorkerClient(around.address),
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
