"""How a process on another machine ended comes through as it would on this one."""

from __future__ import annotations

import signal

import pytest

from otterbot_worker.cluster import exits
from otterbot_worker.gpu import deaths


@pytest.mark.parametrize("returncode", [75, 76, 77, 1, 3, -signal.SIGSEGV, -signal.SIGKILL])
def test_the_reason_is_the_one_of_the_other_machine(returncode: int) -> None:
    there = deaths.describe_exit(returncode, oom_kills_before=10**9)
    code = exits.code(returncode, there)
    assert 0 < code <= 255
    assert exits.reason(code) == there


def test_its_kernel_had_no_memory() -> None:
    assert exits.reason(exits.code(-signal.SIGKILL, "out_of_memory_killed")) == "out_of_memory_killed"


@pytest.mark.parametrize("relay", [None, 0, 1, exits.EXIT_NODE_LOST, -signal.SIGKILL, -signal.SIGABRT])
def test_whatever_else_ends_a_relay_is_no_death_of_the_process(relay: int | None) -> None:
    assert exits.reason(relay) == exits.NODE_LOST
    assert "Ray cluster" in deaths.sentence(exits.NODE_LOST)


@pytest.mark.parametrize("returncode", [0, None])
def test_a_process_that_ended_without_a_fault_is_a_lane_that_is_gone(returncode: int | None) -> None:
    assert exits.reason(exits.code(returncode, "stopped")) == exits.NODE_LOST
