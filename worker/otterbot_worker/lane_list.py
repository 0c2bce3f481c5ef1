"""``otterbot-worker lanes``: a line for each card of the running worker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def lines(info: Mapping[str, Any]) -> Iterator[str]:
    """``info``: what ``GET /v1/info`` answers."""
    width = max(len(lane["name"]) for lane in info["lanes"])
    for lane in info["lanes"]:
        yield f"{lane['name']:<{width}}  {lane['gpu']['name'] or lane['gpu']['device']}: {_doing(info, lane)}"


def _doing(info: Mapping[str, Any], lane: Mapping[str, Any]) -> str:
    if info["pause"]["paused"] or lane["paused"]:
        return "paused"
    if lane["rests"]:
        return f"rests for a while. {lane['rests']}"
    loaded = f", {lane['gpu']['resident']} is loaded" if lane["gpu"]["resident"] else ""
    return ("at work" if lane["busy"] else "waits for work") + loaded
