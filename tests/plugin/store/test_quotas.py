"""Limits by day and between two requests: pure."""

from __future__ import annotations

import pytest

from otterbot import texts
from otterbot.store.quotas import DAY, Over, Quota, over, pictures_of

NOW = 1_000_000.0
DAILY = Quota(scope="person", kind="image", per_day=10)
SLOWLY = Quota(scope="person", kind="image", cooldown=60.0)
Used = list[tuple[float, int]]


@pytest.mark.parametrize(
    ("used", "asks", "expected"),
    [
        ([], 10, None),
        ([(NOW - 5, 6)], 4, None),
        ([(NOW - DAY - 1, 10)], 10, None),
        ([(NOW - 5, 0)], 10, None),
        ([(NOW - 5, 6)], 5, (4, DAY - 5)),
        ([(NOW - 5, 8), (NOW - 3600, 2)], 1, (0, DAY - 3600)),
        ([(NOW - 5, 8), (NOW - 3600, 2)], 3, (0, DAY - 5)),
        ([], 11, (10, None)),
        ([(NOW - 5, 3)], 11, (7, None)),
        ([(NOW + 900, 10)], 1, (0, DAY)),
    ],
)
def test_by_day(used: Used, asks: int, expected: tuple[int, float | None] | None) -> None:
    found = over(DAILY, used, asks, NOW)
    assert found == (None if expected is None else Over(quota=DAILY, asks=asks, left=expected[0], wait=expected[1]))


@pytest.mark.parametrize(
    ("used", "wait"), [([], None), ([(NOW - 61, 1)], None), ([(NOW - 20, 1)], 40.0), ([(NOW - 20, 0)], None)]
)
def test_between_two_requests(used: Used, wait: float | None) -> None:
    found = over(SLOWLY, used, 4, NOW)
    assert (found and found.wait) == wait


def test_both_of_one_scope_the_longer_wait_counts() -> None:
    both = Quota(scope="room", kind="image", per_day=2, cooldown=60.0)
    found = over(both, [(NOW - 10, 2)], 1, NOW)
    assert found == Over(quota=both, asks=1, left=0, wait=DAY - 10)


@pytest.mark.parametrize(
    ("body", "number"),
    [
        ({}, 1),
        ({"count": 4}, 4),
        ({"sweep": [{"values": [1, 2, 3]}, {"values": [1, 2]}], "count": 1}, 6),
        ({"count": 1, "then": {"body": {"count": 1, "then": {"body": {"upscale": 2}}}}}, 3),
    ],
)
def test_how_many_pictures_a_request_asks_for(body: dict[str, object], number: int) -> None:
    assert pictures_of(body) == number


def test_what_is_said() -> None:
    answers = Quota(scope="room", kind="chat", per_day=5)
    cases = {
        texts.too_much(
            Over(quota=DAILY, asks=1, left=0, wait=12_000)
        ): "❌ The next picture is possible in 3 h 20 min. For one person the limit is 10 pictures in 24 hours.",
        texts.too_much(
            Over(quota=DAILY, asks=4, left=2, wait=61 * 60)
        ): "❌ For one person the limit is 10 pictures in "
        "24 hours; 2 of them are left now. All 4 are possible in 1 h 1 min.",
        texts.too_much(
            Over(quota=DAILY, asks=11, left=3, wait=None)
        ): "❌ That would be 11 pictures. For one person the "
        "limit is 10 pictures in 24 hours. Up to 3 may be asked for now.",
        texts.too_much(
            Over(quota=SLOWLY, asks=1, left=0, wait=39.2)
        ): "❌ The next picture is possible in 40 s. For one person there are 60 s between two requests.",
        texts.too_much(
            Over(quota=answers, asks=1, left=0, wait=3600)
        ): "❌ The next answer is possible in 1 h. For this room the limit is 5 answers in 24 hours.",
    }
    for said, expected in cases.items():
        assert said == expected
