"""The place in the sync, and the keys that it brought, when something dies or the disk is full."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mautrix.client import Client, SyncStream
from mautrix.client.state_store import MemoryStateStore
from mautrix.crypto import OlmMachine, OutboundGroupSession, PgCryptoStore
from mautrix.types import DeviceID, DeviceIdentity, EventType, RoomID, SessionID, ToDeviceEvent, TrustState, UserID
from mautrix.util.async_db import Database
from sqlite_errors import coded

from otterbot.inbox import durable_sync
from otterbot.inbox.durable_sync import PlaceBefore, install

LOG = logging.getLogger("test.durable.sync")
ROOM = RoomID("!room:lab.test")


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


# ---------------------------------------------------------------- room keys, by real machines on real stores


class Peer:
    """An account with its store; both ends of one Olm session are such."""

    def __init__(self, name: str, db: Database) -> None:
        self.user = UserID(f"@{name}:lab.test")
        self.client: Any = Client(mxid=self.user, device_id=DeviceID(name), base_url="http://127.0.0.1:9", token="t",
                                  state_store=MemoryStateStore(), sync_store=Stored("s1"))  # fmt: skip
        self.store = PgCryptoStore(str(self.user), "pickle", db)
        self.machine = OlmMachine(self.client, self.store, self.client.state_store)  # type: ignore[arg-type]
        self.client.crypto = self.machine

    async def load(self) -> Peer:
        await self.store.put_device_id(DeviceID(self.client.device_id))
        await self.machine.load()
        return self

    async def device(self) -> DeviceIdentity:
        account = self.machine.account
        assert account is not None
        return DeviceIdentity(user_id=self.user, device_id=self.client.device_id, identity_key=account.identity_key,
                              signing_key=account.signing_key, trust=TrustState.UNVERIFIED, deleted=False,
                              name="")  # fmt: skip


@pytest_asyncio.fixture
async def dbs(tmp_path: Path) -> AsyncIterator[dict[str, Database]]:
    found = {}
    for name in ("bot", "ann"):
        found[name] = Database.create(f"sqlite:{tmp_path / name}.db", upgrade_table=PgCryptoStore.upgrade_table)
        await found[name].start()
    yield found
    for db in found.values():
        await db.stop()


@pytest_asyncio.fixture
async def peers(dbs: dict[str, Database]) -> AsyncIterator[tuple[Peer, Peer]]:
    bot, ann = [await Peer(name, db).load() for name, db in dbs.items()]
    yield bot, ann
    for peer in (bot, ann):
        await peer.client.api.session.close()


async def room_key(bot: Peer, ann: Peer) -> tuple[ToDeviceEvent, SessionID]:
    """What the homeserver brings when Ann has made a new key for her room."""
    device = await bot.device()
    if not await ann.store.has_session(device.identity_key):
        account = bot.machine.account
        assert account is not None
        account.generate_one_time_keys(1)
        one_time = next(iter(account.one_time_keys["curve25519"].values()))
        account.mark_keys_as_published()
        await bot.store.put_account(account)
        ours = ann.machine.account
        assert ours is not None
        await ann.store.add_session(device.identity_key, ours.new_outbound_session(device.identity_key, one_time))
    olm = await ann.store.get_latest_session(device.identity_key)
    assert olm is not None
    megolm = OutboundGroupSession(ROOM)
    content = await ann.machine._encrypt_olm_event(olm, device, EventType.ROOM_KEY, megolm.share_content)
    event = {"type": "m.room.encrypted", "sender": str(ann.user), "content": content.serialize()}
    return ToDeviceEvent.deserialize(event), SessionID(megolm.id)


async def brought(peer: Peer, event: ToDeviceEvent) -> None:
    """Dispatched as a sync does it, until everything that the sync waits for is done."""
    tasks = peer.client.dispatch_event(event, source=SyncStream.TO_DEVICE)
    assert tasks, "the next sync waits for it"
    await asyncio.gather(*tasks)


async def test_a_room_key_is_there_before_the_next_sync(peers: tuple[Peer, Peer]) -> None:
    bot, ann = peers
    install(bot.client, LOG)
    for _ in range(3):
        event, session = await room_key(bot, ann)
        await brought(bot, event)
        assert await bot.store.has_group_session(ROOM, session)


async def test_several_at_once_from_one_device(peers: tuple[Peer, Peer]) -> None:
    bot, ann = peers
    install(bot.client, LOG)
    sent = [await room_key(bot, ann) for _ in range(4)]
    await asyncio.gather(*(brought(bot, event) for event, _ in sent))
    assert [await bot.store.has_group_session(ROOM, session) for _, session in sent] == [True] * 4


@pytest.mark.parametrize("known", [False, True], ids=["first contact", "known device"])
async def test_after_a_death_before_it_was_kept_it_can_be_decrypted_again(
    peers: tuple[Peer, Peer], dbs: dict[str, Database], known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The homeserver brings it again, since the place in the sync was not stored either."""
    bot, ann = peers
    install(bot.client, LOG)
    if known:
        await brought(bot, (await room_key(bot, ann))[0])
    event, session = await room_key(bot, ann)
    reached = asyncio.Event()

    async def stands_still(*_: Any) -> None:
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(bot.store, "put_group_session", stands_still)
    handling = asyncio.create_task(brought(bot, event))
    await asyncio.wait_for(reached.wait(), 60)
    for task in [one for one in asyncio.all_tasks() if one.get_name() == "otterbot room key"]:
        task.cancel()  # the process is gone
    await asyncio.gather(handling, return_exceptions=True)
    again = await Peer("bot", dbs["bot"]).load()
    install(again.client, LOG)
    for _ in range(2):  # and once more, if it dies behind the key
        await brought(again, event)
        assert await again.store.has_group_session(ROOM, session)
    await again.client.api.session.close()


