"""Weight files of a component: which are loaded, and whether any is missing. Free of torch.

Weights are one file or several, the shards (``model-00001-of-00002.safetensors``), which an index names. transformers
and diffusers write the index of a variant as ``model.safetensors.index.fp16.json``, older diffusers as
``model.safetensors.fp16.index.json``. A download that was interrupted leaves whole files, but not all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from . import plain_files, user_files

ENDING = ".safetensors"
INDEX_MAX = 4 * 1024 * 1024
"""Bytes of an index; one for a thousand layers has less than a million."""
SEEN_MAX = 256

_SHARD = re.compile(r"-(\d{5})-of-(\d{5})")


def of_variant(names: Iterable[str], variant: str | None) -> list[str]:
    """The ``.safetensors`` files of a component that are loaded: the variant's if there are any, else the plain
    ones."""
    everything = sorted(name for name in names if name.endswith(ENDING))
    special = [name for name in everything if variant and variant_of(name) == variant]
    return special or [name for name in everything if not variant_of(name)]


def variant_of(name: str) -> str | None:
    """``fp16`` in ``model.fp16.safetensors`` and ``model.fp16-00001-of-00002.safetensors``."""
    parts = name.split(".")
    return parts[1].split("-")[0] if len(parts) == 3 else None


def lacking(folder: Path, variant: str | None) -> str | None:
    """The name of a file without which the component in that folder cannot be loaded; ``None``: its weights are here.

    Looks at names, and reads an index that is new or changed. :raises CannotLook:
    """
    names = _names(folder)
    weights = of_variant(names, variant)
    of = variant_of(weights[0]) if weights else variant
    indexes = sorted(name for name in names if _indexed_variant(name) == (of or ""))
    for name in indexes:
        listed = _listed(folder / name)
        if listed is None:
            return name
        if absent := sorted(listed - names):
            return absent[0]
    if not weights:
        return f"*{ENDING}"
    if indexes or not all(_SHARD.search(name) for name in weights):
        return None
    return _sibling(weights, names) or _index_of(weights[0], of)


def _names(folder: Path) -> frozenset[str]:
    """Names of existing files; a dangling link into the hub's cache does not count."""
    return frozenset(name for name in plain_files.names(folder) if plain_files.is_file(folder / name))


def _indexed_variant(name: str) -> str | None:
    """The variant that this index is for, ``""`` for plain weights; ``None``: not an index."""
    words = name.split(".")[1:]
    if not {"safetensors", "index"} <= set(words) or words[-1] != "json":
        return None
    return ".".join(word for word in words if word not in ("safetensors", "index", "json"))


def _listed(path: Path) -> frozenset[str] | None:
    """The files that an index names; ``None``: an invalid index."""
    try:
        return _read(path, user_files.stamp(path))
    except (*plain_files.ABSENT, plain_files.NotPlain):
        return None
    except OSError as error:
        raise plain_files.cannot_look(path, error) from None


@lru_cache(maxsize=SEEN_MAX)
def _read(path: Path, stamp: user_files.Stamp) -> frozenset[str] | None:
    """Cached by the file's stamp. :raises OSError:"""
    if stamp[0] > INDEX_MAX:
        return None
    try:
        names = frozenset(plain_files.read_json(path, INDEX_MAX)["weight_map"].values())
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    usable = all(isinstance(name, str) and name.endswith(ENDING) and "/" not in name for name in names)
    return names if names and usable else None


def _sibling(shards: list[str], names: frozenset[str]) -> str | None:
    """The name of a missing shard, by the numbers in the others' names."""
    for name in shards:
        count = _SHARD.findall(name)[-1][1]
        others = (_SHARD.sub(f"-{number:05}-of-{count}", name) for number in range(1, int(count) + 1))
        if (absent := next((other for other in others if other not in names), None)) is not None:
            return absent
    return None


def _index_of(shard: str, variant: str | None) -> str:
    """The name of the index that loading the shards needs."""
    stem = _SHARD.sub("", shard).split(".")[0]
    return ".".join([f"{stem}{ENDING}", "index", *([variant] if variant else []), "json"])
