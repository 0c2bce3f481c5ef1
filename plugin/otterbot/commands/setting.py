"""What a setting of a room is: a row of the table in :mod:`.setting_rows`, which `!settings` shows and sets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .. import texts
from ..config import Values
from .command import Run
from .outcome import Unusable
from .services import Services

OPERATOR, MODEL_ITSELF, NOBODY = "operator", "model", "default"
"""Whose a value is that the room has not set: the instance's settings say it, the model that draws, or nobody."""
_ON = frozenset({"on", "yes", "true"})
_OFF = frozenset({"off", "no", "false"})
_BACK = frozenset({"default", "reset"})


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A value that somebody typed, understood."""

    stored: str | None
    """As it is kept; ``None``: back to the default."""
    said: str
    """What is answered once it is set."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    name: str
    """As it is typed and stored, in small letters."""
    title: str
    """What it is, for `!settings NAME`."""
    change: str
    """The command that changes it, without the prefix."""
    current: Callable[[Services, str], Awaitable[str]]
    """What holds in a room now, as Markdown of a few words."""
    read: Callable[[Services, str, str], Awaitable[Wanted]] | None = None
    """Understands a value typed in a room. Raises :class:`~.outcome.Unusable`; ``None``: see ``command``."""
    command: Run | None = None
    """What carries it out instead, for a setting that has a command of its own, which `change` names."""
    otherwise: Callable[[Values], str] = lambda values: NOBODY
    """Whose the value is where the room has not set it."""
    more: Callable[[Services, str, str], Awaitable[str]] | None = None
    """What else `!settings NAME` says to who asks, in a room; ``""``: nothing."""


def is_back(value: str) -> bool:
    """Does the value ask for the default again?"""
    return value.lower() in _BACK


def switch(
    name: str,
    title: str,
    *,
    default: Callable[[Values], bool],
    on: str,
    off: str,
    current: Callable[[Services, str], Awaitable[bool]] | None = None,
    otherwise: Callable[[Values], str] = lambda values: NOBODY,
) -> Setting:
    """A setting that is on or off. ``on`` and ``off`` are the sentences that are said once it is so; ``current`` is for
    one that is looked up in another way than the usual one."""

    async def is_on(services: Services, room: str) -> str:
        if current is not None:
            return texts.on_or_off(await current(services, room))
        return texts.on_or_off(await services.settings.is_on(room, name, default))

    async def read(services: Services, room: str, value: str) -> Wanted:
        word = value.lower()
        if word in _BACK:
            return Wanted(stored=None, said=on if default(services.config.current) else off)
        if word not in _ON | _OFF:
            raise Unusable(texts.switch_usage(name, services.config.current.prefix))
        return Wanted(stored="on" if word in _ON else "off", said=on if word in _ON else off)

    change = f"settings {name} on|off"
    return Setting(name=name, title=title, change=change, current=is_on, read=read, otherwise=otherwise)
