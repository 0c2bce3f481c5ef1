"""Variations of a job's pictures: which noise each of them begins with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..queue.model import seed_of
from ..schemas.requests import Variation

NONE = "A variation of strength 0 changes nothing, so it was left out."


def resolved(variation: Variation | None) -> dict[str, Any] | None:
    """As the stored request has it; ``None`` where it would be the picture itself."""
    return None if variation is None or variation.strength == 0 else variation.model_dump()


def notes(variation: Variation | None) -> list[str]:
    return [NONE] if variation is not None and variation.strength == 0 else []


def of_picture(request: Mapping[str, Any], index: int) -> dict[str, Any] | None:
    """``{seed, strength}`` of one picture of a stored request. The pictures share the job's seed then, as in A1111's
    web UI: each is a variation of the same one."""
    variation = request.get("variation")
    return None if variation is None else {**variation, "seed": seed_of(variation["seed"], index)}
