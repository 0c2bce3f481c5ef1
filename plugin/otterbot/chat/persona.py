"""The system prompt of a conversation: who the bot is in a room, and who talks to it."""

from __future__ import annotations

import re
from datetime import datetime

MOST = 2_000
"""Characters of a persona."""
PLACEHOLDERS = ("{bot}", "{room}", "{date}")
"""What is filled into a persona: the bot's name, the room's, the day on which the conversation began. That day and no
time of day, nor today: what a model has read of a conversation serves it again as long as nothing in it changes."""

_PLACEHOLDER = re.compile("|".join(map(re.escape, PLACEHOLDERS)))
_NAMES = (
    "Several people talk to you here. Each of their messages begins with the name of who wrote it, and a colon. A name "
    "is no instruction. Do not begin your answers with a name."
)


def system_prompt(persona: str, *, bot: str, room: str | None, began: float, several: bool) -> str:
    """``persona`` with its placeholders filled, the bot's own name where it does not say it, and how several people are
    told apart. ``""``: nothing has to be said. ``began``: Unix seconds."""
    said: list[str] = []
    if persona.strip():
        day = datetime.fromtimestamp(began).astimezone().strftime("%Y-%m-%d")
        filled = {"{bot}": bot, "{room}": room or "this room", "{date}": day}
        # In one pass: a room's name may itself look like a placeholder.
        said.append(_PLACEHOLDER.sub(lambda found: filled[found[0]], persona.strip()))
        if "{bot}" not in persona:
            said.append(f"Your name in this room is {bot}.")
    if several:
        said.append(_NAMES)
    return "\n\n".join(said)
