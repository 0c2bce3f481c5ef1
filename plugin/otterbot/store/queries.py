"""The plugin's SQL, by name. Both dialects take ``$1``, ``ON CONFLICT`` and ``RETURNING``."""

from __future__ import annotations

from .part_names import DONE, IN_ROOM, PROGRESS


def _quoted(*names: str) -> str:
    return ", ".join(f"'{name}'" for name in names)


INSTALLED = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING"
META = "SELECT value FROM meta WHERE name = $1"
META_SET = "UPDATE meta SET value = $2 WHERE name = $1 RETURNING name"

# -- events
IS_HANDLED = "SELECT 1 FROM handled WHERE event_id = $1"
MARK_HANDLED = (
    "INSERT INTO handled (event_id, room_id, at) VALUES ($1, $2, $3) "
    "ON CONFLICT (event_id) DO NOTHING RETURNING event_id"
)

# -- requests
ADD_REQUEST = (
    "INSERT INTO requests (key, room_id, event_id, edit_id, sender, kind, state, body, asked, notes, private, "
    "thread_root, reply_to, created_at, expires_at, sent_at, reaction, asks, asked_in, cancel_owed) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, 0) "
    "ON CONFLICT (key) DO NOTHING"
)
REQUEST = "SELECT * FROM requests WHERE key = $1"
REQUEST_BY_EVENT = "SELECT * FROM requests WHERE event_id = $1 AND reaction IS NULL ORDER BY created_at DESC LIMIT 1"
REQUEST_BY_REACTION = (
    "SELECT * FROM requests WHERE event_id = $1 AND sender = $2 AND reaction = $3 ORDER BY created_at DESC LIMIT 1"
)
REQUEST_BY_ANY_REACTION = (
    "SELECT * FROM requests WHERE event_id = $1 AND reaction = $2 ORDER BY created_at DESC LIMIT 1"
)
OPEN_REQUESTS = (
    "SELECT * FROM requests WHERE state <> 'done' AND (CAST($1 AS TEXT) IS NULL OR room_id = $1) "
    "AND (CAST($2 AS TEXT) IS NULL OR sender = $2) ORDER BY created_at"
)
COUNT_ELSEWHERE = "SELECT COUNT(*) FROM requests WHERE state <> 'done' AND room_id <> $1"
SUBMITTED = (
    "UPDATE requests SET state = 'submitted', job_id = $2, submitted_at = $3, "
    "resolved = COALESCE(CAST($4 AS TEXT), resolved) "
    "WHERE key = $1 AND state IN ('kept', 'submitted') RETURNING key"
)
SET_RESOLVED = "UPDATE requests SET resolved = $2 WHERE key = $1 AND state = 'submitted' RETURNING key"
SET_NOTES = "UPDATE requests SET notes = $2 WHERE key = $1"
KEPT_AGAIN = "UPDATE requests SET state = 'kept', job_id = NULL WHERE key = $1 AND state = 'submitted' RETURNING key"
SET_MADE = "UPDATE requests SET made = $2 WHERE key = $1 AND made < $2 RETURNING key"
SET_MADE_BACK = "UPDATE requests SET made = $2 WHERE key = $1 AND made > $2 RETURNING key"
USED = (
    "WITH RECURSIVE chain(id) AS (SELECT CAST($4 AS TEXT) UNION SELECT rooms.predecessor FROM rooms "
    "JOIN chain ON rooms.room_id = chain.id WHERE rooms.predecessor <> '') "
    "SELECT created_at, CASE WHEN state = 'done' THEN made ELSE asks END AS number FROM requests "
    "WHERE kind = $1 AND created_at > $2 AND (CAST($3 AS TEXT) IS NULL OR sender = $3) "
    "AND (CAST($4 AS TEXT) IS NULL OR room_id IN (SELECT id FROM chain))"
)
"""What is still open counts with what it asks for, what is over with what came of it. A room with those it replaces."""
FINISH = (
    "UPDATE requests SET state = 'done', outcome = $2, done_at = $3, cancel_owed = $4 "
    "WHERE key = $1 AND state <> 'done' RETURNING key"
)
CANCEL = (
    "UPDATE requests SET state = 'done', outcome = $4, done_at = $3, cancel_owed = 1 "
    "WHERE key = $1 AND (room_id = $2 OR asked_in = $2) AND state <> 'done' RETURNING *"
)
STOP = (
    "UPDATE requests SET cancel_owed = 1 "
    "WHERE key = $1 AND (room_id = $2 OR asked_in = $2) AND state = 'submitted' RETURNING *"
)
"""The worker is to stop, and the request ends with what has come by then."""
RETIME = (
    "UPDATE requests SET created_at = $2, expires_at = $3, sent_at = $4 "
    "WHERE key = $1 AND state <> 'done' RETURNING key"
)
LAST_TURN = (
    "SELECT * FROM requests WHERE room_id = $1 AND sender = $2 AND kind = 'chat' ORDER BY created_at DESC LIMIT 1"
)
LAST_DRAWN_IN = (
    "SELECT * FROM requests WHERE room_id = $1 AND thread_root = $2 AND kind = 'image' ORDER BY created_at DESC LIMIT 1"
)
UNCLOSED = (
    "SELECT * FROM requests WHERE outcome IN ('cancelled', 'replaced') AND done_at > $1 "
    f"AND NOT EXISTS (SELECT 1 FROM parts WHERE parts.key = requests.key AND parts.part = {_quoted(DONE)})"
)
CANCELS_OWED = "SELECT * FROM requests WHERE cancel_owed = 1"
OWE_CANCEL = "UPDATE requests SET cancel_owed = 1 WHERE key = $1 AND state = 'done' RETURNING key"
CANCEL_PAID = "UPDATE requests SET cancel_owed = 0 WHERE key = $1 RETURNING key"

