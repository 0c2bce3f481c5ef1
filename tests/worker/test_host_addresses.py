"""Whose machine an address is."""

from __future__ import annotations

import pytest

from otterbot_worker.addresses import at_home, check
from otterbot_worker.config import ChatConfig

HOME = (
    "http://127.0.0.1:8080", "http://localhost/v1", "http://[::1]:1", "http://10.1.2.3", "http://192.168.0.9:1/v1",
    "http://172.16.0.1", "http://[fd00::1]", "http://[fe80::1%25eth0]/", "http://100.64.0.7", "http://llm", "http://llm.lan",
    "http://LLM.Local.", "http://box.home.arpa", "http://169.254.1.1",
)  # fmt: skip
AWAY = (
    "https://api.openai.com/v1", "http://8.8.8.8", "http://[2606:4700::1111]", "http://[::ffff:8.8.8.8]",
    "https://evil.lan.example.org", "http://127.0.0.1.nip.io", "http://user:pw@api.openai.com", "http://0.0.0.0",
    "http://localhost@8.8.8.8", "http://134744072", "http://0x8080808", "http://home.example",
)  # fmt: skip


@pytest.mark.parametrize("url", HOME)
def test_at_home(url: str) -> None:
    assert at_home(url)
    check(url, None)


@pytest.mark.parametrize("url", AWAY)
def test_somebody_elses(url: str) -> None:
    assert not at_home(url)
    with pytest.raises(ValueError, match="somebody else"):
        check(url, None)


@pytest.mark.parametrize("url", ["http://", "http:///v1", "http://[::1"])
def test_no_host(url: str) -> None:
    with pytest.raises(ValueError, match="no host"):
        check(url, None)


def test_a_cloud_is_named_by_its_host() -> None:
    check("https://api.openai.com/v1", "API.openai.com")
    with pytest.raises(ValueError, match="somebody else"):
        check("https://api.openai.com.evil.org/v1", "api.openai.com")
    with pytest.raises(ValueError, match="your own network"):
        check("http://127.0.0.1", "api.openai.com")


def test_whether_chats_leave() -> None:
    assert not ChatConfig().leaves_home
    assert not ChatConfig(backend="openai", url="http://127.0.0.1").leaves_home
    assert ChatConfig(backend="openai", url="https://a.example/v1", cloud="a.example").leaves_home
