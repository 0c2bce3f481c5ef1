"""What stands behind the name of a command: for each kind of arguments a reader, which commands choose from.

A reader takes the command's name and the text behind it (cleaned, without the space around it). It never raises.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from .flags import check_sweep, read_flags, read_words
from .option_table import SWEEP
from .option_values import FACTORS
from .options import DrawOptions
from .problems import Overlooked, Refused, UsageProblem
from .structured import read_key_changes, read_structure
from .typed import folded
from .word_changes import read_changes

PAUSES = ".,;:…。，、；：،؛"
ENDS = f"{PAUSES}!?！？؟"
_BY_HOW_MUCH = re.compile(rf"([\d.,:：．]+?)[{ENDS}]*(?!\S)")
_TIMES = re.compile(rf"[xX×ｘ]?(\d{{1,9}})[xX×ｘ]?[{ENDS}]{{0,3}}(?!\S)")
_ANY_WORD = re.compile(r"\w")


@dataclass(frozen=True, kw_only=True)
class Intent:
    """One of our commands, well-formed or with a ``problem`` that the person is told."""

    name: str
    options: DrawOptions = field(default_factory=DrawOptions)
    """For commands that take flags."""
    text: str = ""
    """What stood after the command, for all others, without the space around it."""
    fresh: bool = False
    """``!chat --new``: what was said before does not count."""
    problem: UsageProblem | None = None
    overlooked: tuple[Overlooked, ...] = ()
    """What looks like a flag and was read as words."""
    typed: str = ""
    """All that stood after the command, as it was typed."""


Reader = Callable[[str, str], Intent]


def plain(name: str, text: str) -> Intent:
    """Any text, without the punctuation behind it."""
    return Intent(name=name, text=text.rstrip(f"{ENDS} "))


def whole(name: str, text: str) -> Intent:
    """Any text as it is, or none."""
    return Intent(name=name, text=text)


def nothing_or(*words: str) -> Reader:
    """Nothing, or one of some words."""

    def read(name: str, text: str) -> Intent:
        word = folded(text.rstrip(f"{ENDS} "))
        known = word in ("", *words)
        return Intent(name=name, text=word, problem=None if known else UsageProblem(code="stray_text"))

    return read


def prompt_and_flags(name: str, text: str) -> Intent:
    """The words of a prompt, or its keys, and flags."""
    if (structured := read_structure(text)) is not None:
        return Intent(name=name, **vars(structured))
    options, problem, overlooked = read_flags(text)
    if problem is None and options.prompt is None:
        problem = UsageProblem(code="no_prompt")
    return Intent(name=name, options=options, problem=problem, overlooked=overlooked)


def flags_only(name: str, text: str) -> Intent:
    """Flags, and no other words."""
    options, problem, overlooked = read_flags(text)
    options = _without_punctuation(options)
    if problem is None and options.prompt is not None:
        problem = _stray(overlooked)
    return Intent(name=name, options=options, problem=problem, overlooked=overlooked)


def changes_and_flags(name: str, text: str) -> Intent:
    """Flags, and words that are changed: ``+red scarf -cowboy hat``, ``style: pointillism``."""
    if (structured := read_key_changes(text)) is not None:
        return Intent(name=name, **vars(structured))
    options, words, problem, overlooked = read_words(text)
    if words and problem is None and _ANY_WORD.search(words):
        options = replace(options, changes=read_changes(words))
        problem = _stray(overlooked) if options.changes is None else None
    elif words.strip(f"{ENDS} ") and problem is None:
        problem = _stray(overlooked)
    return Intent(name=name, options=options, problem=problem, overlooked=overlooked)


def variation_and_flags(name: str, text: str) -> Intent:
    """``0.4``, ``42:0.2``, flags, and words that are changed."""
    if (how := _BY_HOW_MUCH.match(text)) is not None:
        text = f"--variation {how[1]} {text[how.end() :]}"
    return changes_and_flags(name, text)


def sweep_and_flags(name: str, text: str) -> Intent:
    """``cfg 4..16 steps 10,20`` and flags."""
    options, words, problem, overlooked = read_words(text)
    if problem is None:
        try:
            axes = SWEEP.typed(words) if words.strip(f"{ENDS} ") else ()
            axes = SWEEP.together(options.sweep, axes) if options.sweep and axes else options.sweep or axes
            options = replace(options, sweep=axes or None)
            check_sweep(options)
            problem = None if axes else UsageProblem(code="sweep_nothing")
        except Refused as refusal:
            problem = refusal.problem
    return Intent(name=name, options=options, problem=problem, overlooked=overlooked)


def factor_and_flags(name: str, text: str) -> Intent:
    """``4``, ``4x``, ``x4`` and flags; twice as large, where it is not said."""
    times = _TIMES.match(text)
    factor = FACTORS[0] if times is None else int(times[1])
    intent = flags_only(name, text if times is None else text[times.end() :])
    problem = intent.problem
    if problem is None and factor not in FACTORS:
        problem = UsageProblem(code="bad_value", flag="upscale")
    return replace(intent, options=replace(intent.options, upscale=factor), problem=problem)


def _without_punctuation(options: DrawOptions) -> DrawOptions:
    """Where no words are wanted, a full stop is none."""
    if options.prompt is None or _ANY_WORD.search(options.prompt):
        return options
    return replace(options, prompt=None if not options.prompt.strip(f"{ENDS} ") else options.prompt)


def _stray(overlooked: tuple[Overlooked, ...]) -> UsageProblem:
    """Words where none belong: perhaps only a flag that was not typed as one."""
    for one in overlooked:
        if one.form == "glued" or one.form == "one_dash":
            return UsageProblem(code=one.form, flag=one.typed, near=(one.flag,))
    return UsageProblem(code="stray_text")
