"""``!wildcards``: the files that words are drawn from by chance."""

from __future__ import annotations

from .. import texts
from ..errors import WorkerError, WorkerRefused, WorkerUnauthorized
from ..language.arguments import Intent
from ..language.message import Message
from .command import Command
from .outcome import Outcome, say
from .services import Services


async def list_wildcards(services: Services, message: Message, intent: Intent) -> Outcome:
    try:
        known = await services.worker.wildcards()
    except WorkerUnauthorized:
        return say(texts.WORKER_REFUSES_TOKEN)
    except WorkerRefused as refusal:
        return say(texts.WILDCARDS_UNKNOWN if refusal.status == 404 else texts.WILDCARDS_FAILED)
    except WorkerError:
        return say(texts.WILDCARDS_AWAY)
    return say(texts.wildcards(known, intent.text.strip("_"), services.config.current.prefix))


WILDCARDS = Command(
    name="wildcards",
    run=list_wildcards,
    usage=("wildcards", "what `__animal__` and its like are drawn from by chance"),
    topic=(
        "{!wildcards} lists the files that words are drawn from by chance, {!wildcards animal} those whose names hold "
        "that. {!draw otter, __animal__} draws a line of `animal.txt`. `{red|green} hat` needs no file."
    ),
    documented=(
        (
            "`!wildcards`, `!wildcards animal`",
            "the files that `__animal__` and its like are drawn from [by chance](#chance)",
        ),
    ),
)
