"""The schedule and the line, as tables."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from otterbot_worker.queue.schedule import Bounds, Choice, choose, fair_order
from otterbot_worker.queue.store import Group, Head
from otterbot_worker.runner.eta import Line, Speeds, load_name, speed_name, turn_name

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


# ---------------------------------------------------------------- the line


def group(owner: str, count: int, *, model: str = "a", first: int = 1, work: float = 10.0) -> Group:
    kind = "chat" if model == "chat" else "image"
    return Group(
        client="c", owner=owner, kind=kind, model=model, count=count, work=work * count, first_seq=first
    )  # fmt: skip


PLACES = {
    "alone": ([group("ann", 3)], "ann", 0, 0),
    "alone, third": ([group("ann", 3)], "ann", 2, 2),
    "behind a batch only by its first": ([group("ann", 8, first=1), group("bob", 1, first=9)], "bob", 0, 1),
    "one's second comes after everybody's first": ([group("ann", 8, first=1), group("bob", 2, first=9)], "bob", 1, 3),
    "the head of the batch": ([group("ann", 8, first=1), group("bob", 2, first=9)], "ann", 0, 0),
    "its last waits for all": ([group("ann", 8, first=1), group("bob", 2, first=9)], "ann", 7, 9),
    "chats go first": ([group("ann", 1), group("bob", 2, model="chat", first=2)], "ann", 0, 2),
}


@pytest.mark.parametrize("case", PLACES)
def test_place(case: str) -> None:
    groups, owner, before, expected = PLACES[case]
    assert Line(groups, {}, Speeds()).place(("c", owner), "image", before) == expected


def test_seconds_come_from_what_was_measured() -> None:
    speeds = Speeds({speed_name("a"): (5.0, 3), turn_name("m"): (4.0, 1)})
    line = Line([group("ann", 4), group("bob", 1, first=9)], {}, speeds)
    assert line.seconds(("c", "bob"), "image", 1) == pytest.approx(4.0), "ann's first and bob's: 2 s each"
    assert line.seconds(("c", "ann"), "image", 4) == pytest.approx(10.0)


def test_no_measurement_no_estimate() -> None:
    line = Line([group("ann", 1), group("bob", 1, model="new", first=2)], {}, Speeds({speed_name("a"): (5.0, 1)}))
    assert line.seconds(("c", "ann"), "image", 1) is None


def test_loads_count_where_models_alternate() -> None:
    speeds = Speeds({speed_name("a"): (10.0, 1), speed_name("b"): (10.0, 1), load_name("a"): (3.0, 1)})
    line = Line([group("ann", 1), group("ann", 1, model="b", first=2)], {}, speeds)
    assert line.seconds(("c", "ann"), "image", 2) == pytest.approx(5.0)


def test_a_new_measurement_moves_the_average() -> None:
    speeds = Speeds()
    assert speeds.add("x", 10.0) == (10.0, 1)
    assert speeds.add("x", 20.0) == (15.0, 2)
    for _ in range(30):
        speeds.add("x", 30.0)
    assert speeds.get("x") == pytest.approx(30.0, rel=0.01)
