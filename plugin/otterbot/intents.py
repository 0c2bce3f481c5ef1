"""A message's text into what is wanted of the bot. Pure; the table in the tests says what it does."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from .flags import asks_for_help, parse_options
from .options import FACTORS, DrawOptions, UsageProblem

Name = Literal[
    "draw", "again", "vary", "upscale", "chat", "model", "models", "settings", "queue", "cancel", "status", "help"
]
COMMANDS: tuple[Name, ...] = get_args(Name)

_BY_HOW_MUCH = re.compile(r"[\d.,:]+(?!\S)")
_TIMES = re.compile(r"[xX×]?(\d{1,9})[xX×]?(?!\S)")
_COMMAND = re.compile(r"[^\S\n]*(?P<name>[^\W\d_]+)(?::|(?!\S))")


@dataclass(frozen=True, kw_only=True)
class Intent:
    """One of our commands, well-formed or with a ``problem`` that the person is told."""

    name: Name
    options: DrawOptions = field(default_factory=DrawOptions)
    """For ``draw``, ``again``, ``vary`` and ``upscale``."""
    text: str = ""
    """What stood after the command, for all others, without the space around it."""
    problem: UsageProblem | None = None


def parse(body: str, *, prefix: str) -> Intent | None:
    """The intent of a message, or ``None`` if it is not for us: no prefix, or no command of ours.

    Never raises; linear in the length of ``body``.
    """
    # Half a surrogate pair, which JSON can hold, could neither be stored nor sent on.
    body = body.encode("utf-8", "replace").decode("utf-8")
    rest = _after_prefix(body, prefix)
    command = _COMMAND.match(rest) if rest is not None else None
    if rest is None or command is None:
        return None
    typed, text = command["name"].lower(), rest[command.end() :].strip()
    name = next((known for known in COMMANDS if known == typed), None)
    if name is None:
        return None
    if asks_for_help(text):
        return Intent(name="help", text=name)
    match name:
        case "draw" | "again" | "vary":
            return _picture(name, text)
        case "upscale":
            return _larger(text)
        case "chat":
            return Intent(name=name, text=text, problem=None if text else UsageProblem(code="no_text"))
        case "cancel":
            known_word = text.lower() in ("", "all")
            return Intent(name=name, text=text.lower(), problem=None if known_word else UsageProblem(code="stray_text"))
        case _:
            return Intent(name=name, text=text)


def _after_prefix(body: str, prefix: str) -> str | None:
    body = body.lstrip()
    head, rest = body[: len(prefix)], body[len(prefix) :]
    if head.casefold() != prefix.casefold():
        return None
    if prefix[-1:].isalnum() and not rest[:1].isspace():
        return None  # the prefix "otter" is a word: "ottery draw" does not begin with it
    return rest


def _picture(name: Literal["draw", "again", "vary"], text: str) -> Intent:
    if name == "vary" and _BY_HOW_MUCH.match(text):
        text = f"--variation {text}"
    options, problem = parse_options(text)
    if problem is None and name == "draw" and options.prompt is None:
        problem = UsageProblem(code="no_prompt")
    if problem is None and name in ("again", "vary") and options.prompt is not None:
        problem = UsageProblem(code="stray_text")
    return Intent(name=name, options=options, problem=problem)


def _larger(text: str) -> Intent:
    """``4``, ``4x``, ``x4`` and flags; twice, where it is not said."""
    times = _TIMES.match(text)
    factor = FACTORS[0] if times is None else int(times[1])
    options, problem = parse_options(text if times is None else text[times.end() :])
    if problem is None and options.prompt is not None:
        problem = UsageProblem(code="stray_text")
    if problem is None and factor not in FACTORS:
        problem = UsageProblem(code="bad_value", flag="upscale")
    return Intent(name="upscale", options=replace(options, upscale=factor), problem=problem)
