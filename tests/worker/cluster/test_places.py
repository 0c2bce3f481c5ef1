"""Which lanes a cluster has, and what they are called."""

from __future__ import annotations

from typing import Any

from otterbot_worker.cluster.places import NAME_MAX, PREFIX, places
from otterbot_worker.cluster.wire import Node


def node(identity: str, name: str, **fields: Any) -> Node:
    return Node(**{"id": identity, "name": name, "lanes": 1, "gpus": True, "here": False, **fields})


def names(*nodes: Node, here: bool = False, most: int = 9) -> list[str]:
    return [place.name for place in places(nodes, here=here, most=most)]


def test_a_machine_has_a_lane_for_each_of_its_cards() -> None:
    found = places([node("1", "10.0.0.7", lanes=2), node("2", "10.0.0.8")], here=False, most=9)
    assert [(place.name, place.node.id, place.number) for place in found] == [
        ("ray:10.0.0.7", "1", 0), ("ray:10.0.0.7-2", "1", 1), ("ray:10.0.0.8", "2", 0),
    ]  # fmt: skip


def test_the_name_stays_when_a_machine_comes_again() -> None:
    assert names(node("1", "attic"), node("2", "cellar")) == names(node("9", "cellar"), node("8", "attic"))


def test_two_machines_of_one_name() -> None:
    assert names(node("b", "box"), node("a", "box")) == ["ray:box", "ray:box-2"]


def test_the_workers_own_machine_only_where_its_cards_do_not_draw_by_themselves() -> None:
    own = node("1", "den", here=True)
    assert names(own) == []
    assert names(own, here=True) == ["ray:den"]


def test_no_more_than_the_most() -> None:
    assert len(names(node("1", "box", lanes=10**6), most=5)) == 5


def test_names_of_other_machines_are_no_markup() -> None:
    (found,) = names(node("1", "<b>@room\n`x` " + "y" * 100))
    assert found.startswith("ray:-b--room--x--y")
    assert len(found) == len(PREFIX) + NAME_MAX
