"""A message's text into what is wanted of the bot. Pure; the table in the tests says what it does.

Every text is cleaned first (:mod:`.typed`). A command is the prefix and its name, or a mention of the bot and its name
(:mod:`.mention`). Marks may stand around it (:mod:`.markup`), a backslash before the prefix, punctuation behind the
name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from . import dashes
from .arguments import ENDS, PAUSES, Intent, Reader
from .markup import unwrapped
from .mention import Account, after_mention, behind_names
from .typed import clean, folded

__all__ = [
    "Intent", "Syntax", "Vocabulary", "begins_with_prefix", "parse", "unknown_command", "vocabulary", "would_be_ours",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Syntax:
    """How a command is typed: its name, and what may stand behind it."""

    name: str
    read: Reader
    aliases: tuple[str, ...] = ()


Vocabulary = Mapping[str, Syntax]
"""Commands by each word that they are typed with, in small letters."""


def vocabulary(commands: Iterable[Syntax]) -> Vocabulary:
    """The vocabulary of some commands. Raises ``ValueError`` where two of them claim a word."""
    words = [(word, command) for command in commands for word in (command.name, *command.aliases)]
    if len(dict(words)) != len(words):
        raise ValueError("two commands with one name")
    return dict(words)


_COMMAND = re.compile(
    rf"[^\S\n]*(?P<name>[^\W\d_]+)"
    rf"(?:[{ENDS}]+\s*\Z|[{PAUSES}]+(?!\S)|[:,;：，、；،؛]|(?!\S)|(?={dashes.DOUBLE}))"
)
"""Its name, and how that ends: with a space, with the punctuation of a sentence (``!`` and ``?`` only at the end of
everything: ``!draw! otter`` is no command), or with a flag directly behind it."""


def parse(
    body: str,
    *,
    prefix: str,
    commands: Vocabulary,
    account: Account | None = None,
    formatted: str = "",
    mentioned: bool = False,
) -> Intent | None:
    """The intent of a message, or ``None`` if it is not for us: no prefix and no mention, or no command of ours.

    ``formatted`` is its HTML, ``mentioned`` whether it says that it mentions the account. Never raises; linear in the
    length of ``body``.
    """
    text = clean(body)
    found = _command_in(text, prefix, commands)
    if found is None and account is not None:
        found = _command_behind_mention(
            text, prefix, commands, lambda said: after_mention(said, account, formatted=formatted, mentioned=mentioned)
        )
    if found is None:
        return None
    command, text = found
    if dashes.asks_for_help(text):
        return Intent(name="help", text=command.name)
    return replace(command.read(command.name, text), typed=text)


def would_be_ours(body: str, *, prefix: str, commands: Vocabulary, mentioned: bool = False) -> bool:
    """Would it be a command of ours, if it began with a name of the bot's that is not known here?"""
    text = clean(body)
    rests = behind_names(text, mentioned=mentioned)
    if _after_prefix(text, prefix) is not None:
        return False
    return any(_command_in(rest, prefix, commands) or _command_at(rest, commands) for rest in rests)


def begins_with_prefix(body: str, prefix: str) -> bool:
    """Is it a command of somebody's, ours or not? Marks and what nobody sees make no difference."""
    text = clean(body)
    return _after_prefix(text, prefix) is not None or _unwrapped(text, prefix) is not None


def unknown_command(body: str, *, prefix: str, commands: Vocabulary) -> tuple[str, str] | None:
    """The word behind the prefix, in small letters, that is no command of ours, and what stands behind it; ``None``:
    there is none."""
    text = clean(body)
    for shown in (text, _unwrapped(text, prefix)):
        rest = None if shown is None else _after_prefix(shown, prefix)
        typed = None if rest is None else _COMMAND.match(rest)
        if rest is not None and typed is not None:
            word = folded(typed["name"])
            return None if word in commands else (word, rest[typed.end() :].strip())
    return None


def _command_in(text: str, prefix: str, commands: Vocabulary) -> tuple[Syntax, str] | None:
    """The command and what stands behind it, in a text that begins with the prefix; marks may stand around it."""
    rest = _after_prefix(text, prefix)
    found = None if rest is None else _command_at(rest, commands)
    if found is None and (inside := _unwrapped(text, prefix)) is not None:
        rest = _after_prefix(inside, prefix)
        found = None if rest is None else _command_at(rest, commands)
    return found


def _command_behind_mention(
    text: str, prefix: str, commands: Vocabulary, behind: Callable[[str], str | None]
) -> tuple[Syntax, str] | None:
    rest = behind(text)
    if rest is None and (inside := unwrapped(text, lambda said: behind(said) is not None)) is not None:
        rest = behind(inside)
    return None if rest is None else _command_in(rest, prefix, commands) or _command_at(rest, commands)


def _unwrapped(text: str, prefix: str) -> str | None:
    return unwrapped(text, lambda rest: _after_prefix(rest, prefix) is not None)


def _command_at(rest: str, commands: Vocabulary) -> tuple[Syntax, str] | None:
    typed = _COMMAND.match(rest)
    command = None if typed is None else commands.get(folded(typed["name"]))
    return None if typed is None or command is None else (command, rest[typed.end() :].strip())


def _after_prefix(body: str, prefix: str) -> str | None:
    """What stands behind the prefix; full-width forms of it count, and a backslash that some editor put before it."""
    body, wanted = body.lstrip(), folded(clean(prefix))
    if not body.startswith(prefix):
        body = body.lstrip("\\").lstrip() if body.startswith("\\") else body
    for length in range(1, min(len(body), 2 * len(prefix)) + 1):
        if folded(body[:length]) == wanted:
            rest = body[length:]
            # The prefix "otter" is a word: "ottery draw" does not begin with it.
            return None if prefix[-1:].isalnum() and not rest[:1].isspace() else rest
    return None