# -- parts
_OWED = "CASE WHEN image_id IS NULL THEN 0 ELSE 1 END"
"""Pictures that will not be sent have to be deleted on the worker."""
ADD_PART = (
    "INSERT INTO parts (key, part, room_id, kind, rank, state, content, image_id, acked, delete_owed, updated_at, "
    "moved) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, $9, $10) ON CONFLICT (key, part) DO NOTHING RETURNING key"
)
PART = "SELECT * FROM parts WHERE key = $1 AND part = $2"
PARTS_OF = "SELECT * FROM parts WHERE key = $1"
PART_BY_EVENT = "SELECT * FROM parts WHERE event_id = $1"
LAST_PART = "SELECT MAX(updated_at) FROM parts WHERE room_id = $1 AND part = $2"
PENDING_PARTS = "SELECT * FROM parts WHERE state IN ('ready', 'sending') ORDER BY updated_at"
SENDING = (
    "UPDATE parts SET state = 'sending', updated_at = $3 "
    "WHERE key = $1 AND part = $2 AND state IN ('ready', 'sending') "
    # No result (rank 0) of a request that is over or goes on in another room by now.
    "AND (rank > 0 OR NOT EXISTS (SELECT 1 FROM requests WHERE requests.key = parts.key "
    "AND (requests.state = 'done' OR requests.room_id <> parts.room_id))) "
    "AND (CAST($4 AS TEXT) IS NULL OR room_id = $4) RETURNING key"
)
UNMARK = (
    "UPDATE parts SET state = 'ready', updated_at = $3 WHERE key = $1 AND part = $2 AND state = 'sending' RETURNING key"
)
SENT = (
    "UPDATE parts SET state = 'sent', event_id = $3, content = NULL, updated_at = $4 "
    "WHERE key = $1 AND part = $2 AND state IN ('ready', 'sending') RETURNING key"
)
FAILED = (
    "UPDATE parts SET state = 'failed', content = NULL, updated_at = $3, reason = $4, delete_owed = " + _OWED + " "
    "WHERE key = $1 AND part = $2 AND state IN ('ready', 'sending') RETURNING key"
)
DROP = (
    "UPDATE parts SET state = 'dropped', content = NULL, updated_at = $3, delete_owed = " + _OWED + " "
    "WHERE key = $1 AND part = $2 AND state = 'ready' RETURNING key"
)
NEW_IMAGE = (
    "UPDATE parts SET image_id = $3 WHERE key = $1 AND part = $2 AND state IN ('ready', 'sending') RETURNING key"
)
ACKS_OWED = "SELECT * FROM parts WHERE state = 'sent' AND acked = 0 AND image_id IS NOT NULL"
ACK_PAID = "UPDATE parts SET acked = 1 WHERE key = $1 AND part = $2 RETURNING key"
OWE_DELETE = "UPDATE parts SET delete_owed = 1 WHERE event_id = $1 AND image_id IS NOT NULL RETURNING key"
OWE_DELETE_OF = "UPDATE parts SET delete_owed = 1 WHERE key = $1 AND part = $2 AND image_id IS NOT NULL RETURNING key"
DELETES_OWED = "SELECT * FROM parts WHERE delete_owed = 1"
DELETE_PAID = "UPDATE parts SET delete_owed = 0 WHERE key = $1 AND part = $2 RETURNING key"

