"""Structured prompts: lines of keys (:mod:`.key_lines`) as options, and as changes of a picture's keys.

Lines of keys begin with a line that has one of the prompt's own keys (``subject``, ``style`` …, ``prompt``); names of
options alone begin none, nor do other words before a colon: ``portrait: an otter``, ``otter: the movie``,
``time: 12:30`` are prompts. So is a single line whose key draws nothing (``theme: park``). Once they have begun, each
word before a colon at the beginning of a line is a key, and one that nobody knows is refused with the nearest one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from difflib import get_close_matches

from . import dashes
from .flag_names import ALIASES, meant
from .flags import read_pieces
from .key_lines import find, key_in
from .key_values import WRAPPERS, Entry, Lines, Unreadable
from .option import Option
from .option_kinds import Constant
from .option_table import FLAGS, OPTIONS
from .option_values import KeyChange, WordChange
from .options import DrawOptions
from .problems import Overlooked, Refused, UsageProblem
from .structures import KEYS, MAX_THEME, Structure, Value
from .typed import folded
from .word_changes import read_changes, split_off

_MEANT = {
    "mood": "emotions", "emotion": "emotions", "feeling": "emotions", "feelings": "emotions", "atmosphere": "emotions",
    "setting": "environment", "scene": "environment", "background": "environment", "place": "environment",
    "location": "environment", "clothes": "outfit", "clothing": "outfit", "wears": "outfit", "wearing": "outfit",
    "character": "subject", "who": "subject", "what": "subject", "medium": "style", "art style": "style",
    "artist": "style", "styles": "style", "look": "style", "title": "theme", "name": "theme", "file": "theme",
    "negative prompt": "negative", "negative_prompt": "negative", "exclude": "negative", "avoid": "negative",
}  # fmt: skip
"""What people call keys."""
_ON, _OFF = ("true", "yes", "on", "1", ""), ("false", "no", "off", "0")
_INNER = re.compile(rf"(?:\A|[\s,;])({'|'.join(KEYS)})[ \t]*[:：]\s", re.IGNORECASE)
_FLAG = re.compile(rf"\s+(?={dashes.DOUBLE}[^\W\d_])")
_NOTES = 3


@dataclass(frozen=True, kw_only=True)
class Read:
    """What lines of keys say."""

    options: DrawOptions
    problem: UsageProblem | None = None
    overlooked: tuple[Overlooked, ...] = ()


def read_structure(text: str) -> Read | None:
    """``text`` as the structured prompt of a new picture; ``None`` if it is none."""
    try:
        lines = find(text, _begins, _belongs)
        return None if lines is None else _prompt(lines, single=text.count("\n") == 0)
    except (Refused, Unreadable) as refusal:
        return Read(options=DrawOptions(), problem=_problem(refusal))


def read_key_changes(text: str) -> Read | None:
    """``text`` as changes of a picture's keys, with other changes of its words among them; ``None``: it begins with no
    key."""
    try:
        first = key_in(text.split("\n", 1)[0])
        lines = find(text, lambda *key: key == first or _is_known(*key), lambda *key: True)
        return None if lines is None else _changes(lines)
    except (Refused, Unreadable) as refusal:
        return Read(options=DrawOptions(), problem=_problem(refusal))


def _begins(key: str, value: str) -> bool:
    return folded(key) in (*KEYS, *WRAPPERS)


def _is_known(key: str, value: str) -> bool:
    return _begins(key, value) or _option(key) is not None


def _belongs(key: str, value: str) -> bool:
    """Is a line above the first key one of them? One that is nearly a key is; other words are words."""
    option = _option(key)
    if option is not None:
        return not option.kind.bare or folded(value) in (*_ON, *_OFF)
    return folded(key) in _MEANT or bool(get_close_matches(folded(key), KEYS, n=1, cutoff=0.75))


def _option(key: str) -> Option | None:
    name = folded(key)
    dashed = re.sub(r"[ _]", "-", name)
    for one in (name, dashed, ALIASES.get(name), ALIASES.get(dashed)):
        if one in FLAGS and one not in WRAPPERS:
            return FLAGS[one]
    return None


def near_keys(key: str) -> tuple[str, ...]:
    """The keys that somebody may have meant, best first."""
    name = folded(key)[:40]
    if name in _MEANT:
        return (_MEANT[name],)
    if (flag := meant(re.sub(r"[ ]", "_", name)) or meant(re.sub(r"[ _]", "-", name))) is not None:
        return (flag,)
    return tuple(get_close_matches(name, [*KEYS, *(flag for flag in FLAGS if flag not in WRAPPERS)], n=2, cutoff=0.6))


def _problem(refusal: Refused | Unreadable) -> UsageProblem:
    if isinstance(refusal, Refused):
        return refusal.problem
    return UsageProblem(code="bad_lines", flag=refusal.reason, near=(refusal.shown,), line=refusal.line)


@dataclass
class _Taken:
    """The entries, sorted: words to be read for flags, values in quotes, and options."""

    values: dict[str, Value | None]
    options: list[tuple[Option, str]]
    words: list[str]
    overlooked: dict[Overlooked, None]
    flagged: DrawOptions


def _take(lines: Lines, *, splits: bool = False) -> _Taken:
    """Raises :class:`Refused`. ``splits``: behind a value may stand ``+red scarf``, which is put to the words."""
    kept: list[tuple[str, Entry]] = []
    given: list[tuple[Option, str]] = []
    pieces = list(lines.around)
    for entry in lines.entries:
        name = folded(entry.key)
        option = _option(entry.key)
        if name in (*KEYS, *WRAPPERS):
            if any(one == name for one, _ in kept):
                raise Refused("key_twice", entry.key)
            kept.append((name, entry))
        elif option is None:
            raise Refused("unknown_key", entry.key[:40], near_keys(entry.key))
        else:
            for text in entry.values:
                if not text.quoted and (flag := _FLAG.search(text.text)) is not None:
                    pieces.append(text.text[flag.end() :])
                    text.text = text.text[: flag.start()]
            if (said := _said(option, entry)) is not None:
                given.append(said)
    notes: dict[Overlooked, None] = {Overlooked(form="key", typed=key[:40], flag=""): None for key in lines.doubtful}
    rest: list[str] = []
    for _, entry in kept:
        for text in entry.values:
            if splits and not text.quoted:
                text.text, more = split_off(text.text)
                rest.append(more)
    plain = [text for _, entry in kept for text in entry.values if not text.quoted]
    if not splits:
        notes |= {Overlooked(form="inner_key", typed=found[1].lower(), flag=""): None
                  for text in plain for found in _INNER.finditer(text.text)}  # fmt: skip
    flagged, words, overlooked = read_pieces([*pieces, *rest, *(text.text for text in plain)], given)
    for text, said_words in zip(plain, words[len(pieces) + len(rest) :], strict=True):
        text.text = said_words
    values: dict[str, Value | None] = {name: _value(entry) for name, entry in kept}
    loose = [word for word in words[: len(pieces) + len(rest)] if word]
    all_notes = dict.fromkeys([*list(notes)[:_NOTES], *overlooked])
    return _Taken(values=values, options=given, words=loose, overlooked=all_notes, flagged=flagged)


def _value(entry: Entry) -> Value | None:
    """``None``: nothing stands there."""
    if folded(entry.key) == "theme":
        theme = ", ".join(text.text for text in entry.values).strip()
        if len(theme) > MAX_THEME:
            raise Refused("long_theme", entry.key)
        return theme or None
    texts = tuple(text.text.strip() for text in entry.values)
    if any(text.quoted and not text.text for text in entry.values) and len(texts) == 1:
        return ""
    texts = tuple(text for text in texts if text)
    if not texts:
        return None
    return texts if entry.is_list else texts[0]


def _said(option: Option, entry: Entry) -> tuple[Option, str] | None:
    """An option by its name, as a flag would say it; ``None``: it is not said."""
    texts = [text.text for text in entry.values]
    if option.kind.bare:
        word = folded(", ".join(texts).strip())
        if word in _ON:
            return option, ""
        if word not in _OFF:
            raise Refused("bad_switch", option.name)
        return next(((one, "") for one in OPTIONS if one.fields == option.fields and _switches_off(one)), None)
    if not texts:
        return None
    if option.kind.phrase:
        return option, ", ".join(texts)
    if len(texts) > 1:
        raise Refused("bad_value", option.name)
    return option, texts[0] if entry.values[0].quoted else option.kind.unquoted(texts[0])


def _switches_off(option: Option) -> bool:
    return isinstance(option.kind, Constant) and option.kind.value is False


def _prompt(lines: Lines, *, single: bool) -> Read | None:
    taken = _take(lines)
    values, options = dict(taken.values), taken.flagged
    words = [*taken.words, *_listed(values.pop("prompt", None)), *_listed(values.pop("structure", None))]
    words += _listed(options.prompt)
    if words:
        subject = (", ".join(words), *_listed(values.get("subject")))
        values["subject"] = subject if len(subject) > 1 else subject[0]
    if options.negative_prompt is not None:
        negative = (*_listed(values.get("negative")), *_listed(options.negative_prompt))
        values["negative"] = negative if len(negative) > 1 else "".join(negative)
    found = Structure.of({name: value for name, value in values.items() if value != "" or name == "negative"})
    if found is None or not found.prompt:
        if single:
            return None
        return Read(options=options, problem=UsageProblem(code="no_words"))
    options = replace(options, structure=found, prompt=found.prompt, negative_prompt=found.negative)
    return Read(options=options, overlooked=tuple(taken.overlooked))


def _listed(value: Value | None) -> tuple[str, ...]:
    return () if not value else (value,) if isinstance(value, str) else value


def _changes(lines: Lines) -> Read:
    taken = _take(lines, splits=True)
    values, options = dict(taken.values), taken.flagged
    anew = (*_listed(options.prompt), *_listed(values.pop("prompt", None)), *_listed(values.pop("structure", None)))
    found: list[KeyChange | WordChange] = [KeyChange(name, value) for name, value in values.items()]
    for words in taken.words:
        more = read_changes(words)
        if more is None:
            return Read(options=options, problem=UsageProblem(code="stray_text"))
        found += more
    options = replace(options, prompt=", ".join(anew) or None, changes=tuple(found) or None)
    return Read(options=options, overlooked=tuple(taken.overlooked))
