"""The place in the sync, and the keys that it brought, when something dies or the disk is full."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from types import SimpleNamespace
from typing import Any

import pytest
from mautrix.types import EventType
from test_durable import coded

from otterbot import durable_sync
from otterbot.durable_sync import PlaceBefore, install

LOG = logging.getLogger("test.durable.sync")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable_sync, "SECONDS", (0.01,))


class Stored:
    """What survives: Maubot's row."""

    def __init__(self, place: str = "") -> None:
        self.place = place
        self.failures = 0

    async def put_next_batch(self, place: str) -> None:
        if self.failures:
            self.failures -= 1
            raise coded(sqlite3.SQLITE_FULL)
        self.place = place

    async def get_next_batch(self) -> str:
        return self.place


async def test_an_answer_is_stored_as_done_when_the_next_one_comes() -> None:
    stored = Stored("s1")
    places = PlaceBefore(stored, LOG)
    assert await places.get_next_batch() == "s1"
    await places.put_next_batch("s2")
    assert stored.place == "s1", "a kill now: the keys of this answer come again"
    await places.put_next_batch("s3")
    assert stored.place == "s2"


async def test_the_first_sync_of_all_is_not_asked_for_twice() -> None:
    stored = Stored()
    await PlaceBefore(stored, LOG).put_next_batch("s1")
    assert stored.place == "s1"


async def test_a_sync_that_begins_again_in_the_same_life_goes_on_where_it_was() -> None:
    stored = Stored("s1")
    places = PlaceBefore(stored, LOG)
    await places.put_next_batch("s2")
    await places.put_next_batch("s3")
    assert await places.get_next_batch() == "s3"


async def test_a_cleared_cache_counts() -> None:
    """Maubot's "clear cache" sets the place back."""
    stored = Stored("s1")
    places = PlaceBefore(stored, LOG)
    await places.put_next_batch("s2")
    stored.place = ""
    assert await places.get_next_batch() == ""


async def test_on_a_full_disk_the_sync_waits() -> None:
    stored = Stored("s1")
    places = PlaceBefore(stored, LOG)
    await places.put_next_batch("s2")
    stored.failures = 3
    await places.put_next_batch("s3")
    assert (stored.place, stored.failures) == ("s2", 0)


class Keys:
    """A store of keys on a disk that is full at times."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.failures = 2
        self.error: Exception = coded(sqlite3.SQLITE_FULL)

    async def put_group_session(self, session: str) -> None:
        if self.failures:
            self.failures -= 1
            raise self.error
        self.kept.append(session)


class FakeClient:
    """What ``install`` touches of a client."""

    def __init__(self) -> None:
        self.mxid = "@bot:lab.test"
        self.sync_store: Any = Stored("s1")
        self.crypto = SimpleNamespace(crypto_store=Keys(), handle_to_device_event=object())
        self.handlers: list[tuple[EventType, object, bool]] = []

    def remove_event_handler(self, kind: EventType, handler: object) -> None:
        self.handlers = [one for one in self.handlers if one[:2] != (kind, handler)]

    def add_event_handler(self, kind: EventType, handler: object, wait_sync: bool = False) -> None:
        self.handlers.append((kind, handler, wait_sync))


async def test_a_key_is_kept_as_soon_as_there_is_space_and_the_sync_waits_for_it() -> None:
    client: Any = FakeClient()
    install(client, LOG)
    keys = client.crypto.crypto_store
    await asyncio.wait_for(keys.put_group_session("key"), 5)
    assert keys.kept == ["key"]
    assert client.handlers == [(EventType.TO_DEVICE_ENCRYPTED, client.crypto.handle_to_device_event, True)]


async def test_what_is_no_fault_of_the_disk_is_raised() -> None:
    client: Any = FakeClient()
    install(client, LOG)
    client.crypto.crypto_store.error = coded(sqlite3.SQLITE_ERROR)
    with pytest.raises(sqlite3.OperationalError):
        await client.crypto.crypto_store.put_group_session("key")


async def test_after_a_reload_of_the_plugin_each_is_wrapped_once() -> None:
    client: Any = FakeClient()
    first = client.sync_store
    for _ in range(2):
        install(client, LOG)
    assert client.sync_store.otterbot_original is first
    write = client.crypto.crypto_store.put_group_session
    assert not hasattr(write.otterbot_original, "otterbot_original")
    assert len(client.handlers) == 1