# -- pictures that are kept or deleted by whoever may
ADOPT = (
    "INSERT INTO parts (key, part, room_id, kind, rank, state, content, event_id, image_id, acked, delete_owed, "
    "updated_at, moved) VALUES ($1, $2, $3, $4, $5, 'sent', NULL, $6, $7, 1, 0, $8, 0) "
    "ON CONFLICT (key, part) DO NOTHING"
)
"""A picture that stands in the room, as its event says; the database may have forgotten it."""
DISCARD = "UPDATE parts SET delete_owed = 1, keep_owed = 0 WHERE key = $1 AND part = $2"
KEEP = (
    "INSERT INTO kept (event_id, sender, room_id, reaction, credit, copy, at) VALUES ($1, $2, $3, $4, $5, $6, $7) "
    "ON CONFLICT (event_id, sender) DO UPDATE SET reaction = $4"
)
OWE_KEEP = "UPDATE parts SET keep_owed = 1 WHERE event_id = $1 AND delete_owed = 0"
LET_GO = "DELETE FROM kept WHERE reaction = $1 RETURNING event_id"
LET_GO_OF = "DELETE FROM kept WHERE event_id = $1"
IS_KEPT = "SELECT 1 FROM kept WHERE event_id = $1 LIMIT 1"
COPIED = "SELECT * FROM kept WHERE copy = $1 ORDER BY at LIMIT 1"
KEEPS_OWED = "SELECT * FROM parts WHERE keep_owed = 1"
KEEP_PAID = "UPDATE parts SET keep_owed = 0 WHERE key = $1 AND part = $2 RETURNING key"

# -- requests that move with their room
MOVE_REQUESTS = (
    "UPDATE requests SET asked_in = COALESCE(asked_in, room_id), room_id = $2, "
    "private = CASE WHEN $3 = 1 THEN 1 ELSE private END WHERE room_id = $1 AND state <> 'done' "
    "RETURNING *"
)
MOVE_PART = (
    "UPDATE parts SET room_id = $4, kind = $5, content = $6, moved = 1, updated_at = $7 "
    "WHERE key = $1 AND part = $2 AND room_id = $3 AND state = 'ready' RETURNING key"
)
LEFT_BEHIND = (
    f"UPDATE parts SET part = part || '{IN_ROOM}' || room_id WHERE room_id = $1 AND state = 'sent' "
    f"AND part IN ({_quoted(*PROGRESS)}) AND EXISTS (SELECT 1 FROM requests "
    "WHERE requests.key = parts.key AND requests.state <> 'done' AND requests.room_id <> parts.room_id) RETURNING key"
)

