"""What the client's store of keys promises before anything is encrypted."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from mautrix.client import Client
from mautrix.client.state_store import MemoryStateStore
from mautrix.crypto import OlmMachine, OutboundGroupSession, PgCryptoStore
from mautrix.types import RoomID, UserID
from mautrix.util.async_db import Database
from sqlite_errors import coded

from otterbot.errors import AnswerLost
from otterbot.matrix.encryption import Encryption
from otterbot.store import durability
from otterbot.store.durability import CryptoStore, at_start, connections, passes, sqlite_full

BOT, OTHER = UserID("@bot:lab.test"), UserID("@other:lab.test")
ROOM = RoomID("!room:lab.test")
LOG = logging.getLogger("test.durable")


class StateStore(MemoryStateStore):
    """Enough of one for an ``OlmMachine`` that encrypts nothing."""


async def opened(path: Path, **options: Any) -> Database:
    db = Database.create(f"sqlite:{path}", upgrade_table=PgCryptoStore.upgrade_table, db_args=options)
    await db.start()
    return db


@pytest_asyncio.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    db = await opened(tmp_path / "crypto.db", min_size=3)
    yield db
    await db.stop()


@pytest_asyncio.fixture
async def client(db: Database) -> AsyncIterator[Client]:
    client = Client(mxid=BOT, base_url="http://127.0.0.1:9", token="secret", state_store=StateStore())
    store = PgCryptoStore(str(BOT), "pickle", db)
    client.crypto = OlmMachine(client, store, client.state_store)  # type: ignore[arg-type]
    yield client
    await client.api.session.close()


async def levels(db: Database) -> list[int]:
    """Of every connection: all of them are taken at once."""
    taken = [db.acquire_direct() for _ in range(connections(db))]
    found = [int(await (await connection.__aenter__()).fetchval("PRAGMA synchronous")) for connection in taken]
    for connection in taken:
        await connection.__aexit__(None, None, None)
    return found


async def test_mautrix_leaves_them_at_normal(db: Database) -> None:
    """What all of this is for; if it changes, this module can go."""
    assert await levels(db) == [1, 1, 1]


async def test_every_connection_syncs(db: Database) -> None:
    assert await sqlite_full(db)
    assert await levels(db) == [2, 2, 2]


async def test_a_connection_that_is_in_use_is_waited_for(db: Database) -> None:
    async with db.acquire_direct():
        task = asyncio.create_task(sqlite_full(db))
        await asyncio.sleep(3 * durability.PAUSE)
        assert not task.done()
    assert await task
    assert await levels(db) == [2, 2, 2]


async def test_one_that_never_comes_back_is_said(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durability, "ROUNDS", 2)
    async with db.acquire_direct():
        assert not await sqlite_full(db)


async def test_more_than_full_is_kept(tmp_path: Path) -> None:
    db = await opened(tmp_path / "extra.db", init_commands=["PRAGMA synchronous = EXTRA"])
    assert await sqlite_full(db)
    assert await levels(db) == [3]
    await db.stop()


async def test_connections_that_are_opened_later_sync(tmp_path: Path, db: Database) -> None:
    late = Database.create(f"sqlite:{tmp_path / 'late.db'}", db_args={"min_size": 2})
    durability._later_ones(late)
    await late.start()
    assert await levels(late) == [2, 2]
    await late.stop()


async def test_a_pool_of_another_scheme_is_left_alone() -> None:
    postgres: Any = SimpleNamespace(scheme="postgres")
    assert await sqlite_full(postgres)


# ---------------------------------------------------------------- keys for sending


async def add_session(db: Database, account: UserID, room: RoomID = ROOM) -> None:
    session = OutboundGroupSession(room)
    session.shared = True
    await PgCryptoStore(str(account), "pickle", db).add_outbound_group_session(session)


async def read_only(db: Database, on: bool) -> None:
    """Every connection refuses to write, with SQLite's own error."""
    for _ in range(connections(db)):
        await db.execute(f"PRAGMA query_only = {int(on)}")


async def owners(db: Database) -> list[str]:
    return [row["account_id"] for row in await db.fetch("SELECT account_id FROM crypto_megolm_outbound_session")]


async def test_keys_for_sending_are_made_anew_once(client: Client, db: Database) -> None:
    await add_session(db, BOT)
    await add_session(db, OTHER)
    store = CryptoStore(client)
    await store.secure()
    assert await owners(db) == [OTHER]
    await add_session(db, BOT)
    await store.secure()
    assert sorted(await owners(db)) == [BOT, OTHER]


async def test_nothing_is_encrypted_with_a_key_of_before(client: Client, db: Database) -> None:
    """Also where nobody asked for it at the start: the first message does."""
    await add_session(db, BOT)
    with pytest.raises(AnswerLost):  # there is no homeserver to share a new one
        await Encryption(client).encrypt(ROOM, "m.room.message", {"msgtype": "m.notice", "body": "otter"})
    assert await owners(db) == []


async def test_while_the_store_cannot_be_written_nothing_is_encrypted_and_nothing_given_up(
    client: Client, db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await add_session(db, BOT)
    encryption, said = Encryption(client), list[str]()
    await durability.sqlite_full(db)
    await read_only(db, True)
    with caplog.at_level(logging.ERROR):
        await at_start(encryption.store, said, "warning", LOG)
    assert "cannot be written" in caplog.text
    for _ in range(2):
        with pytest.raises(AnswerLost, match="OperationalError"):
            await encryption.encrypt(ROOM, "m.room.message", {})
    assert await owners(db) == [BOT]
    await read_only(db, False)
    await encryption.store.secure()
    assert await owners(db) == []
    assert said == []


async def test_a_store_that_cannot_be_set_is_said(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def never(_: Database) -> bool:
        return False

    monkeypatch.setattr(durability, "sqlite_full", never)
    said: list[str] = []
    await at_start(CryptoStore(client), said, "Say it.", LOG)
    assert said == ["Say it."]
    assert "Say it." in caplog.text


async def test_without_encryption_there_is_nothing_to_say(client: Client) -> None:
    client.crypto = None  # type: ignore[assignment]
    said: list[str] = []
    await at_start(CryptoStore(client), said, "Say it.", LOG)
    assert said == []


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (coded(sqlite3.SQLITE_FULL), True),
        (coded(sqlite3.SQLITE_IOERR_WRITE), True),
        (coded(sqlite3.SQLITE_CORRUPT), False),
        (coded(sqlite3.SQLITE_ERROR), False),
        (OSError(28, "No space left on device"), True),
        (type("DiskFullError", (Exception,), {"sqlstate": "53100"})(), True),
        (type("UndefinedTable", (Exception,), {"sqlstate": "42P01"})(), False),
        (ValueError(), False),
    ],
)
def test_what_passes(error: Exception, expected: bool) -> None:
    assert passes(error) is expected
