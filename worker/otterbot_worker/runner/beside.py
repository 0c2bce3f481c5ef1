"""Drawing a picture beside language models that stay on the card, and again without them where that does not work."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from ..errors import CROWDED, Cancelled, Details, JobFailed, ProcessDied
from ..gpu.messages import Draw, Drawn
from .lease import Card
from .sharing import Company, crowded

log = logging.getLogger(__name__)

TWICE = (
    "It was begun beside the chat model, memory ran out, and it was drawn again with the card to itself. From now on "
    "the two take turns."
)


async def draw(
    card: Card, task: Draw, company: Company, once: Callable[[Draw], Awaitable[Drawn]], interrupted: Callable[[], bool]
) -> Drawn:
    """Draws ``task`` with ``once``, beside ``company`` if it can be.

    :raises JobFailed: :raises Cancelled: :raises ProcessDied: as ``once`` :raises CardTaken:
    """
    try:
        drawn = await once(task.model_copy(update={"beside": company.on_card}))
    except JobFailed as error:
        if not company.models or error.code not in (CROWDED, "out_of_memory"):
            raise
        failed = error
    except ProcessDied as death:
        if death.reason != "stopped":
            # Some of what a full card does to a process ends it. The next attempt has the card to itself.
            await card.parted(task.model, company)
        raise
    else:
        await card.drew(task.model, company, drawn.peak)
        return drawn
    spent = failed.details.get("spent") is not False
    log.info("a picture wants the card alone", extra={"model": task.model, "spent": spent})
    why = crowded(task.model, company, _bytes(failed.details, "needed"), _bytes(failed.details, "free"))
    await card.alone(task.model, company, why, spent=spent)
    if interrupted():
        raise Cancelled
    drawn = await once(task)
    await card.drew(task.model, Company(), drawn.peak)
    return drawn.model_copy(update={"notes": [*drawn.notes, TWICE]}) if spent else drawn


def _bytes(details: Details, name: str) -> int | None:
    found = details.get(name)
    return found if isinstance(found, int) else None
