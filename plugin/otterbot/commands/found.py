"""What was found of a picture of ours: its record, and what else its event says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..language.message import event_id_in
from ..matrix.event_content import OUR_KEY
from ..requests.sheet_fields import SheetIn, sheet_in
from ..requests.start_places import start_event
from ..requests.sweep_told import sweep_told
from ..store.rows import Request
from .picture_event import record_of
from .services import Services


@dataclass(frozen=True, kw_only=True)
class Found:
    """A picture's record (untrusted), and the event of its init image, if the bot's own event names it."""

    record: Mapping[str, Any]
    start: str | None = None
    event: str | None = None
    """Its own event, where it is the room's last picture."""
    ours: bool = False
    """Whether the record comes from an event of the bot."""
    sheet: SheetIn | None = None
    """Of a contact sheet: its fields; ``record`` is that of the first picture on it."""
    sweep: Any = None
    """Of a sweep's sheet, or of one that is not drawn yet: what is said of all of it (untrusted)."""
    image: str | None = None
    """The picture's id at the worker, where it was chosen from a sheet."""
    layers: Sequence[Mapping[str, Any]] | None = None
    """The layers of a request that is not drawn yet, so that they are not resolved."""


def not_drawn_yet(request: Request) -> Found:
    """What is not drawn yet, in the form of a record. What it starts from stays in the room where it was asked for."""
    start = None if request.moved else start_event(request.body)
    used, layers = request.resolved, None
    if used is None:
        used, layers = request.body, (request.body or {}).get("layers")
    elif isinstance(upscale := used.get("upscale"), Mapping):
        used = {**used, "upscale": upscale.get("factor")}
    sweep = sweep_told(request.body).get("sweep")
    if sweep is not None and used is not None:
        used = {**used, "count": 1}  # of each field
    return Found(record={"used": used, "asked": request.asked}, start=start, layers=layers, sweep=sweep)


def found_in(services: Services, event: Mapping[str, Any] | None) -> Found | None:
    """The record in a picture's event. Only the bot's own events may name an init image."""
    record = record_of(event)
    if record is None or event is None:
        return None
    ours = event.get("sender") == services.client.mxid
    start = event["content"][OUR_KEY].get("start") if ours else None
    sheet = sheet_in(event)
    sweep = None if sheet is None else event["content"][OUR_KEY].get("sweep")
    return Found(record=record, start=event_id_in(start), ours=ours, sheet=sheet, sweep=sweep)
