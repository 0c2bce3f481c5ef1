"""What is said about reactions, and to whom: the message replies to what they are on, so it names who reacted."""

from __future__ import annotations

from .escape import person


def for_whom(text: str, emoji: str | None, sender: str) -> str:
    """``text`` as it is said to the person who asked with that reaction; unchanged, where it was a message."""
    return text if emoji is None else f"{emoji} {person(sender)}: {text}"


def drawn_for(emoji: str, sender: str) -> str:
    """Under a picture that somebody asked for with a reaction."""
    return f"{emoji} for {person(sender)}"
