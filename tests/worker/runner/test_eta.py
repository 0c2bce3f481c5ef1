"""The line, as tables: who stands where in it, and how long it takes."""

from __future__ import annotations

import pytest

from otterbot_worker.queue.heads import Group
from otterbot_worker.runner.eta import Line, Speeds, load_name, speed_name, turn_name


def group(owner: str, count: int, *, model: str = "a", first: int = 1, work: float = 10.0) -> Group:
    kind = model if model in ("chat", "describe") else "image"
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
    "descriptions, too": ([group("ann", 1), group("bob", 2, model="describe", first=2)], "ann", 0, 2),
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


def test_a_description_takes_the_time_of_one() -> None:
    speeds = Speeds({speed_name("a"): (5.0, 3), turn_name("describe", "describe"): (3.0, 1)})
    line = Line([group("ann", 2), group("bob", 1, model="describe", first=9)], {}, speeds)
    assert line.seconds(("c", "ann"), "image", 2) == pytest.approx(7.0)
    assert line.seconds(("c", "bob"), "describe", 1) == pytest.approx(3.0)


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
