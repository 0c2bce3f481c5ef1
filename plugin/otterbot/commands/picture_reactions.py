"""What follows from reactions on a picture of the bot's: drawn again, varied, upscaled, for the person who reacted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from .. import texts
from ..errors import MatrixError, Unanswered
from ..language.message import thread_of
from ..language.option_values import FACTORS
from ..language.options import DrawOptions
from . import again_request, choose
from .context import Circumstances, circumstances
from .found import Found, found_in
from .outcome import NewRequest, Outcome, Reply, Unusable
from .picture_request import new_seed
from .reacted import Reacted
from .services import Services
from .swept import read_swept

How = Callable[[Found, Circumstances, str], NewRequest]
"""The request that is made of a picture, what holds in its room, and the event that shows it."""


class Several(Unusable):
    """A sheet of several pictures, where one is needed."""


async def again(services: Services, reacted: Reacted) -> Outcome | None:
    """As `!again` alone; of a sheet, all of it."""

    def how(found: Found, around: Circumstances, event: str) -> NewRequest:
        once_more: Callable[..., NewRequest] = again_request.again
        if found.sheet is not None and found.sheet.swept and read_swept(found.sweep) is None:
            raise Several(texts.which_by_number("again", around.values.prefix))
        if found.sheet is not None:
            once_more = partial(again_request.whole, fields=len(found.sheet.fields), sweep=found.sweep)
        return once_more(DrawOptions(), found.record, around, new_seed=new_seed(), other=new_seed(), start=found.start)

    return await _drawn(services, reacted, how)


async def varied(services: Services, reacted: Reacted) -> Outcome | None:
    """As `!vary` alone."""

    def how(found: Found, around: Circumstances, event: str) -> NewRequest:
        one = _one_picture("vary", found, around)
        return again_request.varied(
            DrawOptions(), one.record, around, new_seed=new_seed(), other=new_seed(), start=one.start
        )

    return await _drawn(services, reacted, how)


async def upscaled(services: Services, reacted: Reacted) -> Outcome | None:
    """As `!upscale` alone."""
    twice = DrawOptions(upscale=FACTORS[0])

    def how(found: Found, around: Circumstances, event: str) -> NewRequest:
        one = _one_picture("upscale", found, around)
        if found.sheet is not None:
            return choose.upscaled(twice, one, around)
        return again_request.upscaled(twice, one.record, around, new_seed=new_seed(), other=new_seed(), start=event)

    return await _drawn(services, reacted, how)


def _one_picture(command: str, found: Found, around: Circumstances) -> Found:
    """Raises :class:`Several` where it is a sheet of several: a reaction says nothing of which."""
    if found.sheet is None:
        return found
    if (one := choose.only_one(found)) is None:
        raise Several(texts.which_by_number(command, around.values.prefix))
    return one


async def _drawn(services: Services, reacted: Reacted, how: How) -> Outcome | None:
    """The request, in the thread of the picture, or the sentence why there can be none."""
    if reacted.event is None:
        return None
    thread = thread_of(reacted.event)
    found = found_in(services, reacted.event)
    if found is None:
        return Outcome(reply=Reply(text=texts.record_unusable(services.config.current.prefix), thread=thread))
    try:
        request = how(found, await circumstances(services, reacted.room), reacted.reaction.target)
    except Unusable as refusal:
        return Outcome(reply=Reply(text=str(refusal), thread=thread, once=isinstance(refusal, Several)))
    except MatrixError as error:
        raise Unanswered(type(error).__name__, sentence=texts.PICTURE_AWAY) from None
    return Outcome(request=replace(request, thread=thread))
