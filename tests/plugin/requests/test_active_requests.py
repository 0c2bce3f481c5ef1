"""What the log says of the worker's state: once, with what to do."""

from __future__ import annotations

import logging

import pytest

from otterbot.clock import Clock
from otterbot.requests.active_requests import ActiveRequests
from otterbot.worker.info import Pause


def test_a_refused_token_is_one_warning_until_it_was_taken(caplog: pytest.LogCaptureFixture) -> None:
    active = ActiveRequests(Clock(), logging.getLogger("otterbot.test"))
    for _ in range(3):
        active.worker_lost(unauthorized=True, foreign=False)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "Put the token of its setup into worker.token of this instance" in record.getMessage()
    active.worker_lost(unauthorized=False, foreign=False)
    assert len(caplog.records) == 1, "a worker that is off says nothing of the token"
    active.worker.there(Pause(paused=False))
    active.worker_lost(unauthorized=True, foreign=False)
    assert len(caplog.records) == 2


def test_another_program_at_its_address_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    active = ActiveRequests(Clock(), logging.getLogger("otterbot.test"))
    for _ in range(3):
        active.worker_lost(unauthorized=False, foreign=True)
    assert [record.getMessage() for record in caplog.records] == [
        "Something else than the worker answers at worker.url"
    ]
