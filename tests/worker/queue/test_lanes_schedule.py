"""What one card leaves to another one. Times in seconds; a row takes 10, a model 20 to load."""

from __future__ import annotations

import pytest

from otterbot_worker.queue.heads import Head
from otterbot_worker.queue.schedule import Bounds, Choice, OnCard, Other, choose

BOUNDS = Bounds(picture=120.0, talk=40.0)
A, B, NOTHING = OnCard(image="a"), OnCard(image="b"), OnCard()


class Costs:
    def __init__(self, row: float = 10.0) -> None:
        self._row = row

    def row(self, kind: str, model: str, work: float) -> float:
        return self._row

    def load(self, kind: str, model: str) -> float:
        return 20.0


def pictures(seq: int, owner: str, model: str = "a", *, count: int = 1, overtaken: float = 0.0, card: str = "") -> Head:
    return Head(
        seq=seq, client="c", owner=owner, kind="image", model=model, work=1.0, created_at=float(seq), count=count,
        overtaken_seconds=overtaken, card=card,
    )  # fmt: skip


def other(
    on_card: OnCard,
    free_in: float = 0.0,
    row: float = 10.0,
    skip: frozenset[str] = frozenset(),
    lacks: str = "",
    card: str = "",
) -> Other:
    return Other(
        free_in=free_in, on_card=on_card, costs=Costs(row), skip=skip, can=lambda head: head.model != lacks, card=card
    )


def chosen(heads: list[Head], on_card: OnCard, *others: Other, row: float = 10.0, card: str = "") -> Choice | None:
    return choose(
        heads, on_card=on_card, served={}, now=1_000.0, bounds=BOUNDS, costs=Costs(row), others=others, card=card
    )


ONE, FOUR = [pictures(1, "ann")], [pictures(1, "ann", count=4)]
CASES = {
    "alone": (ONE, NOTHING, [], 1),
    "the idle card that has the model": (ONE, NOTHING, [other(A)], None),
    "it has it, and is soon there": (ONE, NOTHING, [other(A, free_in=15)], None),
    "it has it, but is long at work": (ONE, NOTHING, [other(A, free_in=25)], 1),
    "both have it": (ONE, A, [other(A)], 1),
    "neither has it: whoever asks first": (ONE, NOTHING, [other(B)], 1),
    "four pictures are worth a second load": (FOUR, NOTHING, [other(A, free_in=8)], 1),
    "two are not": ([pictures(1, "ann", count=2)], NOTHING, [other(A, free_in=8)], None),
    "people together are many": ([pictures(1, "ann"), pictures(2, "bob"), pictures(3, "eve")], B, [other(A, 8)], 1),
    "the other cannot run it": (ONE, NOTHING, [other(A, skip=frozenset({"image"}))], 1),
    "the other lacks the model": (ONE, NOTHING, [other(A, lacks="a")], 1),
    "what is left, another group takes": ([pictures(1, "ann"), pictures(2, "bob", "b")], B, [other(A)], 2),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_left_to_another_card(case: str) -> None:
    heads, on_card, others, expected = CASES[case]
    choice = chosen(heads, on_card, *others)
    assert (choice.seq if choice else None) == expected


def test_a_slow_card_is_not_given_what_a_fast_one_is_through_with_sooner() -> None:
    fast = other(A, free_in=10)
    assert chosen([pictures(1, "ann", count=30)], A, fast, row=400.0) is None
    choice = chosen([pictures(1, "ann", count=60)], A, fast, row=400.0)
    assert choice is not None, "in the time of sixty it is done with one"
    assert chosen([pictures(1, "ann")], A, other(A, row=400.0), row=10.0) is not None


def test_what_is_left_is_not_overtaken() -> None:
    """It does not wait for this card."""
    heads = [pictures(1, "ann", overtaken=115), pictures(2, "bob", "b")]
    choice = chosen(heads, B, other(A, free_in=3))
    assert choice is not None
    assert (choice.seq, choice.overtaken) == (2, ())


@pytest.mark.parametrize("free_in", [0.0, 5.0, 50.0])
@pytest.mark.parametrize("mine", [A, B, NOTHING])
@pytest.mark.parametrize("theirs", [A, B, NOTHING])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_two_cards_never_leave_all_to_each_other(mine: OnCard, theirs: OnCard, free_in: float, count: int) -> None:
    heads = [pictures(1, "ann", count=count), pictures(2, "bob", "b")]
    one = chosen(heads, mine, other(theirs, free_in, 25.0))
    two = chosen(heads, theirs, other(mine, free_in), row=25.0)
    assert one is not None or two is not None


OLD = [pictures(1, "ann", card="old")]
CARDS = {
    "it is the card": (OLD, "old", [other(A, card="new")], 1),
    "another one is, though without the model": (OLD, "new", [other(B, card="old")], None),
    "another one is, and soon free": (OLD, "new", [other(B, 60, card="old")], None),
    "another one is, but long at work": (OLD, "new", [other(B, 61, card="old")], 1),
    "it is gone, or not among those that draw": (OLD, "new", [other(A, 25, card="third")], 1),
    "it cannot run that": (OLD, "new", [other(A, skip=frozenset({"image"}), card="old")], 1),
    "it has not the model": (OLD, "new", [other(A, lacks="a", card="old")], 1),
    "there is one card only": (OLD, "new", [], 1),
    "nobody knows what it is": (OLD, "", [other(B, 25)], 1),
    "its twin has the model": (OLD, "old", [other(A, card="old")], None),
    "any card will do for others": ([*OLD, pictures(2, "bob")], "new", [other(B, card="old")], 2),
}


@pytest.mark.parametrize("case", CARDS)
def test_a_row_that_is_to_come_from_a_certain_card(case: str) -> None:
    heads, card, others, expected = CARDS[case]
    choice = chosen(heads, B if case == "its twin has the model" else NOTHING, *others, card=card)
    assert (choice.seq if choice else None) == expected
    assert choice is None or choice.overtaken == (), "what is left does not wait for this card"


@pytest.mark.parametrize("free_in", [0.0, 5.0, 50.0, 500.0])
@pytest.mark.parametrize("wanted", ["one", "two", "gone", ""])
@pytest.mark.parametrize("mine", [A, B, NOTHING])
@pytest.mark.parametrize("theirs", [A, B, NOTHING])
def test_a_certain_card_and_another_never_leave_it_to_each_other(
    mine: OnCard, theirs: OnCard, wanted: str, free_in: float
) -> None:
    heads = [pictures(1, "ann", card=wanted), pictures(2, "bob")]
    one = chosen(heads, mine, other(theirs, free_in, 25.0, card="two"), card="one")
    two = chosen(heads, theirs, other(mine, card="one"), row=25.0, card="two")
    assert one is not None or two is not None
