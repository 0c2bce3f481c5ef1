"""Options as the line to type in a room: the reverse of :mod:`.flags`, and held against it.

Where the words of a prompt hold what would be read as a flag, its dashes get marks that the worker's parser of prompts
takes for nothing: ``(--:1)wings`` draws ``--wings``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from typing import Any

from . import dashes
from .flags import BEFORE, read_flags
from .option import Option
from .option_table import FIELDS, OPTIONS
from .options import DrawOptions
from .quotes import QUOTES
from .structured import read_structure
from .typed import clean

_PLAIN = re.compile(r"\w(?:[\w.+/:-]*[\w+])?", re.ASCII)
"""A value that needs no quotes."""
_FLAG_LIKE = re.compile(
    rf"(?<![{dashes.ANY}\\])(?:{dashes.DOUBLE}(?:\\*+[{dashes.ANY}])*+|(?:(?<!\S)|(?<=[{BEFORE}])){dashes.RUN})"
    r"(?=[ \t]{0,3}[^\W\d_])"
)


def line_of(options: DrawOptions) -> str | None:
    """``draw … --steps 30``, ``upscale 2 …``, without the prefix; ``None`` where no line says that.

    How many steps a second pass has is not said, nor the words of styles: no flag says them.
    """
    command = "draw" if options.upscale is None else "upscale"
    if options.style is not None:
        options = replace(options, style=tuple(style.named() for style in options.style))
    if options.structure is not None:
        by_keys = _by_keys(options) if command == "draw" else None
        if by_keys is not None:
            return by_keys
        options = replace(options, structure=None)
    if options.hires is not None:
        options = replace(options, hires=replace(options.hires, steps=None))
    for marked, quoted in product((False, True), repeat=2):
        wanted = _readable(options, command, marked)
        parts = [wanted.prompt or "", *(_flag(one, wanted, quoted) for one in OPTIONS if _is_said(one, wanted))]
        text = " ".join(part for part in parts if part)
        read, problem, overlooked = read_flags(clean(text))
        if problem is None and not overlooked and read == wanted:
            start = command if options.upscale is None else f"{command} {options.upscale}"
            return f"{start} {text}".rstrip()
    return None


def _by_keys(options: DrawOptions) -> str | None:
    """The flags in the first line, and a line for each key; ``None`` where that does not say it."""
    structure = options.structure
    if structure is None or options.prompt != structure.prompt:
        return None  # a model has written the prompt
    if structure.negative not in (None, options.negative_prompt):
        return None
    wanted = replace(options, structure=None, prompt=None)
    wanted = wanted if structure.negative is None else replace(wanted, negative_prompt=None)
    for quoted in (False, True):
        flags = " ".join(_flag(one, wanted, quoted) for one in OPTIONS if _is_said(one, wanted))
        text = f"{flags}\n{structure.written}".strip()
        found = read_structure(clean(text))
        if found is not None and found.problem is None and not found.overlooked:
            read = found.options
            same = replace(options, structure=read.structure)
            if read == same and read.structure is not None and read.structure.prompt == structure.prompt:
                return f"draw {text}" if flags else f"draw\n{text}"
    return None


def _readable(options: DrawOptions, command: str, marked: bool) -> DrawOptions:
    """The part of ``options`` that stands behind the command; its words as a room keeps them."""
    gone = {name for option in OPTIONS if command not in option.commands for name in option.fields}
    if command == "upscale":
        gone |= {"upscale", "prompt"}  # it has the words of the picture that it is made from
    fields: dict[str, Any] = dict.fromkeys(gone)
    wanted = replace(options, **fields)
    for name in ("prompt", "negative_prompt"):
        if (text := getattr(wanted, name)) is not None:
            text = clean(text).strip()
            words: dict[str, Any] = {name: _FLAG_LIKE.sub(r"(\g<0>:1)", text) if marked else text}
            wanted = replace(wanted, **words)
    return wanted


def _is_said(option: Option, options: DrawOptions) -> bool:
    """Of several options for one field the first one says it: ``--ar square``."""
    return (
        option.flag
        and option.name != "prompt"
        and option is FIELDS[option.fields[0]]
        and option.value(options) is not None
    )


def _flag(option: Option, options: DrawOptions, quoted: bool) -> str:
    if option.kind.bare:
        return f"--{option.name}"
    text = option.kind.written(option.value(options))
    plain = _PLAIN.fullmatch(text) or (option.kind.phrase and text and not quoted)
    return f"--{option.name} {text if plain else _in_quotes(text)}"


def _in_quotes(text: str) -> str:
    """In the first quotes that nothing in it closes."""
    for opening, closing in QUOTES.items():
        if not re.search(rf"[{closing}](?!\S)", text):
            return f"{opening}{text}{closing[-1]}"
    return text
