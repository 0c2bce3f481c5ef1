"""The schedule, as tables."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from otterbot_worker.queue.schedule import Bounds, Choice, choose, fair_order
from otterbot_worker.queue.store import Head

BOUNDS = Bounds(times=3, seconds=60.0)
NOW = 1_000.0


def head(seq: int, owner: str, model: str = "a", *, overtaken: int = 0, since: float | None = None) -> Head:
    """``model`` "chat": a turn."""
    kind = "chat" if model == "chat" else "image"
    return Head(
        seq=seq, client="c", owner=owner, kind=kind, model=model, overtaken=overtaken, overtaken_at=since
    )  # fmt: skip


def served(**at: float) -> Mapping[tuple[str, str], float]:
    return {("c", owner): when for owner, when in at.items()}


CASES = {
    "nothing waits": ([], None, {}, None),
    "first come, first served": ([head(1, "ann"), head(2, "bob")], None, {}, 1),
    "whoever was served goes to the back": ([head(1, "ann"), head(2, "bob")], None, served(ann=9), 2),
    "the longest ago is first": ([head(1, "ann"), head(2, "bob")], None, served(ann=8, bob=9), 1),
    "a newcomer goes before both": ([head(1, "ann"), head(2, "bob"), head(3, "eve")], None, served(ann=8, bob=9), 3),
    "the loaded model first": ([head(1, "ann", "a"), head(2, "bob", "b")], "b", {}, 2),
    "of several that fit, the fair one": ([head(1, "ann"), head(2, "bob", "b"), head(3, "eve", "b")], "b", {}, 2),
    "nobody is passed by a fourth time": ([head(1, "ann", overtaken=3), head(2, "bob", "b")], "b", {}, 1),
    "nobody is passed by after a minute": ([head(1, "ann", overtaken=1, since=940), head(2, "bob", "b")], "b", {}, 1),
    "within the minute still": ([head(1, "ann", overtaken=1, since=941), head(2, "bob", "b")], "b", {}, 2),
    "chat before pictures of others": ([head(1, "ann"), head(2, "bob", "chat")], "a", {}, 2),
    "chat before one's own batch": ([head(1, "ann"), head(9, "ann", "chat")], "a", {}, 9),
    "but not past who waited enough": ([head(1, "ann", overtaken=3), head(2, "bob", "chat")], "a", {}, 1),
    "chats among themselves are fair": ([head(1, "ann", "chat"), head(2, "bob", "chat")], None, served(ann=9), 2),
    "one's own order can yield to what is loaded": ([head(1, "ann", "a"), head(2, "ann", "b")], "b", {}, 2),
    "the second choice where the first may not": (
        [head(1, "ann"), head(2, "bob", overtaken=3), head(3, "eve", "chat"), head(4, "dan")], "a", {}, 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_next(case: str) -> None:
    heads, resident, when, expected = CASES[case]
    choice = choose(heads, resident=resident, served=when, now=NOW, bounds=BOUNDS)
    assert (choice.seq if choice else None) == expected


def test_what_is_passed_by_is_counted() -> None:
    heads = [head(1, "ann"), head(5, "ann", "c"), head(2, "bob"), head(3, "eve", "b")]
    choice = choose(heads, resident="b", served={}, now=NOW, bounds=BOUNDS)
    assert choice == Choice(seq=3, overtaken=(1, 2)), "of ann only the next picture was ahead of eve's"


def test_the_fair_choice_passes_nobody() -> None:
    choice = choose([head(1, "ann"), head(2, "bob")], resident=None, served={}, now=NOW, bounds=BOUNDS)
    assert choice == Choice(seq=1)


def test_a_kind_that_cannot_run_is_left_out() -> None:
    heads = [head(1, "ann"), head(2, "bob", "chat")]
    left = choose(heads, resident=None, served={}, now=NOW, bounds=BOUNDS, skip=frozenset({"chat"}))
    assert left == Choice(seq=1)
    assert choose(heads, resident=None, served={}, now=NOW, bounds=BOUNDS, skip=frozenset({"chat", "image"})) is None


def test_the_same_name_at_two_clients_is_two_people() -> None:
    other = Head(seq=2, client="d", owner="ann", kind="image", model="a", overtaken=0, overtaken_at=None)
    assert [row.seq for row in fair_order([head(1, "ann"), other], served(ann=5))] == [2, 1]


def test_forty_pictures_do_not_hold_up_one() -> None:
    """A run of the whole queue: the rotation, and the bound, as they come out step by step."""
    waiting = [head(seq, "ann", "a") for seq in range(40)] + [head(50, "bob", "b"), head(51, "eve", "b")]
    when: dict[tuple[str, str], float] = {("c", "ann"): 0.0}
    overtaken: dict[int, int] = {}
    resident, order = "a", []
    for step in range(len(waiting)):
        heads = [
            Head(**{**vars(row), "overtaken": overtaken.get(row.seq, 0)})
            for row in {(row.owner, row.model): row for row in reversed(waiting)}.values()
        ]
        choice = choose(heads, resident=resident, served=when, now=float(step), bounds=BOUNDS)
        assert choice is not None
        for seq in choice.overtaken:
            overtaken[seq] = overtaken.get(seq, 0) + 1
        row = next(row for row in waiting if row.seq == choice.seq)
        waiting.remove(row)
        when["c", row.owner] = step + 1.0
        resident = row.model
        order.append(row.seq)
    assert order[:5] == [0, 1, 2, 50, 51], "three times passed by for the loaded model, then both with one load"
    assert order[5:] == list(range(3, 40))
    assert max(overtaken.values()) <= BOUNDS.times
