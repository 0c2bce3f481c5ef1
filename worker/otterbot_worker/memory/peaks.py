"""What pictures really took of a card at their peak, beside what was estimated for them. Free of torch.

An estimate decides between plans; whether a language model may stay on the card beside a picture is decided by measure,
as far as there is one.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

PEAKS_MAX = 16
"""For each model."""
KEPT_SECONDS = 90 * 24 * 3600.0
"""Another version of PyTorch may take more or less."""


@dataclass(frozen=True, kw_only=True)
class Peak:
    """A picture under ``plan`` that was estimated to take ``card`` bytes took ``measured``."""

    plan: str
    card: int
    measured: int
    learned: float = field(default_factory=time.time, compare=False)
    """Unix time."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def needed(peaks: Iterable[Peak], plan: str, card: int) -> int:
    """What a picture takes that is estimated at ``card`` bytes: no more than one took that was estimated at as much or
    more; else as much beyond its estimate as the worst of them."""
    same = [peak for peak in peaks if peak.plan == plan]
    larger = [peak for peak in same if peak.card >= card]
    if larger:
        nearest = min(peak.card for peak in larger)
        return max(peak.measured for peak in larger if peak.card == nearest)
    return card + max((max(0, peak.measured - peak.card) for peak in same), default=0)


def peaks_from(stored: Iterable[Any]) -> tuple[Peak, ...]:
    """As they were stored; what cannot be read is forgotten."""
    read = []
    for one in stored:
        try:
            peak = Peak(
                plan=str(one["plan"]),
                card=int(one["card"]),
                measured=int(one["measured"]),
                learned=float(one["learned"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        read.append(peak)
    return tuple(read)


def learn(known: Sequence[Peak], new: Peak, *, now: float | None = None) -> tuple[Peak, ...]:
    """The newest ones, one for each plan and estimate, without those that are too old."""
    now = time.time() if now is None else now
    fresh = [peak for peak in known if abs(now - peak.learned) < KEPT_SECONDS]
    others = [peak for peak in fresh if (peak.plan, peak.card) != (new.plan, new.card)]
    return (*others, new)[-PEAKS_MAX:]
