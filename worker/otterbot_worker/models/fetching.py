"""Download size of a model that is not here, as far as it is known before. Free of torch."""

from __future__ import annotations

import logging
from typing import NamedTuple

from . import estimates
from .entries import ModelEntry

log = logging.getLogger(__name__)

HALF_FAMILIES = frozenset({"sd3", "zimage", "flux2"})
"""Families whose files are in half precision without an ``fp16`` variant."""


class Presence(NamedTuple):
    here: bool
    download_bytes: int | None


def presence(entry: ModelEntry) -> Presence:
    """Never raises: of a model whose files cannot be looked at nothing is said here, its ``problem`` says it."""
    try:
        return Presence(entry.here() is not None, download_bytes(entry))
    except Exception as error:
        log.debug("nobody can say whether a model is here", extra={"model": entry.name, "kind": type(error).__name__})
        return Presence(True, None)


def download_bytes(entry: ModelEntry) -> int | None:
    """Approximate bytes to download; ``None`` where nothing is missing, nothing can be downloaded, or it is unknown."""
    if entry.here() is not None or not entry.fetchable():
        return None
    try:
        parts = estimates.needs_of(entry).parts
    except (KeyError, OSError):
        return None
    own_missing = entry.own_files() is None
    stored = 2.0 if entry.variant is not None or entry.family in HALF_FAMILIES else 4.0
    total = 0
    for name, part in parts.items():
        if name.startswith("refiner."):
            missing = entry.refiner is not None and entry.refiner.here() is None
        elif name == "transformer" and entry.transformer is not None:
            missing = entry.transformer.here() is None
        else:
            missing = own_missing
        total += part.bytes(stored) if missing else 0
    return total or None
