"""Settings of a room about how much may be asked for: a room can only tighten what the operator allows."""

from __future__ import annotations

from .. import texts
from ..language.option_kinds import BadValue, Whole
from ..language.option_table import COUNT, SWEEP_PICTURES
from .outcome import Unusable
from .room_defaults import A_DAY, COUNT_MAX, PER_DAY, SWEEP_MAX
from .services import Services
from .setting import OPERATOR, Setting, Wanted, is_back


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


async def _count_max(services: Services, room: str) -> str:
    own, most = (await services.settings.defaults(room)).count_max, services.config.current.limits.count
    return str(most if own is None else min(own, most))


async def _read_count_max(services: Services, room: str, text: str) -> Wanted:
    most = services.config.current.limits.count
    if is_back(text):
        return Wanted(stored=None, said=texts.count_max_set(most))
    number = _number(services, COUNT_MAX, text, COUNT, most)
    return Wanted(stored=str(number), said=texts.count_max_set(number))


async def _sweep_max(services: Services, room: str) -> str:
    own, most = (await services.settings.defaults(room)).sweep_max, services.config.current.limits.sweep
    return str(most if own is None else min(own, most))


async def _read_sweep_max(services: Services, room: str, text: str) -> Wanted:
    most = services.config.current.limits.sweep
    if is_back(text):
        return Wanted(stored=None, said=texts.sweep_max_set(most))
    number = _number(services, SWEEP_MAX, text, SWEEP_PICTURES, most)
    return Wanted(stored=str(number), said=texts.sweep_max_set(number))


async def _per_day(services: Services, room: str) -> str:
    own, most = (await services.settings.defaults(room)).per_day, services.config.current.limits.person.per_day
    here = [one for one in (own, most) if one is not None]
    return str(min(here)) if here else "no limit"


async def _read_per_day(services: Services, room: str, text: str) -> Wanted:
    most = services.config.current.limits.person.per_day
    if is_back(text):
        return Wanted(stored=None, said=texts.per_day_set(most))
    number = _number(services, PER_DAY, text, A_DAY, most)
    return Wanted(stored=str(number), said=texts.per_day_set(number))


async def _left(services: Services, room: str, sender: str) -> str:
    """What is left for who asks."""
    quotas = await services.limits.of(room, sender, "image")
    daily = [quota for quota in quotas if quota.per_day is not None]
    return "\n".join([f"- {texts.quota_left(await services.store.used(quota), quota)}" for quota in daily])


LIMIT_ROWS = (
    Setting(
        name=COUNT_MAX,
        title="Pictures of one request, at most",
        change="settings count_max 4",
        current=_count_max,
        read=_read_count_max,
        otherwise=lambda values: OPERATOR,
    ),
    Setting(
        name=SWEEP_MAX,
        title="Pictures of a sweep, at most",
        change="settings sweep_max 9",
        current=_sweep_max,
        read=_read_sweep_max,
        otherwise=lambda values: OPERATOR,
    ),
    Setting(
        name=PER_DAY,
        title="Pictures of one person in 24 hours, at most",
        change="settings per_day 20",
        current=_per_day,
        read=_read_per_day,
        otherwise=lambda values: OPERATOR,
        more=_left,
    ),
)
