"""What is said about pictures that are described."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .escape import plain
from .jobs import plain_sentence
from .usage import command

if TYPE_CHECKING:
    from ..worker.jobs import Described

CANNOT_DESCRIBE = (
    "Nothing on the worker sees pictures, so I cannot describe one. The operator can install a chat model that sees "
    "them (with Ollama: `ollama pull llava:7b`), or allow the worker to fetch its captioner (`images.downloads`), or "
    "put one into its folder `captioner`."
)
DESCRIBE_OLD_WORKER = "The worker is too old to describe pictures. The operator has to update it."
DESCRIPTION_FORGOTTEN = (
    "❌ The description was ready while I was away, and the worker has forgotten it. Please ask again."
)
DESCRIPTION_NOT_POSTED = "❌ The homeserver did not take the description."
MOST = 320
"""Characters of a line; the worker sends fewer."""


def description(found: Described, prefix: str) -> str:
    """The alt text, what may be drawn by number, and how."""
    lines = "\n".join(f"{number}. {plain(prompt, MOST)}" for number, prompt in enumerate(found.prompts, start=1))
    keys = " ".join(f"{number}\ufe0f\u20e3" for number in range(1, len(found.prompts) + 1))
    how = f"Reply with a number, or react with {keys}, and I draw it."
    notes = [plain_sentence(note) for note in found.notes]
    return "\n\n".join((plain(found.alt, MOST), lines, " ".join((how, *notes))))


def alt_text(alt: str) -> str:
    """At the beginning of the caption of a picture of ours."""
    return f"🖼️ {plain(alt, MOST)}"


ALT_ON = (
    "Each picture for this room begins its caption with what it shows, for people who do not see it, as the worker's "
    "captioner says. That takes some seconds more."
)
ALT_OFF = "Pictures for this room come without a description; `!describe` makes one."


def alt_usage(prefix: str) -> str:
    return f"That can be {command(prefix, 'settings alt describe')} or {command(prefix, 'settings alt off')}."


def no_such_prompt(count: int) -> str:
    return f"There is no such line: reply with a number from 1 to {count}." if count > 1 else "There is only line 1."


def describe_needs_a_picture(prefix: str) -> str:
    return (
        f"That is no picture that I could describe. Reply to one with {command(prefix, 'describe')}, or write the "
        "command as the caption of one."
    )
