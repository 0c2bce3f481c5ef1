"""What stands in the room at the end, read from the homeserver and printed."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from lab.events import Ev
from lab.timeline import timeline

from .blocks import render
from .house import House
from .screen import Screen

INDENT = " " * 14


async def show_room(house: House, screen: Screen, saved: dict[str, Path], *, since: str) -> None:
    """Everything from the event ``since`` on: who said what, pictures, reactions; edits in their last form."""
    events = await timeline(house.visitor, house.room)
    ids = [event.event_id for event in events]
    events = events[ids.index(since) :] if since in ids else events
    latest: dict[str, Ev] = {}
    reactions: dict[str, list[str]] = defaultdict(list)
    for event in events:
        if event.edits:
            latest[event.edits] = event
        elif event.reaction:
            reactions[str(event.relates["event_id"])].append(event.reaction)
    screen.title("What stands in the room")
    screen.say(screen.paint(f"  read back from the homeserver and decrypted: {house.room}", "dim"))
    for event in events:
        if event.type == "m.room.message" and not event.edits:
            screen.say()
            _show(event, latest.get(event.event_id, event), reactions[event.event_id], screen, saved)


def show_picture(path: Path, screen: Screen) -> None:
    """A small rendering, where the terminal has the colours for it."""
    if screen.colours:
        for line in render(path.read_bytes(), columns=min(48, screen.width - 16), colours=screen.colours):
            screen.say(INDENT + line)


def _show(event: Ev, latest: Ev, reactions: list[str], screen: Screen, saved: dict[str, Path]) -> None:
    name = event.sender[1:].partition(":")[0]
    styles = ("cyan", "bold") if name == "otterbot" else ("magenta", "bold")
    head = f"  {screen.paint(f'{name:10}', *styles)}  "
    if event.msgtype == "m.image":
        info = event.content.get("info", {})
        lock = ", encrypted" if "file" in event.content else ""
        kind = f"a picture, {info.get('w')}×{info.get('h')}, {info.get('size', 0) / 1000:.0f} kB{lock}"
        screen.say(head + screen.paint(kind, "dim"))
        path = saved.get(event.event_id)
        if path is not None:
            show_picture(path, screen)
        screen.wrapped(event.body, INDENT)
        if path is not None:
            screen.say(INDENT + screen.paint("saved as ", "dim") + screen.paint(str(path), "bold"))
    else:
        screen.wrapped(str(latest.new_content.get("body") or ""), INDENT, head=head)
    if reactions:
        screen.say(INDENT + "  ".join(reactions))
