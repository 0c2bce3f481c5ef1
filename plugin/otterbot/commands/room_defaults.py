"""What a room has set for its pictures, read from what is stored: the room's layer of a request, and its bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..language.option_kinds import BadValue, Kind, Whole
from ..language.option_table import CFG, COUNT, FLAGS, STEPS, SWEEP_PICTURES

SIZE = "size"
STEPS_SET = "steps"
CFG_SET = "cfg"
NEGATIVE = "negative"
COUNT_MAX = "count_max"
SWEEP_MAX = "sweep_max"
PER_DAY = "per_day"
A_DAY = Whole(1, 10_000)
"""Pictures of one person."""


@dataclass(frozen=True, kw_only=True)
class RoomDefaults:
    """``None``: the room has not said."""

    size: tuple[int, int] | None = None
    steps: int | None = None
    cfg: float | None = None
    negative: str | None = None
    """``""``: none at all, not even the model's own."""
    count_max: int | None = None
    """How many pictures one request may ask for."""
    sweep_max: int | None = None
    """How many pictures a sweep may have."""
    per_day: int | None = None
    """How many pictures one person may ask for within a day."""

    def layer(self) -> dict[str, Any]:
        """As fields of the worker's ``Layer``."""
        fields = {
            "steps": self.steps,
            "guidance_scale": self.cfg,
            "size": None if self.size is None else list(self.size),
            "negative_prompt": self.negative,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def typed(self) -> dict[str, Any]:
        """As fields of a request, to be checked as if somebody had typed them."""
        width, height = self.size or (None, None)
        fields = {"steps": self.steps, "guidance_scale": self.cfg, "width": width, "height": height}
        return {name: value for name, value in fields.items() if value is not None}


def read_defaults(stored: Mapping[str, str]) -> RoomDefaults:
    """A value that another version has stored and this one does not take is none."""
    return RoomDefaults(
        size=_read(stored.get(SIZE), FLAGS["size"].kind),
        steps=_read(stored.get(STEPS_SET), STEPS),
        cfg=_read(stored.get(CFG_SET), CFG),
        negative=stored.get(NEGATIVE),
        count_max=_read(stored.get(COUNT_MAX), COUNT),
        sweep_max=_read(stored.get(SWEEP_MAX), SWEEP_PICTURES),
        per_day=_read(stored.get(PER_DAY), A_DAY),
    )


def _read(text: str | None, kind: Kind) -> Any:
    try:
        return None if text is None else kind.typed(text)
    except BadValue:
        return None
