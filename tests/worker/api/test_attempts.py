"""Many wrong tokens from one address are not looked at for a while; whoever was let in before still is."""

from __future__ import annotations

from pathlib import Path

import pytest
from core_lab import OTHER, TOKEN, settings, worker_here
from set_clock import Clock

from otterbot_worker.api import attempts, auth
from otterbot_worker.api.attempts import KNOWN_SECONDS, MOST_ADDRESSES, MOST_KNOWN, MOST_WRONG, SECONDS, Attempts
from otterbot_worker.logs import Seldom

HERE = "10.0.0.1"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(attempts, "time", made)
    return made


def guess(made: Attempts, address: str = HERE, number: int = MOST_WRONG) -> None:
    for _ in range(number):
        assert made.admit(address, None, offered=True) is None


def test_the_address_waits_for_the_rest_of_the_minute(clock: Clock) -> None:
    made = Attempts()
    guess(made)
    clock.now += 15.5
    assert made.admit(HERE, None, offered=True) == 45
    assert made.admit(HERE, "right", offered=True) == 45, "a right guess is not told from a wrong one"
    assert made.admit("10.0.0.2", "right", offered=True) is None, "other addresses are not meant"
    assert made.admit(HERE, None, offered=False) is None, "no token is no guess"
    clock.now += 44.5
    assert made.admit(HERE, "right", offered=True) is None, "guesses meanwhile did not make it longer"
    guess(made)
    assert made.admit(HERE, None, offered=True) == SECONDS


def test_a_client_that_was_there_before_is_let_in(clock: Clock) -> None:
    made = Attempts()
    assert made.admit(HERE, "bot", offered=True) is None
    guess(made)
    assert made.admit(HERE, "bot", offered=True) is None
    assert made.admit(HERE, "another", offered=True) is not None
    clock.now += KNOWN_SECONDS + 1
    guess(made)
    assert made.admit(HERE, "bot", offered=True) is not None, "an hour ago is too long"


def test_a_household_is_one_address(clock: Clock) -> None:
    made = Attempts()
    for number in range(MOST_WRONG):
        made.admit(f"2001:db8::{number:x}", None, offered=True)
    assert made.admit("2001:db8::ffff", None, offered=True) is not None
    assert made.admit("2001:db8:0:1::1", None, offered=True) is None


def test_a_hundred_thousand_addresses_fill_no_memory(clock: Clock) -> None:
    made = Attempts()
    for number in range(100_000):
        made.admit(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", None, offered=True)
    for number in range(5_000):
        made.admit(HERE, f"token-{number}", offered=True)
    assert len(made._windows) <= MOST_ADDRESSES
    assert len(made._known) <= MOST_KNOWN


async def test_over_http(tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "_held", Seldom(auth.__name__, "held back"))  # other tests may have said it just now
    async with worker_here(settings(tmp_path)) as here:
        assert (await here.api.call("GET", "/v1/info"))[0] == 200
        for number in range(MOST_WRONG + 5):
            wrong = {"Authorization": f"Bearer wrong-token-{number:08}"}
            async with here.api.session.get(here.api.address + "/v1/info", headers=wrong) as response:
                problem = await response.json()
                assert response.status == 401
                held = number >= MOST_WRONG
                assert problem["code"] == ("too_many_wrong_tokens" if held else "unauthorized")
                assert ("Retry-After" in response.headers) == held
                if held:
                    wait = response.headers["Retry-After"]
                    assert problem["detail"].endswith(f"Please try again in {wait} s.")
        assert (await here.api.call("GET", "/v1/info"))[0] == 200, "this client was here before"
        assert (await here.other.call("GET", "/v1/info"))[0] == 401, "this one was not"
        assert (await here.other.call("GET", "/healthz"))[0] == 200
    held_lines = [record for record in caplog.records if record.name == "otterbot_worker.api.auth"]
    assert len(held_lines) == 1, "one line, however many requests"
    assert TOKEN not in caplog.text + str([vars(record) for record in caplog.records])
    assert OTHER not in caplog.text
