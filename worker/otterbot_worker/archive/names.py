"""File names made of people's words: any script, and never a path."""

from __future__ import annotations

import re
import time
import unicodedata

MAX_CHARACTERS = 40
MAX_BYTES = 120
"""Bytes of a name's first part. File systems allow 255; time, counter and ``.thumb.jpg.tmp`` need the rest."""
NAMELESS = "picture"

_EXTRA_NETWORK = re.compile(r"<[^<>]*>")
_WEIGHT = re.compile(r":\s*[+-]?[.\d]+\s*\)|(?<=\))[.\d]+")
_WORD = re.compile(r"[^\s,;.:!?()\[\]{}\"'`|/\\+*=<>~#@&]+")
_SMALL_WORDS = frozenset(
    re.findall(
        r"\S+",
        """
        a an the of in on at with and or by for to from as its his her my your our their this that some one two
        photo photograph picture image painting drawing portrait sketch render illustration closeup close-up shot
        ein eine einen der die das und mit von im am auf bild foto un une le la les el los de du des et avec
        """,
    )
)


def slug(words: str) -> str:
    """``words`` as a safe part of a file name: letters, digits and marks of any script, ``-`` for
    everything else; ``""`` where nothing is left (emoji, dots, slashes only)."""
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", words[:1_000]).lower())
    kept = "".join(character if unicodedata.category(character)[0] in "LMN" else "-" for character in text)
    # Drop leading combining marks: they would be drawn over the character before the name.
    kept = re.sub(r"-+", "-", kept).lstrip("-" + "".join(c for c in kept if unicodedata.category(c)[0] == "M"))
    kept = kept[:MAX_CHARACTERS]
    while len(kept.encode("utf-8", "replace")) > MAX_BYTES:
        kept = kept[:-1]
    return kept.strip("-")


def subject(prompt: str) -> str:
    """The first word of a prompt that says what it is about, as a slug; ``""`` where there is none."""
    text = _WEIGHT.sub(" ", _EXTRA_NETWORK.sub(" ", prompt[:1_000]))
    slugs = [found for word in _WORD.findall(text) if (found := slug(word.rstrip("-")))]
    for word in slugs:
        if word not in _SMALL_WORDS and not word.isnumeric():
            return word
    return slugs[0] if slugs else ""


def stem(theme: str | None, prompt: str, when: time.struct_time) -> str:
    """``otter_20240121132050``: the theme, or the prompt's subject, and the time as the operator's clock shows it."""
    name = slug(theme or "") or subject(prompt) or NAMELESS
    return f"{name}_{time.strftime('%Y%m%d%H%M%S', when)}"


def folder(when: time.struct_time) -> str:
    """``2024-01-21``."""
    return time.strftime("%Y-%m-%d", when)


_FOLDER = re.compile(r"\d{4}-\d{2}-\d{2}")
SHEET = ".sheet"
"""What a contact sheet's stem has after that of its first picture."""
_STEM = re.compile(rf".+_\d{{14}}(_\d{{1,4}})?({re.escape(SHEET)})?", re.DOTALL)


def is_folder(name: str) -> bool:
    """Whether a folder may be one of ours. An archive may lie among a person's own pictures."""
    return _FOLDER.fullmatch(name) is not None


def is_stem(name: str) -> bool:
    """Whether a file, without its ending, is named as ours are."""
    return _STEM.fullmatch(name) is not None


def scratch_name(task_id: str) -> str:
    """A file name for a task's raw pixels; ids are the worker's own, but a path is made of them."""
    return f"{re.sub(r'[^A-Za-z0-9_-]', '_', task_id)[:100] or 'task'}.rgb"
