"""Settings of a room about how much may be asked for: a room can only tighten what the operator allows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from .. import texts
from ..config import Values
from ..language.option_kinds import BadValue, Whole
from ..language.option_table import COUNT, SWEEP_PICTURES
from .outcome import Unusable
from .room_defaults import A_DAY, COUNT_MAX, PER_DAY, SWEEP_MAX
from .services import Services
from .setting import OPERATOR, Setting, Wanted, is_back

Most = TypeVar("Most", bound=int | None)


def _number(services: Services, name: str, text: str, kind: Whole, most: int | None) -> int:
    """What was typed, within what the operator allows. Raises :class:`~.outcome.Unusable`."""
    allowed = kind.most if most is None else min(kind.most, most)
    try:
        number = kind.typed(text)
    except BadValue:
        number = 0
    if not kind.least <= number <= allowed:
        raise Unusable(texts.room_only_tightens(f"settings {name}", allowed, services.config.current.prefix))
    return number


def _row(
    name: str,
    title: str,
    example: int,
    kind: Whole,
    *,
    most: Callable[[Values], Most],
    said: Callable[[Most | int], str],
    more: Callable[[Services, str, str], Awaitable[str]] | None = None,
) -> Setting:
    """``most``: what the operator allows, ``None`` where that has no end; ``said``: the sentence for what holds once it
    is set. ``name`` is also that of the room's own value in its defaults."""

    async def current(services: Services, room: str) -> str:
        own, allowed = getattr(await services.settings.defaults(room), name), most(services.config.current)
        here = [one for one in (own, allowed) if one is not None]
        return str(min(here)) if here else "no limit"

    async def read(services: Services, room: str, text: str) -> Wanted:
        allowed = most(services.config.current)
        if is_back(text):
            return Wanted(stored=None, said=said(allowed))
        number = _number(services, name, text, kind, allowed)
        return Wanted(stored=str(number), said=said(number))

    return Setting(
        name=name,
        title=title,
        change=f"settings {name} {example}",
        current=current,
        read=read,
        otherwise=lambda values: OPERATOR,
        more=more,
    )


async def _left(services: Services, room: str, sender: str) -> str:
    """What is left for who asks."""
    quotas = await services.limits.of(room, sender, "image")
    daily = [quota for quota in quotas if quota.per_day is not None]
    return "\n".join([f"- {texts.quota_left(await services.store.used(quota), quota)}" for quota in daily])


LIMIT_ROWS = (
    _row(
        COUNT_MAX, "Pictures of one request, at most", 4, COUNT,
        most=lambda values: values.limits.count, said=texts.count_max_set,
    ),
    _row(
        SWEEP_MAX, "Pictures of a sweep, at most", 9, SWEEP_PICTURES,
        most=lambda values: values.limits.sweep, said=texts.sweep_max_set,
    ),
    _row(
        PER_DAY, "Pictures of one person in 24 hours, at most", 20, A_DAY,
        most=lambda values: values.limits.person.per_day, said=texts.per_day_set, more=_left,
    ),
)  # fmt: skip
