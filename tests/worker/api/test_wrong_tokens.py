"""What the log says of tokens that are wrong, and of other things that an operator should mend."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from core_lab import TOKEN, settings, worker_here
from set_clock import Clock

from otterbot_worker import privacy
from otterbot_worker.api import server, wrong_tokens
from otterbot_worker.api.wrong_tokens import HOUR, MOST, WrongTokens

SECRET = "a-token-that-is-wrong-0123456789"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(wrong_tokens, "time", made)
    return made


async def test_a_wrong_token_is_one_warning_and_never_the_token(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with worker_here(settings(tmp_path)) as here:
        for _ in range(5):
            status, _ = await here.api.call("GET", "/v1/info", headers={"Authorization": f"Bearer {SECRET}"})
            assert status == 401
        assert (await here.api.call("GET", "/v1/info", headers={"Authorization": f"Bearer {TOKEN}"}))[0] == 200
        assert (await here.api.call("GET", "/healthz", headers={"Authorization": "Bearer x"}))[0] == 200
    (line,) = [record for record in caplog.records if record.name == wrong_tokens.__name__]
    assert line.levelno == logging.WARNING
    assert line.getMessage().startswith("a request had a wrong token; put the line of this file into worker.token")
    assert vars(line)["address"] == "127.0.0.1"
    assert vars(line)["file"] == str(tmp_path / "token")
    assert SECRET not in caplog.text + str([vars(record) for record in caplog.records])


def test_each_address_is_said_once_an_hour(clock: Clock, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    wrong = WrongTokens(tmp_path / "token")
    for address in ("10.0.0.1", "10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2", "fe80::1%eth0"):
        wrong.refused(address, offered=False)
    said = [vars(record)["address"] for record in caplog.records]
    assert said == ["10.0.0.1", "10.0.0.2", "2001:db8::1", "fe80::1%eth0"], "one household is one address"
    assert caplog.records[0].getMessage().startswith("a request had no token; ")
    clock.now += HOUR + 1
    wrong.refused("10.0.0.1", offered=True)
    assert (len(caplog.records), vars(caplog.records[-1])["refused_before"]) == (5, 1)


def test_ten_thousand_addresses_fill_neither_log_nor_memory(
    clock: Clock, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    wrong = WrongTokens(tmp_path / "token")
    for number in range(10_000):
        wrong.refused(f"10.0.{number // 250}.{number % 250}", offered=True)
    assert len(wrong._seen) == MOST
    assert len(caplog.records) <= MOST + 1
    clock.now += HOUR + 1
    wrong.refused("192.0.2.1", offered=True)
    assert vars(caplog.records[-1])["address"] == "192.0.2.1", "an hour later there is room"


def test_root_and_an_open_key_are_one_warning_each(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key.pem"
    key.touch(0o600)
    chat = {"backend": "openai", "url": "http://127.0.0.1:1/v1", "api_key_file": "chat-key", "ollama_url": None}
    (tmp_path / "chat-key").touch(0o600)
    config = settings(tmp_path, api={"tls_cert": tmp_path / "cert.pem", "tls_key": key}, chat=chat)
    monkeypatch.setattr(privacy.os, "geteuid", lambda: 1000)
    server._warn(config)
    assert caplog.text == ""
    key.chmod(0o644)
    (tmp_path / "chat-key").chmod(0o644)
    monkeypatch.setattr(privacy.os, "geteuid", lambda: 0)
    server._warn(config)
    assert [record.getMessage()[:24] for record in caplog.records] == [
        "the worker runs as root:",
        "everybody on this machin",
        "everybody on this machin",
    ]
    assert vars(caplog.records[2])["file"] == str(tmp_path / "chat-key")
    assert vars(caplog.records[1])["file"] == str(key)
