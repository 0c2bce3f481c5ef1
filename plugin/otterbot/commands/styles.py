"""``!styles``: what pictures can look like, by pages, or those with a word in their names or lines."""

from __future__ import annotations

import re

from .. import texts
from ..errors import WorkerUnauthorized
from ..language.arguments import Intent
from ..language.message import Message
from .command import Command
from .known_styles import KnownStyles, known_styles
from .outcome import Outcome, say
from .services import Services

PAGE = 12
"""Styles of one page: what a phone shows without much scrolling."""
_NUMBER = re.compile(r"[0-9]{1,4}", re.ASCII)


async def list_styles(services: Services, message: Message, intent: Intent) -> Outcome:
    prefix, word = services.config.current.prefix, intent.text.strip("`\"' ")
    try:
        known = await known_styles(services, message.room_id)
    except WorkerUnauthorized:
        return say(texts.WORKER_REFUSES_TOKEN)
    absent = texts.STYLES_OLD if known.old else texts.STYLES_AWAY if not known.whole else ""
    if not known.styles:
        return say(absent or texts.NO_STYLES)
    if not word or _NUMBER.fullmatch(word):
        usual = await services.settings.usual_styles(message.room_id)
        return say("\n\n".join(part for part in (_page(known, int(word or 1), usual, prefix), absent) if part))
    found = known.matching(word)
    if not found:
        return say("\n\n".join(part for part in (texts.no_style_with(word, known.near(word), prefix), absent) if part))
    return say(texts.styles_with(word, found, prefix))


def _page(known: KnownStyles, page: int, usual: str | None, prefix: str) -> str:
    pages = -(-len(known.styles) // PAGE)
    page = min(max(page, 1), pages)
    shown = known.styles[(page - 1) * PAGE : page * PAGE]
    first = page == 1
    return texts.styles_page(
        shown, page, pages, prefix, usual=usual if first else None, problems=known.problems if first else ()
    )


STYLES = Command(
    name="styles",
    run=list_styles,
    usage=("styles", "what pictures can look like: watercolor, pixel-art, claymation …"),
    topic=(
        "{!styles} lists what pictures can look like, {!styles 2} goes on, {!styles paint} shows those with that word "
        "in their names or lines. {!draw otter --style watercolor} draws in one; several go in order: "
        "{!draw otter --style watercolor,backlit}."
    ),
    documented=(
        ("`!styles`, `!styles 2`", "what pictures can look like, a line each, by pages"),
        ("`!styles WORD`", "those with that word in their names or lines"),
    ),
)
