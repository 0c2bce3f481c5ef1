"""Variations of a request. The seeds of single pictures: ``schemas.resolved.ResolvedRequest.picture``."""

from __future__ import annotations

from ..schemas.requests import Variation
from ..schemas.resolved_parts import UsedVariation

NONE = "A variation of strength 0 changes nothing, so it was left out."


def resolved(variation: Variation | None) -> UsedVariation | None:
    """``None`` at strength 0, which is the picture itself."""
    if variation is None or variation.strength == 0:
        return None
    return UsedVariation(seed=variation.seed, strength=variation.strength)


def notes(variation: Variation | None) -> list[str]:
    return [NONE] if variation is not None and variation.strength == 0 else []
