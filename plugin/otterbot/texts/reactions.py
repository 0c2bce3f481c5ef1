"""What is said about reactions, and to whom: the message replies to what they are on, so it names who reacted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..language.reaction import as_sent
from .escape import one_line, person, plain
from .info import MAX_LINE, block
from .jobs import typed
from .usage import command


def for_whom(text: str, emoji: str | None, sender: str) -> str:
    """``text`` as it is said to the person who asked with that reaction; unchanged, where it was a message."""
    return text if emoji is None else f"{as_sent(emoji)} {person(sender)}: {text}"


def drawn_for(emoji: str, sender: str) -> str:
    """Under a picture that somebody asked for with a reaction."""
    return f"{as_sent(emoji)} for {person(sender)}"


def offered(emojis: Sequence[str]) -> str:
    return " ".join(emojis) if emojis else "nothing"


def offer_set(emojis: Sequence[str]) -> str:
    if not emojis:
        return "From now on I offer nothing under the pictures of this room. The reactions work all the same."
    return f"From now on I offer {offered(emojis)} under the pictures of this room."


def offer_usage(unknown: str, known: Iterable[str], prefix: str) -> str:
    """``unknown``: one character of what was typed."""
    some = command(prefix, "settings offer 🔁 🎲")
    return (
        f"Nothing follows from {one_line(unknown, 8)} on a picture. I offer some of {' '.join(known)}, as in {some}, "
        f"or nothing: {command(prefix, 'settings offer off')}."
    )


KEPT = "It is kept. Deleting your message ends that."


def may_not_delete(level: int) -> str:
    return f"Only who asked for a picture, and people with power level {level} or more (moderators), delete it."


def delete_needs_a_reply(prefix: str) -> str:
    return f"Reply with {command(prefix, 'delete')} to the picture that is to go."


NOT_KEPT_OF_ENCRYPTED = (
    "It stays in this room, which is encrypted: of such rooms the worker keeps no copies. Who runs it can change that "
    "(`archive.encrypted_rooms`)."
)
NOT_IN_THE_GALLERY = (
    "It is not copied into the gallery: I am not in that room. Who runs me can invite me there, or change "
    "`gallery_room`."
)
GALLERY_IS_PLAIN = "It is not copied into the gallery: this room is encrypted, and that one is not."


def gallery(caption: str, credit: str, line: str | None, prefix: str, *, reply: bool, sheet: bool = False) -> str:
    """Under a copy. ``credit``: the name of who asked for it, ``""`` if that is not known; ``reply``: the line is a
    reply to the picture that it began with; ``sheet``: it makes the first picture of several."""
    whose = f"Drawn for {plain(credit, 60)}." if credit else ""
    if line is None or len(line) > MAX_LINE:
        made = ""
    elif reply:
        made = f"As a reply to the picture that it began with:\n\n{block(typed(prefix, line))}"
    else:
        made = block(typed(prefix, line))
    if made and sheet:
        made = f"Its first picture:\n\n{made}"
    return "\n\n".join(part for part in (caption, whose, made) if part)
