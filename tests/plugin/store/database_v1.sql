-- The plugin's database as version 0.1.0 made it. Never changed.
BEGIN TRANSACTION;
CREATE TABLE handled (
        event_id TEXT PRIMARY KEY,
        room_id  TEXT NOT NULL,
        at       DOUBLE PRECISION NOT NULL
    );
INSERT INTO "handled" VALUES('$old','!room:test',1700000001.0);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO "meta" VALUES('installed_at','1700000000.5');
CREATE TABLE parts (
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
    );
CREATE TABLE requests (
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
    );
INSERT INTO "requests" VALUES('0123456789012345678901234567890123456789','!room:test','$old',NULL,'@a:test','image','kept','{"prompt": "an otter", "seed": 7}','{}','[]',0,NULL,NULL,NULL,1700000001.0,1700086401.0,NULL,NULL,NULL,0);
CREATE TABLE rooms (
        room_id            TEXT PRIMARY KEY,
        joined_at          DOUBLE PRECISION,
        greeted_at         DOUBLE PRECISION,
        last_picture_event TEXT
    );
INSERT INTO "rooms" VALUES('!room:test',1700000000.0,1700000000.0,'$picture');
CREATE TABLE settings (
        room_id TEXT NOT NULL,
        name    TEXT NOT NULL,
        value   TEXT NOT NULL,
        PRIMARY KEY (room_id, name)
    );
INSERT INTO "settings" VALUES('!room:test','model','otter-noise');
CREATE TABLE version (
                version INTEGER PRIMARY KEY
            );
INSERT INTO "version" VALUES(1);
CREATE INDEX handled_at ON handled (at);
CREATE INDEX requests_state ON requests (state);
CREATE INDEX requests_event ON requests (event_id);
CREATE INDEX parts_state ON parts (state);
CREATE INDEX parts_event ON parts (event_id);
COMMIT;
