"""What pictures took decides what the next ones are believed to take."""

from __future__ import annotations

import json

import pytest

from otterbot_worker.memory import peaks
from otterbot_worker.memory.peaks import Peak, needed

NOW = 1_000_000.0


def peak(card: int, measured: int, plan: str = "resident", learned: float = NOW) -> Peak:
    return Peak(plan=plan, card=card, measured=measured, learned=learned)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ((), 100),
        ((peak(100, 130),), 130),
        ((peak(100, 90),), 90),
        ((peak(200, 150),), 150),
        ((peak(200, 250), peak(150, 160)), 160),
        ((peak(50, 70),), 120),
        ((peak(50, 70), peak(60, 65)), 120),
        ((peak(50, 40),), 100),
        ((peak(100, 130, "tiled"),), 100),
    ],
)
def test_needed(known: tuple[Peak, ...], expected: int) -> None:
    assert needed(known, "resident", 100) == expected


def test_the_newest_of_each_estimate_is_kept() -> None:
    known = peaks.learn((peak(100, 130), peak(200, 220)), peak(100, 140), now=NOW)
    assert known == (peak(200, 220), peak(100, 140))
    assert peaks.learn(known, peak(1, 1), now=NOW + peaks.KEPT_SECONDS) == (peak(1, 1),)
    many: tuple[Peak, ...] = ()
    for card in range(100):
        many = peaks.learn(many, peak(card, card), now=NOW)
    assert [one.card for one in many] == list(range(100 - peaks.PEAKS_MAX, 100))


def test_it_is_stored_and_read_back_and_what_cannot_be_read_is_forgotten() -> None:
    stored = json.loads(json.dumps([peak(100, 130).as_dict(), {"plan": "resident"}, None, 7]))
    assert peaks.peaks_from(stored) == (peak(100, 130),)
