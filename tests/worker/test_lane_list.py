"""What `otterbot-worker lanes` prints."""

from __future__ import annotations

from typing import Any

from otterbot_worker import lane_list


def lane(name: str, **more: Any) -> dict[str, Any]:
    gpu = {"name": "RTX 3060", "device": "cuda:0", "resident": None} | more.pop("gpu", {})
    return {"name": name, "gpu": gpu, "busy": False, "paused": False, "rests": None, **more}


def shown(*lanes: dict[str, Any], paused: bool = False) -> list[str]:
    return list(lane_list.lines({"pause": {"paused": paused}, "lanes": list(lanes)}))


def test_a_line_for_each_card() -> None:
    lines = shown(
        lane("cuda:0", busy=True, gpu={"resident": "ssd-1b"}),
        lane("cuda:1", paused=True),
        lane("cuda:2", rests="The driver is gone."),
        lane("cpu", gpu={"name": "", "device": "cpu"}),
    )
    assert lines == [
        "cuda:0  RTX 3060: at work, ssd-1b is loaded",
        "cuda:1  RTX 3060: paused",
        "cuda:2  RTX 3060: rests for a while. The driver is gone.",
        "cpu     cpu: waits for work",
    ]


def test_a_pause_is_of_all_cards() -> None:
    assert shown(lane("cuda:0", busy=True), paused=True) == ["cuda:0  RTX 3060: paused"]
