"""Sentences about upgraded rooms, and about rooms in which the bot could not speak for a while."""

from __future__ import annotations

from collections.abc import Mapping

from .escape import code, person
from .jobs import count_of


def settings_came_along(settings: Mapping[str, str], styles: int = 0) -> str:
    """In place of the greeting, in a room that replaces another. ``styles``: how many of its own it had."""
    said = [_one(name, value) for name, value in settings.items()]
    said += [f"its {count_of(styles, 'style', 'styles')}"] if styles else []
    return f"What was set in the room before this one holds here, too: {', '.join(said) or 'its settings'}."


def _one(name: str, value: str) -> str:
    match name:
        case "safe":
            return f"safe mode {value}"
        case "persona":
            return "the persona"
        case "chat":
            return f"chat model {code(value)}"
        case "negative":
            return "the negative prompt"
        case "per_day":
            return f"{code(value)} pictures a day for one person"
        case "count_max":
            return f"at most {count_of(int(value), 'picture', 'pictures')} at once" if value.isdigit() else name
    return f"{name.replace('_', ' ')} {code(value)}"


BEFORE_UNKNOWN = "I could not look up what was set in the room before this one. Please try again in a moment."
GOES_ON_ELSEWHERE = "➡️ This goes on in the room that replaces this one."
NOT_ENCRYPTED_ANY_MORE = (
    "❌ This was asked for in the room before, which was encrypted. This room is not, so I bring nothing over. "
    "Please ask again."
)
BANNED_MEANWHILE = "❌ I was banned from this room, so I stopped working on this. Please ask again."


def asked_in_the_room_before(sender: str) -> str:
    """With what comes into a room that replaces the one in which it was asked for: a reply cannot reach there."""
    return f"For {person(sender)}, asked for in the room before this one."


def could_not_speak(hours: float) -> str:
    """The request ended while the bot could send nothing into its room."""
    return (
        f"❌ I could not write in this room for {count_of(max(1, round(hours)), 'hour', 'hours')}, so I gave this up. "
        "Please ask again."
    )
