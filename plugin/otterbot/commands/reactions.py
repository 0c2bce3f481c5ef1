"""The one table of reactions: which emoji, on what, and what follows.

Of any other emoji, of one on anything else, and of one by somebody who may not, nothing follows: people also react to
say what they think.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from ..language.reaction import NUMBERS, Reaction
from . import answer_reactions, choose, deletion, describe, picture_reactions
from .keep import keep
from .outcome import Outcome
from .picture_owner import is_owner_or_moderator
from .reacted import On, Reacted, look
from .services import Services

AGAIN = frozenset("🔁")
VARY = frozenset("🎲")
UPSCALE = frozenset("⬆")
KEEP = frozenset("⭐")
DELETE = frozenset("❌")
STOP = DELETE | frozenset("🛑")
SUCCEEDED = "succeeded"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table."""

    emoji: frozenset[str]
    """As :func:`~..language.reaction.plain` has them."""
    on: On
    follows: Callable[[Services, Reacted], Awaitable[Outcome | None]]
    """Reads and decides, as commands do; ``None``: nothing follows."""
    for_all: bool = False
    """For everybody who may use the bot. Else for who made the request, and for moderators (`power.cancel_others`)."""


async def _stop(services: Services, reacted: Reacted) -> Outcome | None:
    return None if reacted.request is None else Outcome(cancel=(reacted.request.key,))


TABLE = (
    Row(emoji=STOP, on=On.REQUEST, follows=_stop),
    Row(emoji=AGAIN, on=On.ANSWER, follows=answer_reactions.once_more),
    Row(emoji=DELETE, on=On.ANSWER, follows=deletion.delete_answer),
    Row(emoji=AGAIN, on=On.PICTURE, follows=picture_reactions.again, for_all=True),
    Row(emoji=VARY, on=On.PICTURE, follows=picture_reactions.varied, for_all=True),
    Row(emoji=UPSCALE, on=On.PICTURE, follows=picture_reactions.upscaled, for_all=True),
    Row(emoji=AGAIN, on=On.SHEET, follows=picture_reactions.again, for_all=True),
    Row(emoji=VARY, on=On.SHEET, follows=picture_reactions.varied, for_all=True),
    Row(emoji=UPSCALE, on=On.SHEET, follows=picture_reactions.upscaled, for_all=True),
    Row(emoji=KEEP, on=On.SHEET, follows=keep, for_all=True),
    Row(emoji=NUMBERS, on=On.SHEET, follows=choose.reacted, for_all=True),
    Row(emoji=DELETE, on=On.SHEET, follows=deletion.delete_picture),
    Row(emoji=DELETE, on=On.PICTURE, follows=deletion.delete_picture),
    Row(emoji=KEEP, on=On.PICTURE, follows=keep, for_all=True),
    Row(emoji=NUMBERS, on=On.DESCRIPTION, follows=describe.draw_reacted, for_all=True),
)


async def react(services: Services, reaction: Reaction) -> Outcome | None:
    """``None``: it is no emoji of the table. An empty outcome: nothing follows, now and whenever it is heard again.

    Raises a :class:`~..errors.MatrixError` where the homeserver does not say what stands there, or who may what.
    """
    rows = {row.on: row for row in TABLE if reaction.emoji in row.emoji}
    return (await _follows(services, reaction, rows) or Outcome()) if rows else None


async def _follows(services: Services, reaction: Reaction, rows: Mapping[On, Row]) -> Outcome | None:
    if not services.permissions.may_use(reaction.sender) or await _counted(services, reaction):
        return None
    reacted = await look(services, reaction, rows.keys())
    if reacted is None:
        return None
    row = rows[reacted.on]
    return (
        await row.follows(services, reacted) if row.for_all or await is_owner_or_moderator(services, reacted) else None
    )


async def _counted(services: Services, reaction: Reaction) -> bool:
    """Whether this person's emoji on that message has led to a request that was, or will be, answered with a result:
    it counts once, also where it is taken back and given again."""
    before = await services.store.request_by_reaction(reaction.target, reaction.sender, reaction.emoji)
    return before is not None and (before.open or before.outcome == SUCCEEDED)
