"""Whether a tokenizer can be made of what lies in its folder. Free of torch.

Without vocabulary files transformers makes an empty tokenizer, and the picture ignores the prompt. A tokenizer's
``model_max_length`` says into which pieces a prompt is cut; an impossible value makes the cutting endless.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

from . import plain_files

NAMES = ("tokenizer", "tokenizer_2", "tokenizer_3")
SETTINGS = "tokenizer_config.json"
WHOLE = "tokenizer.json"
PAIR = ("vocab.json", "merges.txt")
LENGTH = "model_max_length"
LENGTH_MIN = 8
"""Minimum tokens of a piece, begin and end tokens included."""
LENGTH_MAX = 1e31
"""Tokenizers without a limit have 1e30 in their settings."""
_POSITIONS = 77
"""Default positions of CLIP's text encoder."""
_BEGINNING = 1024
"""The first merge is within so many characters, after a line with the version."""


class Problem(NamedTuple):
    name: str
    """The file's name in the tokenizer's folder."""
    why: str | None = None
    """The end of a sentence that begins with the name; ``None``: it is not a valid file."""


def has_words(folder: Path) -> bool:
    """Whether a tokenizer can be made: each kind has its own files. :raises CannotLook:"""
    return plain_files.is_file(folder / SETTINGS) and _words_problem(folder) is None


def problem(folder: Path, encoder: Path) -> Problem | None:
    """What is wrong with the files of a tokenizer. ``encoder``: the settings of the text encoder that reads its words.

    :raises CannotLook:
    """
    return settings_problem(folder, encoder) or _words_problem(folder)


def settings_problem(folder: Path, encoder: Path) -> Problem | None:
    """As ``problem``, where the vocabulary comes from elsewhere."""
    try:
        settings = _read(folder / SETTINGS)
    except plain_files.ABSENT:
        return Problem(SETTINGS, "is missing")
    except plain_files.NotPlain as error:
        return Problem(SETTINGS, error.strerror)
    except ValueError:
        return Problem(SETTINGS)
    if not _sensible(settings.get(LENGTH), _positions(encoder)):
        return Problem(SETTINGS, f"has a {LENGTH} that no prompt can be cut by")
    return None


def _words_problem(folder: Path) -> Problem | None:
    names = plain_files.names(folder)
    there = {name: found for name in (WHOLE, *PAIR) if (found := _text_problem(folder / name)) != "is missing"}
    if there.get(WHOLE, "is missing") is None:
        return None
    if there.get(WHOLE) == "is empty":
        return Problem(WHOLE, "is empty")
    if any(name.endswith(".model") and _text_problem(folder / name) is None for name in names):
        return None
    if not there.keys() & set(PAIR):
        return Problem(WHOLE, there.get(WHOLE, "is missing"))
    return next((Problem(name, why) for name in PAIR if (why := there.get(name, "is missing")) is not None), None)


def _text_problem(path: Path) -> str | None:
    """Why a vocabulary file cannot be read; ``None``: it can. :raises CannotLook:"""
    try:
        with plain_files.opened(path) as file:
            beginning = file.read(_BEGINNING)
    except plain_files.ABSENT:
        return "is missing"
    except plain_files.NotPlain as error:
        return error.strerror or "is no file"
    except OSError as error:
        raise plain_files.cannot_look(path, error) from None
    if path.name == PAIR[1]:
        beginning = b"".join(line for line in beginning.splitlines() if not line.startswith(b"#version"))
    return None if beginning.strip() else "is empty"


def _read(path: Path) -> dict[str, Any]:
    """:raises ValueError: :raises OSError: :raises CannotLook:"""
    try:
        found = plain_files.read_json(path)
    except (*plain_files.ABSENT, plain_files.NotPlain):
        raise
    except OSError as error:
        raise plain_files.cannot_look(path, error) from None
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def _positions(encoder: Path) -> int | None:
    """How many tokens the encoder reads at once; ``None``: prompts are not cut for it."""
    try:
        built = _read(encoder)
    except (OSError, ValueError):
        return None  # reported when the encoder is built
    if not str(built.get("model_type", "clip")).startswith("clip"):
        return None
    found = built.get("max_position_embeddings")
    return found if type(found) is int else _POSITIONS


def _sensible(length: Any, positions: int | None) -> bool:
    if isinstance(length, bool) or not isinstance(length, int | float):
        return length is None and positions is None
    if isinstance(length, float) and not (math.isfinite(length) and length.is_integer()):
        return False
    return LENGTH_MIN <= length <= (LENGTH_MAX if positions is None else positions)
