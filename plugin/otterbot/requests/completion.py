"""What is put into the room when a request ends, beside its result."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .. import texts
from ..matrix import event_content
from ..outbox.sender import NO_ENCRYPTION
from ..outbox.sends import Outbox
from ..store.rows import Kind, Part, PartState, Rank, Request
from ..store.store import Store
from .active import Ending

REPLACED = "replaced"
"""The outcome of a request whose message was edited: another request takes its place."""


def part(request: Request, name: str, kind: Kind, rank: Rank, content: dict[str, Any]) -> Part:
    return Part(key=request.key, part=name, room_id=request.room_id, kind=kind, rank=rank, content=content)


def unsend(request: Request, sent: Part) -> Part:
    """The redaction of a result that nobody wants any more; it waits until the result stands in the room."""
    redaction = part(request, f"unsend/{sent.part}", Kind.REDACTION, Rank.REFUSAL, {"of": sent.part})
    return replace(redaction, room_id=sent.room_id)


async def closing(store: Store, outbox: Outbox, request: Request, ending: Ending) -> list[Part]:
    """The reaction at the end, the ⏳ taken away, the status message made one short line."""
    standing = await store.parts_of(request.key)
    parts: list[Part] = []
    if ending.outcome != REPLACED:
        emoji = texts.DONE if ending.well else texts.FAILED
        reaction = event_content.reaction(request.key, "done", request.event_id, emoji)
        done = part(request, "done", Kind.REACTION, Rank.REACTION, reaction)
        parts.append(replace(done, room_id=request.origin))
    if "ack" in standing and not await _taken_back(outbox, standing["ack"]):
        unack = part(request, "unack", Kind.REDACTION, Rank.REACTION, {"of": "ack"})
        parts.append(replace(unack, room_id=standing["ack"].room_id))
    outbox.drop_edit(request.key, "status/edit")
    if "status" in standing and not await _taken_back(outbox, standing["status"]):
        content = await event_content.notice(ending.line, request.key, "status/final", None)
        inner = {"of": "status", "content": content}
        final = part(request, "status/final", Kind.EDIT, Rank.EDIT, inner)
        parts.append(replace(final, room_id=standing["status"].room_id))
    return parts


async def _taken_back(outbox: Outbox, standing: Part) -> bool:
    if standing.state in (PartState.FAILED, PartState.DROPPED):
        return True
    return standing.state is PartState.READY and await outbox.withdraw(*standing.id)


def no_encryption(unsent: Part, request: Request | None) -> Part:
    """The fixed sentence, in the clear, instead of anything that holds somebody's words."""
    content: dict[str, Any] = {
        "msgtype": "m.notice",
        "body": texts.NO_ENCRYPTION,
        "m.mentions": {},
        event_content.OUR_KEY: event_content.ours(unsent.key, NO_ENCRYPTION),
    }
    if request is not None:
        content |= event_content.related(request)
    return Part(key=unsent.key, part=NO_ENCRYPTION, room_id=unsent.room_id, content=content)
