"""How commands are used: what ``!help`` says, and what is said to a command that cannot be used.

What is said of one command or option stands with it, in ``commands/`` and in ``language/option_table.py``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..language.option_table import FLAGS, OPTIONS
from .escape import code
from .jobs import typed
from .keys import keys_problem
from .sweep_usage import sweep_problem

if TYPE_CHECKING:
    from ..language.problems import Overlooked, UsageProblem

_COMMAND = re.compile(r"\{!([^{}]*)\}")


def command(prefix: str, text: str) -> str:
    """A command in code type, as it is typed here."""
    return code(typed(prefix, text), 200)


def filled(prefix: str, text: str) -> str:
    """A sentence of ours with its commands, ``{!draw}``, as they are typed here."""
    return _COMMAND.sub(lambda found: command(prefix, found[1]), text)


def help_overview(prefix: str, lines: Sequence[tuple[str, str]]) -> str:
    """Every command in one line: an example, and what it gives."""
    return "\n".join(f"- {command(prefix, typed_so)}: {gives}" for typed_so, gives in lines)


def flag_lines() -> str:
    """Every flag in one line."""
    return "\n".join(f"- {code(option.example)}: {option.gives}" for option in FLAGS.values() if option.example)


def usage_problem(problem: UsageProblem, prefix: str, *, stray: str = "") -> str:
    """What was wrong with a command, and what to type instead; ``stray``: what is said to words that it does not
    take."""
    match problem.code:
        case "no_prompt":
            return (
                f"What shall I draw? For example {command(prefix, 'draw otter, cowboy hat')}, or "
                f"{command(prefix, 'draw otter, cowboy hat --no blurry --steps 20')}. "
                f"{command(prefix, 'help draw')} explains the flags."
            )
        case "no_text":
            return f"What is it about? For example {command(prefix, 'chat why do otters hold hands?')}."
        case "stray_text":
            return filled(prefix, stray)
        case "unknown_flag":
            return _unknown(problem, prefix)
        case "twice":
            return f"{code('--' + problem.flag)} is there twice. Please say it once."
        case "glued" | "one_dash":
            return _nearly(problem)
        case "unknown_key" | "key_twice" | "bad_lines" | "bad_switch" | "long_theme" | "no_words":
            return keys_problem(problem, prefix)
        case code_ if code_.startswith("sweep_"):
            return sweep_problem(problem, prefix)
        case "conflict" if problem.near == ("sweep",) and problem.flag == "film":
            return "A sweep comes on one sheet, so its pictures have no films. Please leave out `--film`."
        case "conflict" if problem.near == ("sweep",):
            return f"{code('--' + problem.flag)} says one value, and the sweep several. Please keep one of them."
        case "conflict":
            other = code("--" + next(iter(problem.near), problem.flag))
            return f"{code('--' + problem.flag)} and {other} both say which shape. Please keep one of them."
    return wants(problem.flag, prefix)


def wants(name: str, prefix: str) -> str:
    """What an option takes."""
    return filled(prefix, next(option.wants for option in OPTIONS if option.name == name))


def _unknown(problem: UsageProblem, prefix: str) -> str:
    said = f"I do not know the flag {code('--' + problem.flag, 42)}."
    if problem.near:
        meant = " or ".join(code("--" + flag) for flag in problem.near)
        return f"{said} Did you mean {meant}? {command(prefix, 'help draw')} lists them all."
    return f"{said} {command(prefix, 'help draw')} lists those that there are."


def _nearly(problem: UsageProblem) -> str:
    """To what can hardly be meant as words, and is no flag."""
    flag, *value = problem.near
    meant = code(" ".join(("--" + flag, *value)))
    if problem.code == "glued":
        said = f"{code(problem.flag)} stands directly behind a word. Is it a flag? Then put a space before it: {meant}."
    else:
        said = f"{code(problem.flag)} has one dash only. Is it a flag? Then it takes two: {meant}."
    return f"{said} Are they words? Then put a space behind the dash."


def overlooked(one: Overlooked) -> str:
    """A note, not a refusal."""
    was = f"{code(one.typed)} was read as words"
    flag = code("--" + one.flag)
    match one.form:
        case "key":
            return f"{code(one.typed + ':')} is no key that I know, so that line was read as words."
        case "inner_key":
            return (
                f"{code(one.typed + ':')} in the middle of a line was read as words; a key stands at the beginning of "
                "a line."
            )
        case "glued":
            return f"{was}, as it stands directly behind one; with a space before it, {flag} is a flag."
        case "one_dash":
            return f"{was}; as a flag it has two dashes: {flag}."
        case "spaced":
            return f"{was}; as a flag it has no space behind its dashes: {flag}."


MAX_REST = 200
"""Characters behind a command that is offered."""


def did_you_mean(typed: str, name: str, rest: str, prefix: str) -> str:
    """``rest``: what stood behind the word ``typed``, which is no command; ``name`` may have been meant."""
    line = " ".join(f"{name} {rest}".split())
    meant = command(prefix, line if len(line) <= MAX_REST else f"{name} …")
    return f"I know no {command(prefix, typed)}. Did you mean {meant}?"
