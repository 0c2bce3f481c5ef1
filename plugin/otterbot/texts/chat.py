"""What is said about chats, beside the answers themselves."""

from __future__ import annotations

from collections.abc import Sequence

from .escape import code, plain_lines
from .jobs import plain_sentence, typed
from .usage import command

PERSONA_SHOWN = 4_000
"""Characters of a persona that are shown; one of a room is shorter."""
CHAT_TOO_FAST = (
    "This goes on faster, or for longer, than people talk, so I stop here: two bots would never end. "
    "Write again after half a minute of silence, and I answer."
)
CHAT_DRAWS_ON = (
    "From now on the language model may ask for pictures in this room's chats, one in each answer, where it can. They "
    "are drawn as if whoever chats had typed them."
)
CHAT_DRAWS_OFF = "The language model asks for no pictures in this room's chats."


def drawn_in_chat(line: str, prefix: str) -> str:
    """Under an answer with which a picture comes: the line that would draw it."""
    return f"🎨 {code(typed(prefix, line), 400)}"


CHAT_OFF = "Chat is switched off here."
CHAT_BROKE_OFF = "⚠️ The answer broke off here. Ask me to go on, and I try."
CHAT_UNREADABLE = "❌ I cannot read that message any more, so I cannot answer it. Please send it again."
CHAT_FORGOTTEN = "❌ The answer was ready while I was away, and the worker has forgotten it. Please ask again."
CHAT_REST_FORGOTTEN = "❌ The worker has forgotten the rest of this answer. Please ask again."
CHAT_EMPTY = "❌ The chat model said nothing. Please ask in other words."
CHAT_NOT_POSTED = "❌ The homeserver did not take the answer."
CHAT_HISTORY_UNREAD = "⚠️ The homeserver did not let me read all that was said before, so I answered without it."
CHAT_LEFT_OUT = "✂️ This conversation is long: from here on its beginning does not reach the model any more."
CHAT_SHORTENED = "✂️ The answer before was long: the model got its beginning and its end."
CHAT_QUOTE_UNREAD = "⚠️ I could not read the message that you replied to, so I answered without it."
CHAT_PICTURE_MISSING = "⚠️ I could not get a picture of this conversation, so the model did not see it."
CHAT_PICTURES_OLD_WORKER = "⚠️ The worker is too old to show pictures to a model. The operator has to update it."
CHAT_WAITS = "⏳ First comes the answer before this one."
MORE_COMES = "…"
"""At the end of an answer that still grows."""
CHAT_GOES_ON = "📎 The rest of this answer is too long for the room; it is in the file below."
CHAT_REST_UNREADABLE = "The rest of this answer stood in a file that cannot be read any more."
CHAT_REST_NOT_POSTED = "❌ The homeserver did not take the file with the rest of this answer."
CHAT_STOPPED = "🛑 Stopped here, as somebody wished."
THOUGHTS = "Thoughts"
THOUGHTS_FOLDED = "💭 What the model thought before is folded, for clients that can show it."


def chat_quote_cut(characters: int) -> str:
    return f"⚠️ Of the message that you replied to, the model got the first {characters:,} characters."


def chat_begins_anew(goes_on: bool) -> str:
    """``goes_on``: there is a conversation here that would have gone on."""
    if goes_on:
        return "🆕 A new conversation begins here: what was said before does not count any more."
    return "Each chat begins a new conversation here. What shall it be about?"


def chat_model_set(name: str, *, checked: bool) -> str:
    said = f"From now on {code(name)} answers chats in this room."
    return said if checked else f"{said} The worker is off, so I could not look whether it has that model."


def chat_model_unset(name: str | None) -> str:
    return f"Chats in this room go with the default model again{f', {code(name)}' if name else ''}."


def unknown_chat_model(name: str, near: Sequence[str], prefix: str) -> str:
    meant = f" Did you mean {' or '.join(code(one) for one in near)}?" if near else ""
    return f"I do not know the chat model {code(name)}.{meant} {command(prefix, 'models')} lists them."


def image_model_cannot_chat(name: str, prefix: str) -> str:
    return f"{code(name)} draws pictures and cannot chat. {command(prefix, 'models')} lists the chat models."


def chat_model_broken(name: str, problem: str | None) -> str:
    why = plain_sentence(problem) if problem else "The worker cannot use it now."
    return f"{code(name)} cannot answer here. {why}"


PERSONA_UNSET = "In this room's chats I am again who the operator says."


def persona_now(text: str, *, own: bool, prefix: str) -> str:
    """``text``: the room's own, or the operator's."""
    whose = "In this room's chats I am told:" if own else "In this room's chats I am told what the operator says:"
    shown = plain_lines(text, PERSONA_SHOWN) or "*nothing*"
    change = f"{command(prefix, 'persona TEXT')} changes it (moderators)"
    back = f", {command(prefix, 'persona default')} goes back" if own else ""
    return f"{whose}\n\n{shown}\n\n{change}{back}."


def persona_set(text: str) -> str:
    return f"From now on I am told in this room's chats:\n\n{plain_lines(text, PERSONA_SHOWN)}"


def persona_too_long(length: int, most: int) -> str:
    return f"That has {length:,} characters; a persona may have {most:,}. Please shorten it."


def chat_asks_one_that_sees(model: str, prefix: str) -> str:
    """``model``: one that is installed and sees pictures."""
    return f"{command(prefix, f'chat --model {model} …')} asks that one."
