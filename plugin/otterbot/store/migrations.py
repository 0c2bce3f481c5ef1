"""The plugin's database, version by version. Works on SQLite and PostgreSQL.

Each upgrade runs once, in a transaction, in this order; none is ever changed after a release.
Times are Unix seconds; JSON stands in TEXT; flags are 0 and 1.
"""

from __future__ import annotations

from mautrix.util.async_db import Connection, UpgradeTable

upgrade_table = UpgradeTable()

_V1 = (
    """CREATE TABLE handled (
        event_id TEXT PRIMARY KEY,
        room_id  TEXT NOT NULL,
        at       DOUBLE PRECISION NOT NULL
    )""",
    "CREATE INDEX handled_at ON handled (at)",
    """CREATE TABLE requests (
        key          TEXT PRIMARY KEY,
        room_id      TEXT NOT NULL,
        event_id     TEXT NOT NULL,
        edit_id      TEXT,
        sender       TEXT NOT NULL,
        kind         TEXT NOT NULL,
        state        TEXT NOT NULL,
        body         TEXT,
        asked        TEXT NOT NULL,
        notes        TEXT NOT NULL,
        private      INTEGER NOT NULL,
        thread_root  TEXT,
        reply_to     TEXT,
        job_id       TEXT,
        created_at   DOUBLE PRECISION NOT NULL,
        expires_at   DOUBLE PRECISION NOT NULL,
        submitted_at DOUBLE PRECISION,
        done_at      DOUBLE PRECISION,
        outcome      TEXT,
        cancel_owed  INTEGER NOT NULL
    )""",
    "CREATE INDEX requests_state ON requests (state)",
    "CREATE INDEX requests_event ON requests (event_id)",
    """CREATE TABLE parts (
        key          TEXT NOT NULL,
        part         TEXT NOT NULL,
        room_id      TEXT NOT NULL,
        kind         TEXT NOT NULL,
        rank         INTEGER NOT NULL,
        state        TEXT NOT NULL,
        content      TEXT,
        event_id     TEXT,
        image_id     TEXT,
        acked        INTEGER NOT NULL,
        delete_owed  INTEGER NOT NULL,
        updated_at   DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (key, part)
    )""",
    "CREATE INDEX parts_state ON parts (state)",
    "CREATE INDEX parts_event ON parts (event_id)",
    """CREATE TABLE rooms (
        room_id            TEXT PRIMARY KEY,
        joined_at          DOUBLE PRECISION,
        greeted_at         DOUBLE PRECISION,
        last_picture_event TEXT
    )""",
    """CREATE TABLE settings (
        room_id TEXT NOT NULL,
        name    TEXT NOT NULL,
        value   TEXT NOT NULL,
        PRIMARY KEY (room_id, name)
    )""",
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
)


async def upgrade_v1(conn: Connection) -> None:
    for statement in _V1:
        await conn.execute(statement)


async def upgrade_v2(conn: Connection) -> None:
    await conn.execute("ALTER TABLE requests ADD COLUMN sent_at DOUBLE PRECISION")


async def upgrade_v3(conn: Connection) -> None:
    await conn.execute("ALTER TABLE parts ADD COLUMN reason TEXT")
    # Have unsent pictures deleted: older versions left them with the worker for ever.
    await conn.execute("UPDATE parts SET delete_owed = 1 WHERE state IN ('failed', 'dropped') AND image_id IS NOT NULL")


async def upgrade_v4(conn: Connection) -> None:
    await conn.execute(
        """CREATE TABLE cross_signing (
            user_id      TEXT PRIMARY KEY,
            key_id       TEXT NOT NULL,
            recovery_key TEXT NOT NULL,
            made_at      DOUBLE PRECISION NOT NULL
        )"""
    )


async def upgrade_v5(conn: Connection) -> None:
    await conn.execute("ALTER TABLE rooms ADD COLUMN predecessor TEXT")
    await conn.execute("ALTER TABLE requests ADD COLUMN asked_in TEXT")
    await conn.execute("ALTER TABLE parts ADD COLUMN moved INTEGER NOT NULL DEFAULT 0")


async def upgrade_v6(conn: Connection) -> None:
    await conn.execute("ALTER TABLE requests ADD COLUMN resolved TEXT")


async def upgrade_v7(conn: Connection) -> None:
    await conn.execute("ALTER TABLE requests ADD COLUMN reaction TEXT")


async def upgrade_v8(conn: Connection) -> None:
    # Requests of older versions count as nothing, for a day at most.
    await conn.execute("ALTER TABLE requests ADD COLUMN asks INTEGER NOT NULL DEFAULT 0")
    await conn.execute("ALTER TABLE requests ADD COLUMN made INTEGER NOT NULL DEFAULT 0")
    await conn.execute("CREATE INDEX requests_created ON requests (created_at)")


async def upgrade_v9(conn: Connection) -> None:
    await conn.execute(
        """CREATE TABLE kept (
            event_id TEXT NOT NULL,
            sender   TEXT NOT NULL,
            room_id  TEXT NOT NULL,
            reaction TEXT NOT NULL,
            credit   TEXT NOT NULL,
            copy     TEXT,
            at       DOUBLE PRECISION NOT NULL,
            PRIMARY KEY (event_id, sender)
        )"""
    )
    await conn.execute("CREATE INDEX kept_reaction ON kept (reaction)")
    await conn.execute("ALTER TABLE parts ADD COLUMN keep_owed INTEGER NOT NULL DEFAULT 0")


async def upgrade_v10(conn: Connection) -> None:
    await conn.execute(
        """CREATE TABLE styles (
            room_id         TEXT NOT NULL,
            key             TEXT NOT NULL,
            name            TEXT NOT NULL,
            prompt          TEXT NOT NULL,
            negative_prompt TEXT NOT NULL,
            saved_at        DOUBLE PRECISION NOT NULL,
            PRIMARY KEY (room_id, key)
        )"""
    )


async def upgrade_v11(conn: Connection) -> None:
    await conn.execute(
        """CREATE TABLE told (
            room_id TEXT NOT NULL,
            what    TEXT NOT NULL,
            at      DOUBLE PRECISION NOT NULL,
            PRIMARY KEY (room_id, what)
        )"""
    )


upgrade_table.register(upgrade_v1, description="Requests, parts, handled events, rooms and their settings")
upgrade_table.register(upgrade_v2, description="When the message of a request was sent")
upgrade_table.register(upgrade_v3, description="Why a part could not be sent")
upgrade_table.register(upgrade_v4, description="The recovery key of the account")
upgrade_table.register(upgrade_v5, description="Rooms that were upgraded, and requests that moved with them")
upgrade_table.register(upgrade_v6, description="Requests as the worker has resolved them")
upgrade_table.register(upgrade_v7, description="Requests that were made by reactions")
upgrade_table.register(upgrade_v8, description="How much requests ask for, and what came of it")
upgrade_table.register(upgrade_v9, description="Pictures that people keep")
upgrade_table.register(upgrade_v10, description="Styles of rooms")
upgrade_table.register(upgrade_v11, description="Warnings that a room has been told")
