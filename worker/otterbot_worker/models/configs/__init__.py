"""How the models of single files are built: settings of their parts as published, without weights. Free of torch.

A folder per kind of model in diffusers' layout (``model_index.json``, a ``config.json`` per part, the scheduler, what
is special about the tokenizers), and once for all of them the merges of CLIP's tokenizer (``clip``, made by
``scripts/clip_merges.py``).
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...families import FAMILIES
from .. import plain_files

NAMES = ("sd1", "sd2", "sd2-base", "sdxl", "sdxl-refiner")
"""``sd2`` predicts the velocity and draws at 768x768, ``sd2-base`` the noise and at 512x512."""

HERE = Path(__file__).parent
START, END = "<|startoftext|>", "<|endoftext|>"


@dataclass(frozen=True, kw_only=True)
class Vocabulary:
    """CLIP's vocabulary. ``tokens``: token → id; ``merges``: pairs by priority."""

    tokens: Mapping[str, int]
    merges: list[tuple[str, str]]


def folder(config: str) -> Path:
    """The folder of a name in ``NAMES``, or of the path that an operator gave."""
    return HERE / config if config in NAMES else Path(config)


def index(config: str) -> dict[str, Any]:
    """Its ``model_index.json``, or ``{}`` where there is none that can be read."""
    return _read(folder(config) / "model_index.json")


def part(config: str, name: str) -> dict[str, Any]:
    """The settings of one part, or ``{}`` where the folder has none that can be read. :raises CannotLook:"""
    return _read(folder(config) / name / "config.json")


def scheduler(config: str) -> dict[str, Any]:
    """The settings of the scheduler."""
    return _read(folder(config) / "scheduler" / "scheduler_config.json")


def tokenizer(config: str, name: str) -> dict[str, Any]:
    """A tokenizer's special settings, such as ``pad_token``."""
    return _read(folder(config) / name / "tokenizer_config.json")


def family(config: str) -> str | None:
    """The key in ``families.FAMILIES`` for these settings; ``None`` for a refiner, which does not draw alone."""
    pipeline = index(config).get("_class_name")
    return next((name for name, able in FAMILIES.items() if able.pipeline == pipeline), None)


def _read(path: Path) -> dict[str, Any]:
    try:
        settings = plain_files.read_json(path)
    except (*plain_files.ABSENT, plain_files.NotPlain, ValueError):
        return {}
    except OSError as error:
        raise plain_files.cannot_look(path, error) from None
    return settings if isinstance(settings, dict) else {}


@cache
def clip() -> Vocabulary:
    """The order of tokens is that of CLIP's own tokenizer: bytes, bytes that end a word, merges, the two marks."""
    lines = gzip.decompress((HERE / "clip" / "merges.txt.gz").read_bytes()).decode("utf-8").splitlines()
    merges = [(first, second) for first, second in (line.split(" ") for line in lines)]
    signs = _signs_of_bytes()
    tokens = [*signs, *(sign + "</w>" for sign in signs), *(first + second for first, second in merges), START, END]
    return Vocabulary(tokens={token: number for number, token in enumerate(tokens)}, merges=merges)


def _signs_of_bytes() -> list[str]:
    """A printable sign for each byte, as byte-level tokenizers since GPT-2 write them: itself, or one above 255."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = 256 - len(printable)
    return [chr(number) for number in printable] + [chr(256 + number) for number in range(others)]
