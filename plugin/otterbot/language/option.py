"""A row of the table of options: how one is typed, read, recorded and explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .option_kinds import BadValue, Kind, NeverTyped, Several
from .problems import Refused

DRAWN = frozenset({"draw", "again", "vary"})
"""Commands that draw another picture."""
ANY = DRAWN | {"upscale"}


@dataclass(frozen=True, kw_only=True)
class Option:
    """One row of the table."""

    name: str
    """The flag, without its dashes."""
    kind: Kind
    """How its value is read and written, and its bounds."""
    fields: tuple[str, ...]
    """What it fills in :class:`~.options.DrawOptions`."""
    aliases: tuple[str, ...] = ()
    """Not offered to those who mistyped something: too near to words after a dash of prose."""
    meant: tuple[str, ...] = ()
    """Other programs' names for it: no flags here, but answered with this one."""
    word: bool = False
    """Its beginnings are words as well (``in`` of ``inpaint``)."""
    flag: bool = True
    """``False``: not typed as a flag."""
    commands: frozenset[str] = ANY
    """Which commands take it."""
    sent: bool = True
    """``False``: the worker does not know it as an option; without a picture, or alone, it says nothing."""
    recorded: bool = True
    """Whether `!again` reads it from a picture's record."""
    label: str = ""
    """What `!info` calls it; ``""``: `!info` has other words for it, or none."""
    example: str = ""
    gives: str = ""
    """Its line in `!help draw`: an example, and what it does. Without an example it has none."""
    takes: str = ""
    does: str = ""
    """Its row in ``docs/commands.md``."""
    wants: str = ""
    """What is said to a value that it does not take; ``{!models}`` is a command as it is typed in that room."""

    def read(self, text: str, before: Any = None) -> dict[str, Any]:
        """The fields for a typed value, beside one that was typed ``before`` where several count. Raises
        :class:`Refused`."""
        try:
            value = self.kind.typed(text)
            if before is not None and isinstance(self.kind, Several):
                value = self.kind.together(before, value)
            return self._filled(value)
        except BadValue as bad:
            raise Refused(bad.code, self.name) from None

    def read_record(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """The fields for what stands in a record. Raises :class:`NeverTyped`."""
        values = [data.get(name) for name in self.fields]
        if all(value is None for value in values):
            return {}
        if None in values:
            raise NeverTyped
        return self._filled(self.kind.recorded(values if len(values) > 1 else values[0]))

    def value(self, options: object) -> Any:
        """Its value in :class:`~.options.DrawOptions`; ``None`` if there is none."""
        values = [getattr(options, name) for name in self.fields]
        return None if None in values else tuple(values) if len(values) > 1 else values[0]

    def _filled(self, value: Any) -> dict[str, Any]:
        return dict(zip(self.fields, value if len(self.fields) > 1 else (value,), strict=True))