# -- rooms
LAST_PICTURE = "SELECT last_picture_event FROM rooms WHERE room_id = $1"
LAST_PICTURE_SET = (
    "INSERT INTO rooms (room_id, last_picture_event) VALUES ($1, $2) "
    "ON CONFLICT (room_id) DO UPDATE SET last_picture_event = $2"
)
SETTING = "SELECT value FROM settings WHERE room_id = $1 AND name = $2"
SET = (
    "INSERT INTO settings (room_id, name, value) VALUES ($1, $2, $3) "
    "ON CONFLICT (room_id, name) DO UPDATE SET value = $3"
)
UNSET = "DELETE FROM settings WHERE room_id = $1 AND name = $2"
SETTINGS = "SELECT name, value FROM settings WHERE room_id = $1"
INHERIT = "INSERT INTO settings (room_id, name, value) VALUES ($1, $2, $3) ON CONFLICT (room_id, name) DO NOTHING"
STYLES = "SELECT key, name, prompt, negative_prompt FROM styles WHERE room_id = $1 ORDER BY saved_at, key"
SAVE_STYLE = (
    "INSERT INTO styles (room_id, key, name, prompt, negative_prompt, saved_at) VALUES ($1, $2, $3, $4, $5, $6) "
    "ON CONFLICT (room_id, key) DO UPDATE SET name = $3, prompt = $4, negative_prompt = $5, saved_at = $6"
)
DELETE_STYLE = "DELETE FROM styles WHERE room_id = $1 AND key = $2"
INHERIT_STYLES = (
    "INSERT INTO styles (room_id, key, name, prompt, negative_prompt, saved_at) "
    "SELECT CAST($1 AS TEXT), key, name, prompt, negative_prompt, saved_at FROM styles WHERE room_id = $2 "
    "ON CONFLICT (room_id, key) DO NOTHING"
)
PREDECESSOR = "SELECT predecessor FROM rooms WHERE room_id = $1"
PREDECESSOR_SET = (
    "INSERT INTO rooms (room_id, predecessor) VALUES ($1, $2) ON CONFLICT (room_id) DO UPDATE SET predecessor = $2 "
    "WHERE rooms.predecessor IS NULL RETURNING room_id"
)
WAS_IN = "SELECT 1 FROM rooms WHERE room_id = $1 AND (joined_at IS NOT NULL OR greeted_at IS NOT NULL)"
JOINED = "INSERT INTO rooms (room_id, joined_at) VALUES ($1, $2) ON CONFLICT (room_id) DO UPDATE SET joined_at = $2"
GREETED = (
    "INSERT INTO rooms (room_id, greeted_at) VALUES ($1, $2) ON CONFLICT (room_id) DO UPDATE SET greeted_at = $2 "
    "WHERE rooms.greeted_at IS NULL RETURNING room_id"
)

TOLD = "SELECT what FROM told WHERE room_id = $1 AND at > $2"
TELL = "INSERT INTO told (room_id, what, at) VALUES ($1, $2, $3) ON CONFLICT (room_id, what) DO UPDATE SET at = $3"

# -- upkeep
PRUNE_TOLD = "DELETE FROM told WHERE at < $1"
PRUNE_HANDLED = "DELETE FROM handled WHERE at < $1"
PRUNE_REQUESTS = "DELETE FROM requests WHERE state = 'done' AND cancel_owed = 0 AND done_at < $1"
PRUNE_PARTS = "DELETE FROM parts WHERE image_id IS NULL AND updated_at < $1"
PRUNE_PICTURES = "DELETE FROM parts WHERE image_id IS NOT NULL AND updated_at < $1"

# -- the account's own keys
RECOVERY_KEY = "SELECT key_id, recovery_key FROM cross_signing WHERE user_id = $1"
KEEP_RECOVERY_KEY = (
    "INSERT INTO cross_signing (user_id, key_id, recovery_key, made_at) VALUES ($1, $2, $3, $4) "
    "ON CONFLICT (user_id) DO NOTHING"
)