async def test_a_ratchet_that_is_mended_beside_the_handling_is_stored(
    peers: tuple[Peer, Peer], dbs: dict[str, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    """mautrix answers what it cannot decrypt in a task of its own, which began inside the handling. If the ratchet that
    has moved on for that were not stored, the next life would encrypt a room key with the same key once more."""
    bot, ann = peers
    install(bot.client, LOG)
    await brought(bot, (await room_key(bot, ann))[0])
    theirs = await ann.device()
    sent: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def answer(*_: Any) -> None:
        await asyncio.sleep(0.05)
        olm = await bot.store.get_latest_session(theirs.identity_key)
        assert olm is not None
        sent.set_result(await bot.machine._encrypt_olm_event(olm, theirs, EventType.TO_DEVICE_DUMMY, {}))

    monkeypatch.setattr(bot.machine, "_unwedge_session", answer)
    broken, _ = await room_key(bot, ann)
    for message in broken.content.ciphertext.values():
        message.body = message.body[:-4] + ("AAAA" if message.body[-4:] != "AAAA" else "BBBB")
    await asyncio.gather(brought(bot, broken), return_exceptions=True)
    first = (await asyncio.wait_for(sent, 10)).ciphertext[theirs.identity_key]

    again = await Peer("bot", dbs["bot"]).load()
    olm = await again.store.get_latest_session(theirs.identity_key)
    assert olm is not None
    content = await again.machine._encrypt_olm_event(olm, theirs, EventType.TO_DEVICE_DUMMY, {})
    await again.client.api.session.close()
    at_ann = await ann.store.get_latest_session((await bot.device()).identity_key)
    assert at_ann is not None
    for message in (first, content.ciphertext[theirs.identity_key]):
        assert "m.dummy" in at_ann.decrypt(message), "each with a key of its own"


async def test_on_a_full_disk_it_is_kept_as_soon_as_there_is_space(
    peers: tuple[Peer, Peer], dbs: dict[str, Database]
) -> None:
    bot, ann = peers
    install(bot.client, LOG)
    event, session = await room_key(bot, ann)
    await dbs["bot"].execute("PRAGMA query_only = 1")
    handling = asyncio.create_task(brought(bot, event))
    await asyncio.sleep(0.1)
    assert not handling.done()
    await dbs["bot"].execute("PRAGMA query_only = 0")
    await handling
    assert await bot.store.has_group_session(ROOM, session)


async def test_one_time_keys_are_stored_before_anybody_can_take_them(
    peers: tuple[Peer, Peer], dbs: dict[str, Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    bot, _ = peers
    taken: list[dict[str, Any]] = []

    async def dies_behind_it(*, one_time_keys: Any = None, **_: Any) -> Any:
        if one_time_keys is None:
            return {}
        taken.append(one_time_keys)
        raise asyncio.CancelledError

    monkeypatch.setattr(bot.client, "upload_keys", dies_behind_it)
    install(bot.client, LOG)
    with pytest.raises(asyncio.CancelledError):
        await bot.machine.share_keys()
    again = await Peer("bot", dbs["bot"]).load()
    assert again.machine.account is not None
    known = set(again.machine.account.one_time_keys["curve25519"].values())
    assert {key["key"] for key in taken[0].values()} <= known
    await again.client.api.session.close()


async def test_what_is_no_fault_of_the_disk_is_raised() -> None:
    async def broken() -> None:
        raise coded(sqlite3.SQLITE_ERROR)

    with pytest.raises(sqlite3.OperationalError):
        await durable_sync.surely(broken, LOG)


async def test_after_a_reload_of_the_plugin_each_is_wrapped_once(peers: tuple[Peer, Peer]) -> None:
    bot, ann = peers
    first = bot.client.sync_store
    for _ in range(3):
        install(bot.client, LOG)
    assert bot.client.sync_store.otterbot_original is first
    assert not hasattr(bot.store.put_group_session.otterbot_original, "otterbot_original")  # type: ignore[attr-defined]
    assert len(bot.client.event_handlers[EventType.TO_DEVICE_ENCRYPTED]) == 1
    event, session = await room_key(bot, ann)
    await brought(bot, event)
    assert await bot.store.has_group_session(ROOM, session)
