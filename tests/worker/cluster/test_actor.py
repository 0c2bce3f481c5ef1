"""What Ray makes of the class of the actor."""

from __future__ import annotations

import inspect

from otterbot_worker.cluster.actor import LaneActor


def test_no_method_is_a_coroutine() -> None:
    """With one, Ray calls all methods in one event loop: whoever asked for news let a picture wait for a second."""
    methods = inspect.getmembers(LaneActor, inspect.isfunction)
    assert len(methods) > 5
    assert [name for name, method in methods if inspect.iscoroutinefunction(method)] == []
