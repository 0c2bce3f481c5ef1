"""The schedule, as tables. Times in seconds; a row takes 10, a model 20 to load, a language model 10."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import pytest

from otterbot_worker.queue.heads import Head, Service
from otterbot_worker.queue.model import RowKind
from otterbot_worker.queue.schedule import Bounds, Choice, OnCard, choose, fair_order

BOUNDS = Bounds(picture=120.0, talk=40.0)
NOW = 1_000.0
A = OnCard(image="a")
NOTHING = OnCard()


class Costs:
    def row(self, kind: str, model: str, work: float) -> float:
        return 10.0

    def load(self, kind: str, model: str) -> float:
        return 20.0 if kind == "image" else 10.0


def head(seq: int, owner: str, model: str = "a", *, overtaken: float = 0.0, at: float | None = None) -> Head:
    """``model`` "chat", "prompt" or "describe": a row of that kind. It came at ``seq`` unless ``at`` says so."""
    kind = cast(RowKind, model if model in ("chat", "prompt", "describe") else "image")
    return Head(
        seq=seq, client="c", owner=owner, kind=kind, model=model, work=1.0,
        created_at=float(seq) if at is None else at, overtaken_seconds=overtaken,
    )  # fmt: skip


def had(**seconds: float) -> Mapping[tuple[str, str], Service]:
    """What owners had, all of them before the first row came."""
    return {("c", owner): Service(at=-1.0, seconds=much) for owner, much in seconds.items()}


CASES = {
    "nothing waits": ([], NOTHING, {}, None),
    "first come, first served": ([head(1, "ann"), head(2, "bob")], A, {}, 1),
    "whoever had less is first": ([head(1, "ann"), head(2, "bob")], A, had(ann=50, bob=10), 2),
    "a newcomer goes before both": ([head(1, "ann"), head(2, "bob"), head(3, "eve")], A, had(ann=50, bob=10), 3),
    "the loaded model first": ([head(1, "ann", "b"), head(2, "bob", "a")], A, {}, 2),
    "the model that more people wait for": (
        [head(1, "ann", "b"), head(2, "bob", "c"), head(3, "eve", "c"), head(4, "dan", "c")], A, {}, 2,
    ),
    "a model that is there, even for one": ([head(1, "ann", "a"), head(2, "bob", "b"), head(3, "eve", "b")], A, {}, 1),
    "rows of one person count once for each model": ([head(1, "ann", "b"), head(2, "bob", "c")], NOTHING, {}, 1),
    "a chat before a picture that has to be loaded": ([head(1, "ann", "b"), head(2, "bob", "chat")], A, {}, 2),
    "a picture that is there before a chat that is not": ([head(1, "ann", "a"), head(2, "bob", "chat")], A, {}, 1),
    "a chat beside the picture model": (
        [head(1, "ann", "a"), head(2, "bob", "chat")], OnCard(image="a", chat=True), {}, 2,
    ),
    "chats of several people are worth a load": (
        [head(1, "ann", "b"), *(head(n, f"p{n}", "chat") for n in (2, 3, 4))], OnCard(image="b"), had(ann=200), 2,
    ),
    "a prompt goes with the chats": ([head(1, "ann", "b"), head(2, "bob", "prompt")], OnCard(chat=True), {}, 2),
    "a description loads nothing": ([head(1, "ann", "b"), head(2, "bob", "describe")], A, {}, 2),
    "one's own chat before one's batch": ([head(1, "ann", "b"), head(9, "ann", "chat")], NOTHING, {}, 9),
    "chats among themselves are fair": (
        [head(1, "ann", "chat"), head(2, "bob", "chat")], OnCard(chat=True), had(ann=30), 2,
    ),
    "what leaves has to come back for others": (
        [head(1, "ann", "a"), head(2, "bob", "b"), head(3, "eve", "b")], A, had(ann=140), 1,
    ),
    "but not for people who had much": (
        [head(1, "ann", "a"), head(2, "bob", "b"), head(3, "eve", "b")], A, had(ann=1_000), 2,
    ),
    "what nobody waits for may leave": (
        [head(1, "ann", "describe"), head(2, "bob", "b"), head(3, "eve", "b")], A, had(ann=210), 2,
    ),
    "a language model beside stays, so an image model costs its own load": (
        [head(1, "ann", "chat"), head(2, "bob", "b"), head(3, "eve", "b")], OnCard(image="a", chat=True),
        had(ann=160), 2,
    ),
    "one that is alone on the card leaves": (
        [head(1, "ann", "chat"), head(2, "bob", "b"), head(3, "eve", "b")], OnCard(chat=True), had(ann=160), 1,
    ),
    "two minutes count twice": (
        [head(1, "ann", "b", at=NOW - 120), head(2, "bob", "c", at=NOW), head(3, "eve", "c", at=NOW - 1)], NOTHING,
        had(ann=15), 1,
    ),
    "more than two minutes do not count more": (
        [head(1, "ann", "b", at=NOW - 100_000), *(head(n, f"p{n}", "c", at=NOW) for n in (2, 3, 4))], NOTHING,
        had(ann=30), 2,
    ),
    "nobody is overtaken beyond the bound": ([head(1, "ann", "b", overtaken=111), head(2, "bob", "a")], A, {}, 1),
    "up to the bound": ([head(1, "ann", "b", overtaken=110), head(2, "bob", "a")], A, {}, 2),
    "a chat has less patience": ([head(1, "ann", "chat", overtaken=31), head(2, "bob", "a")], A, {}, 1),
    "another one that may, where the best may not": (
        [head(1, "ann", "chat", overtaken=40), head(2, "bob", "a"), head(3, "eve", "a")], A, {}, 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_next(case: str) -> None:
    heads, on_card, service, expected = CASES[case]
    choice = choose(heads, on_card=on_card, served=service, now=NOW, bounds=BOUNDS, costs=Costs())
    assert (choice.seq if choice else None) == expected


def test_what_it_costs_and_whom_it_overtakes() -> None:
    heads = [head(1, "ann", "b"), head(2, "bob", "c"), head(3, "eve", "c"), head(4, "dan", "c")]
    choice = choose(heads, on_card=A, served=had(bob=60), now=NOW, bounds=BOUNDS, costs=Costs())
    assert choice == Choice(seq=3, seconds=30.0, overtaken=(1, 2)), "the load is part of the cost"


def test_whose_turn_it_is_overtakes_nobody() -> None:
    choice = choose([head(1, "ann"), head(2, "bob")], on_card=A, served={}, now=NOW, bounds=BOUNDS, costs=Costs())
    assert choice == Choice(seq=1, seconds=10.0)


def test_a_kind_that_cannot_run_is_left_out() -> None:
    heads = [head(1, "ann"), head(2, "bob", "chat")]

    def left(*skip: str) -> Choice | None:
        return choose(heads, on_card=NOTHING, served={}, now=NOW, bounds=BOUNDS, costs=Costs(), skip=frozenset(skip))

    assert left("chat") == Choice(seq=1, seconds=30.0)
    assert left("chat", "image") is None


def test_beside_the_card_nothing_is_loaded() -> None:
    choice = choose(
        [head(1, "ann", "chat")], on_card=OnCard(beside=True), served={}, now=NOW, bounds=BOUNDS, costs=Costs()
    )
    assert choice == Choice(seq=1, seconds=10.0)


def test_turns_go_by_the_last_service() -> None:
    """Also of people whose rows came long ago, and for the same name at two clients apart."""
    other = replace(head(2, "ann"), client="d")
    served = {("c", "ann"): Service(at=50.0), ("c", "bob"): Service(at=40.0)}
    order = fair_order([head(1, "ann"), other, head(3, "bob"), head(60, "eve")], served)
    assert [row.seq for row in order] == [2, 3, 1, 60]


def test_what_somebody_had_is_forgotten() -> None:
    assert Service(at=0.0, seconds=80.0).recent(1_200.0) == pytest.approx(20.0)
    assert Service(at=2_000.0, seconds=80.0).recent(1_200.0) == 80.0, "a clock that was set back"


def test_forty_pictures_do_not_hold_up_one() -> None:
    """A run of the whole queue, as it comes out step by step."""
    waiting = [head(seq, "ann", "a") for seq in range(40)] + [head(50, "bob", "b"), head(51, "eve", "b")]
    served: dict[tuple[str, str], Service] = {}
    overtaken: dict[int, float] = {}
    on_card, order, now = A, [], 60.0
    while waiting:
        heads = [
            replace(row, overtaken_seconds=overtaken.get(row.seq, 0.0))
            for row in {(row.owner, row.model): row for row in reversed(waiting)}.values()
        ]
        choice = choose(heads, on_card=on_card, served=served, now=now, bounds=BOUNDS, costs=Costs())
        assert choice is not None
        for seq in choice.overtaken:
            overtaken[seq] = overtaken.get(seq, 0.0) + choice.seconds
        row = next(row for row in waiting if row.seq == choice.seq)
        waiting.remove(row)
        before = served.get(("c", row.owner))
        served["c", row.owner] = Service(at=now, seconds=choice.seconds + (before.recent(now) if before else 0.0))
        on_card = OnCard(image=row.model)
        order.append(row.seq)
        now += choice.seconds
    place = order.index(50)
    assert place <= 8, "bob waits for a few of ann's, not for all"
    assert order[place + 1] == 51, "both with one load"
    assert order[:place] + order[place + 2 :] == list(range(40))
    assert max(overtaken.values()) <= BOUNDS.picture
