"""A message's text into what is wanted of the bot. Pure; the table in the tests says what it does.

Every text is cleaned first (:mod:`.typed`). A command is the prefix and its name, or a mention of the bot and its name
(:mod:`.mention`). Marks may stand around it (:mod:`.markup`), a backslash before the prefix, punctuation behind the
name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from . import dashes
from .flags import read_flags
from .markup import unwrapped
from .mention import Account, after_mention, behind_names
from .options import FACTORS, DrawOptions, Overlooked, UsageProblem
from .typed import clean, folded

Name = Literal[
    "draw", "again", "vary", "upscale", "chat", "model", "models", "settings", "queue", "cancel", "status", "help"
]
COMMANDS: tuple[Name, ...] = get_args(Name)

_PAUSES = ".,;:…。，、；：،؛"
_ENDS = f"{_PAUSES}!?！？؟"
_BY_HOW_MUCH = re.compile(rf"([\d.,:：．]+?)[{_ENDS}]*(?!\S)")
_TIMES = re.compile(rf"[xX×ｘ]?(\d{{1,9}})[xX×ｘ]?[{_ENDS}]{{0,3}}(?!\S)")
_COMMAND = re.compile(
    rf"[^\S\n]*(?P<name>[^\W\d_]+)"
    rf"(?:[{_ENDS}]+\s*\Z|[{_PAUSES}]+(?!\S)|[:,;：，、；،؛]|(?!\S)|(?={dashes.DOUBLE}))"
)
"""Its name, and how that ends: with a space, with the punctuation of a sentence (``!`` and ``?`` only at the end of
everything: ``!draw! otter`` is no command), or with a flag directly behind it."""
_ANY_WORD = re.compile(r"\w")


@dataclass(frozen=True, kw_only=True)
class Intent:
    """One of our commands, well-formed or with a ``problem`` that the person is told."""

    name: Name
    options: DrawOptions = field(default_factory=DrawOptions)
    """For ``draw``, ``again``, ``vary`` and ``upscale``."""
    text: str = ""
    """What stood after the command, for all others, without the space around it."""
    problem: UsageProblem | None = None
    overlooked: tuple[Overlooked, ...] = ()
    """What looks like a flag and was read as words."""


def parse(
    body: str, *, prefix: str, account: Account | None = None, formatted: str = "", mentioned: bool = False
) -> Intent | None:
    """The intent of a message, or ``None`` if it is not for us: no prefix and no mention, or no command of ours.

    ``formatted`` is its HTML, ``mentioned`` whether it says that it mentions the account. Never raises; linear in the
    length of ``body``.
    """
    text = clean(body)
    found = _command_in(text, prefix)
    if found is None and account is not None:
        found = _command_behind_mention(
            text, prefix, lambda said: after_mention(said, account, formatted=formatted, mentioned=mentioned)
        )
    if found is None:
        return None
    name, text = found
    if dashes.asks_for_help(text):
        return Intent(name="help", text=name)
    match name:
        case "draw" | "again" | "vary":
            return _picture(name, text)
        case "upscale":
            return _larger(text)
        case "chat":
            return Intent(name=name, text=text, problem=None if text else UsageProblem(code="no_text"))
        case "cancel":
            word = folded(text.rstrip(f"{_ENDS} "))
            known_word = word in ("", "all")
            return Intent(name=name, text=word, problem=None if known_word else UsageProblem(code="stray_text"))
        case _:
            return Intent(name=name, text=text.rstrip(f"{_ENDS} "))


def would_be_ours(body: str, *, prefix: str, mentioned: bool = False) -> bool:
    """Would it be a command of ours, if it began with a name of the bot's that is not known here?"""
    text = clean(body)
    rests = behind_names(text, mentioned=mentioned)
    return _after_prefix(text, prefix) is None and any(_command_in(rest, prefix) or _command_at(rest) for rest in rests)


def begins_with_prefix(body: str, prefix: str) -> bool:
    """Is it a command of somebody's, ours or not? Marks and what nobody sees make no difference."""
    text = clean(body)
    return _after_prefix(text, prefix) is not None or _unwrapped(text, prefix) is not None


def _command_in(text: str, prefix: str) -> tuple[Name, str] | None:
    """The command and what stands behind it, in a text that begins with the prefix; marks may stand around it."""
    rest = _after_prefix(text, prefix)
    found = None if rest is None else _command_at(rest)
    if found is None and (inside := _unwrapped(text, prefix)) is not None:
        rest = _after_prefix(inside, prefix)
        found = None if rest is None else _command_at(rest)
    return found


def _command_behind_mention(
    text: str, prefix: str, behind: Callable[[str], str | None]
) -> tuple[Name, str] | None:
    rest = behind(text)
    if rest is None and (inside := unwrapped(text, lambda said: behind(said) is not None)) is not None:
        rest = behind(inside)
    return None if rest is None else _command_in(rest, prefix) or _command_at(rest)


def _unwrapped(text: str, prefix: str) -> str | None:
    return unwrapped(text, lambda rest: _after_prefix(rest, prefix) is not None)


def _command_at(rest: str) -> tuple[Name, str] | None:
    command = _COMMAND.match(rest)
    typed = folded(command["name"]) if command is not None else ""
    name = next((known for known in COMMANDS if known == typed), None)
    return None if command is None or name is None else (name, rest[command.end() :].strip())


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


def _picture(name: Literal["draw", "again", "vary"], text: str) -> Intent:
    if name == "vary" and (how := _BY_HOW_MUCH.match(text)) is not None:
        text = f"--variation {how[1]} {text[how.end() :]}"
    options, problem, overlooked = read_flags(text)
    if name != "draw":
        options = _without_punctuation(options)
    if problem is None and name == "draw" and options.prompt is None:
        problem = UsageProblem(code="no_prompt")
    if problem is None and name in ("again", "vary") and options.prompt is not None:
        problem = _stray(overlooked)
    return Intent(name=name, options=options, problem=problem, overlooked=overlooked)


def _larger(text: str) -> Intent:
    """``4``, ``4x``, ``x4`` and flags; twice, where it is not said."""
    times = _TIMES.match(text)
    factor = FACTORS[0] if times is None else int(times[1])
    options, problem, overlooked = read_flags(text if times is None else text[times.end() :])
    options = _without_punctuation(options)
    if problem is None and options.prompt is not None:
        problem = _stray(overlooked)
    if problem is None and factor not in FACTORS:
        problem = UsageProblem(code="bad_value", flag="upscale")
    return Intent(name="upscale", options=replace(options, upscale=factor), problem=problem, overlooked=overlooked)


def _without_punctuation(options: DrawOptions) -> DrawOptions:
    """Where no words are wanted, a full stop is none."""
    if options.prompt is None or _ANY_WORD.search(options.prompt):
        return options
    return replace(options, prompt=None if not options.prompt.strip(f"{_ENDS} ") else options.prompt)


def _stray(overlooked: tuple[Overlooked, ...]) -> UsageProblem:
    """Words where none belong: perhaps only a flag that was not typed as one."""
    for one in overlooked:
        if one.form != "spaced":
            return UsageProblem(code=one.form, flag=one.typed, near=(one.flag,))
    return UsageProblem(code="stray_text")
