"""What a command is. Each is a module of this package with its :class:`Command`; :mod:`.registry` lists them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from .. import texts
from ..config import Values
from ..language.arguments import Intent, Reader, plain
from ..language.intents import Syntax
from ..language.message import Message
from .outcome import Outcome, refuse
from .services import Services

Run = Callable[[Services, Message, Intent], Awaitable[Outcome]]


@dataclass(frozen=True, kw_only=True)
class Command:
    """In its texts ``{!draw}`` is a command as it is typed in that room, by whatever prefix."""

    name: str
    run: Run
    """Reads and decides; sends nothing (see :mod:`.outcome`)."""
    reads: Reader = plain
    """What may stand behind it."""
    aliases: tuple[str, ...] = ()
    meant: tuple[str, ...] = ()
    """Other programs' names for it: no commands here, but answered with this one where nobody else is in the room."""
    power: Literal["set_model", "settings", "cancel_others"] | None = None
    """The setting of ``power:`` with the level that its stronger form needs (to set the model, not to show it)."""
    usage: tuple[str, str]
    """Its line in `!help`: an example, and what it gives."""
    topic: str
    """What `!help` says about it alone."""
    documented: tuple[tuple[str, str], ...]
    """Its rows in ``docs/commands.md``: what is typed, and what comes."""
    stray: str = ""
    """What is said to words that it does not take."""
    chats: bool = False
    """`!help` leaves it out where chat is off."""

    @property
    def syntax(self) -> Syntax:
        return Syntax(name=self.name, read=self.reads, aliases=self.aliases)

    def level(self, values: Values) -> int:
        """The power level that its stronger form needs."""
        return int(getattr(values.power, self.power)) if self.power is not None else 0

    def refuse(self, services: Services, intent: Intent) -> Outcome | None:
        """What is wrong with how it was typed, if anything is."""
        if intent.problem is None:
            return None
        prefix = services.config.current.prefix
        return refuse(texts.usage_problem(intent.problem, prefix, stray=self.stray))
