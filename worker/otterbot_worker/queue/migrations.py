"""The database's versions: each step runs once, in order, in one transaction with its number."""

from __future__ import annotations

import aiosqlite

STEPS: tuple[str, ...] = (
    """
    CREATE TABLE jobs (
        id TEXT PRIMARY KEY,
        client TEXT NOT NULL,
        key TEXT NOT NULL,
        body_hash TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('image', 'chat')),
        owner TEXT NOT NULL,
        room TEXT NOT NULL,
        private INTEGER NOT NULL,
        created_at REAL NOT NULL,
        request TEXT NOT NULL,
        content TEXT,
        forgotten INTEGER NOT NULL DEFAULT 0,
        UNIQUE (client, key)
    );
    CREATE INDEX jobs_age ON jobs (created_at);
    CREATE INDEX jobs_of_client ON jobs (client, created_at);
    CREATE INDEX jobs_content ON jobs (id) WHERE content IS NOT NULL;
    CREATE INDEX jobs_private ON jobs (id) WHERE private = 1 AND forgotten = 0;
    CREATE TABLE rows (
        seq INTEGER PRIMARY KEY,
        job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
        idx INTEGER NOT NULL,
        client TEXT NOT NULL,
        owner TEXT NOT NULL,
        kind TEXT NOT NULL,
        model TEXT NOT NULL,
        work REAL NOT NULL,
        seed INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
        attempt INTEGER NOT NULL DEFAULT 0,
        gpu_deaths INTEGER NOT NULL DEFAULT 0,
        worker_deaths INTEGER NOT NULL DEFAULT 0,
        created_at REAL NOT NULL,
        claimed_at REAL,
        finished_at REAL,
        overtaken INTEGER NOT NULL DEFAULT 0,
        overtaken_at REAL,
        result TEXT,
        error TEXT,
        UNIQUE (job_id, idx)
    );
    CREATE INDEX rows_open ON rows (client, owner, kind, model, state, seq, work, job_id)
        WHERE state IN ('queued', 'running');
    CREATE INDEX rows_running ON rows (seq) WHERE state = 'running';
    CREATE TABLE served (
        client TEXT NOT NULL,
        owner TEXT NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (client, owner)
    ) WITHOUT ROWID;
    CREATE TABLE images (
        image_id TEXT PRIMARY KEY,
        client TEXT NOT NULL,
        job_id TEXT NOT NULL,
        idx INTEGER NOT NULL,
        relpath TEXT NOT NULL,
        mimetype TEXT NOT NULL,
        thumbnail_type TEXT NOT NULL,
        private INTEGER NOT NULL,
        created_at REAL NOT NULL,
        delivered_at REAL,
        gone_at REAL
    );
    CREATE INDEX images_relpath ON images (relpath);
    CREATE INDEX images_job ON images (job_id);
    CREATE INDEX images_here ON images (image_id) WHERE gone_at IS NULL;
    CREATE TABLE speeds (
        name TEXT PRIMARY KEY,
        value REAL NOT NULL,
        samples INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE meta (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE inputs (
        client TEXT NOT NULL,
        id TEXT NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        size INTEGER NOT NULL,
        private INTEGER NOT NULL,
        used_at REAL NOT NULL,
        PRIMARY KEY (client, id)
    ) WITHOUT ROWID;
    """,
    "ALTER TABLE inputs ADD COLUMN alpha INTEGER NOT NULL DEFAULT 0;",
    "ALTER TABLE inputs ADD COLUMN animated INTEGER NOT NULL DEFAULT 0;",
    "ALTER TABLE inputs ADD COLUMN colours TEXT NOT NULL DEFAULT '';",
    # Rows have the kinds "prompt" and "later" from here on, which an older worker would take for turns of a chat.
    "SELECT 1;",
    # Another kind of job. SQLite changes no CHECK, so the table is made anew; its rows are no longer held to a list of
    # kinds, which the program has. Foreign keys are off meanwhile: dropping the old one would take the rows with it.
    """
    CREATE TABLE jobs_made_anew (
        id TEXT PRIMARY KEY,
        client TEXT NOT NULL,
        key TEXT NOT NULL,
        body_hash TEXT NOT NULL,
        kind TEXT NOT NULL,
        owner TEXT NOT NULL,
        room TEXT NOT NULL,
        private INTEGER NOT NULL,
        created_at REAL NOT NULL,
        request TEXT NOT NULL,
        content TEXT,
        forgotten INTEGER NOT NULL DEFAULT 0,
        UNIQUE (client, key)
    );
    INSERT INTO jobs_made_anew SELECT
        id, client, key, body_hash, kind, owner, room, private, created_at, request, content, forgotten
        FROM jobs ORDER BY rowid;
    DROP TABLE jobs;
    ALTER TABLE jobs_made_anew RENAME TO jobs;
    CREATE INDEX jobs_age ON jobs (created_at);
    CREATE INDEX jobs_of_client ON jobs (client, created_at);
    CREATE INDEX jobs_content ON jobs (id) WHERE content IS NOT NULL;
    CREATE INDEX jobs_private ON jobs (id) WHERE private = 1 AND forgotten = 0;
    """,
    # Contact sheets: whether one is still to be made, and what it is. The pictures on one that was delivered may stay a
    # while longer, so that they can be chosen.
    """
    ALTER TABLE jobs ADD COLUMN sheet_owed INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE jobs ADD COLUMN sheet TEXT;
    CREATE INDEX jobs_sheets ON jobs (id) WHERE sheet_owed = 1;
    ALTER TABLE images ADD COLUMN keep_until REAL;
    CREATE INDEX images_kept ON images (keep_until) WHERE keep_until IS NOT NULL AND gone_at IS NULL;
    """,
    # What the schedule counts is seconds of work.
    """
    ALTER TABLE rows ADD COLUMN overtaken_seconds REAL NOT NULL DEFAULT 0;
    ALTER TABLE rows DROP COLUMN overtaken;
    ALTER TABLE rows DROP COLUMN overtaken_at;
    ALTER TABLE served ADD COLUMN seconds REAL NOT NULL DEFAULT 0;
    """,
    # Pictures that somebody wants to keep.
    "ALTER TABLE images ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;",
    # Jobs that have their picture from another one, by their keys: the file goes with the last of them. ``over``: that
    # job does not use it any more, which is said more than once; ``released``: the one that it was drawn for does not.
    """
    CREATE TABLE image_users (
        image_id TEXT NOT NULL,
        key TEXT NOT NULL,
        over INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (image_id, key)
    ) WITHOUT ROWID;
    ALTER TABLE images ADD COLUMN released INTEGER NOT NULL DEFAULT 0;
    """,
    # What the gallery shows and searches: its job is forgotten long before a picture. `model` is NULL until somebody
    # has looked. The index has what is shown, in its order, and all that is filtered by.
    """
    ALTER TABLE images ADD COLUMN model TEXT;
    ALTER TABLE images ADD COLUMN owner TEXT;
    ALTER TABLE images ADD COLUMN room TEXT;
    ALTER TABLE images ADD COLUMN prompt TEXT;
    ALTER TABLE images ADD COLUMN words TEXT;
    CREATE INDEX images_shown ON images (created_at DESC, image_id DESC, model, owner, room)
        WHERE gone_at IS NULL AND idx >= 0 AND (private = 0 OR kept = 1);
    CREATE INDEX images_untold ON images (image_id) WHERE model IS NULL AND gone_at IS NULL AND idx >= 0;
    """,
    # The card that is to draw a row if it can, by its name.
    """
    ALTER TABLE rows ADD COLUMN card TEXT NOT NULL DEFAULT '';
    DROP INDEX rows_open;
    CREATE INDEX rows_open ON rows (client, owner, kind, model, card, state, seq, work, job_id)
        WHERE state IN ('queued', 'running');
    """,
)


class DamagedDatabase(Exception):
    """The file is damaged."""


class NewerDatabase(Exception):
    """The database was written by a newer worker; going on could damage it."""


async def migrate(connection: aiosqlite.Connection) -> None:
    """Brings an open database, whose foreign keys are off, to this worker's version.

    :raises NewerDatabase: it has a version that this worker does not know
    """
    async with connection.execute("PRAGMA user_version") as cursor:
        found = await cursor.fetchone()
    version = int(found[0]) if found else 0
    if version > len(STEPS):
        raise NewerDatabase(f"the database has version {version}, this worker knows {len(STEPS)}: update the worker")
    for number, step in enumerate(STEPS[version:], start=version + 1):
        # executescript commits first, so the transaction has to be part of the script.
        await connection.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;")
