"""The parts that make results: of requests by their kinds, and the content of what is sent by its family."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..chat.history import History
from ..chat.turn_delivery import Chats
from ..chat.typing_notice import Typing
from ..commands.drawn_by_chat import DrawnByChat
from ..commands.info import line_in
from ..commands.limits import Limits
from ..commands.permissions import Permissions
from ..commands.room_settings import RoomSettings
from ..outbox.queue import Outbox
from ..requests.active import Kind
from ..requests.active_requests import ActiveRequests
from ..requests.descriptions import Descriptions
from ..requests.gallery import Gallery
from ..requests.images import Pictures
from ..requests.input_images import Starts
from ..store.part_names import CHAT, COPIES, DESCRIBED, FILM, PICTURE, PREVIEW, SHEET
from ..store.rows import Part
from .surroundings import Links, Surroundings


@dataclass(frozen=True, kw_only=True)
class Makers:
    active: ActiveRequests
    kinds: Mapping[str, Kind]
    """By the kind of a request."""
    builders: Mapping[str, Callable[[Part], Awaitable[dict[str, Any]]]]
    """By the family of a part."""


def build(
    around: Surroundings,
    links: Links,
    outbox: Outbox,
    history: History,
    settings: RoomSettings,
    permissions: Permissions,
    limits: Limits,
) -> Makers:
    store, worker, http, encryption, values = links.store, links.worker, links.http, links.encryption, around.values
    active = ActiveRequests(store.clock, around.log)
    starts = Starts(http, encryption, worker)
    pictures = Pictures(store, worker, outbox, http, encryption, starts, values=values, offered=settings.offered)
    descriptions = Descriptions(store, worker, outbox, starts, around.prefix)
    typing = Typing(http, around.bot, active.worker, values)
    drawn = DrawnByChat(permissions, settings, limits, values, store)
    chats = Chats(
        store, worker, outbox, http, encryption, history, starts, active.worker, typing, values, drawn.request
    )  # fmt: skip
    gallery = Gallery(store, http, encryption, line_in, around.prefix)
    return Makers(
        active=active,
        kinds={"image": pictures, "chat": chats, "describe": descriptions},
        builders={
            PICTURE: pictures.build,
            SHEET: pictures.build,
            FILM: pictures.films.build,
            PREVIEW: pictures.watching.build,
            CHAT: chats.build,
            DESCRIBED: descriptions.build,
            COPIES: gallery.build,
        },
    )
