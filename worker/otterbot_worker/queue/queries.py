"""The store's SQL as named constants, so that tests examine the production queries.

``state IN ('queued', 'running')`` stands literally wherever open rows are meant: it is the condition of the
partial index ``rows_open``, and SQLite uses such an index only for the same words.
"""

_OPEN = "state IN ('queued', 'running')"
_QUEUED = f"{_OPEN} AND state = 'queued'"
_MINE = "job_id = ? AND idx = ? AND state = 'running' AND attempt = ?"

# ---------------------------------------------------------------- submitting

JOB_BY_KEY = "SELECT * FROM jobs WHERE client = ? AND key = ?"
INSERT_JOB = """
    INSERT INTO jobs (id, client, key, body_hash, kind, owner, room, private, created_at, request, content, sheet_owed)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *"""
INSERT_ROW = """
    INSERT INTO rows (job_id, idx, client, owner, kind, model, work, card, seed, state, created_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', ?)"""
DRAWN_BEFORE = """
    UPDATE rows SET state = 'succeeded', result = ?, finished_at = ? WHERE job_id = ? AND idx = ?
    AND EXISTS (SELECT 1 FROM images WHERE image_id = ? AND client = ? AND gone_at IS NULL) RETURNING seq"""
USE_IMAGE = "INSERT INTO image_users (image_id, key) VALUES (?, ?) ON CONFLICT DO NOTHING"
OPEN_OF_OWNER = f"SELECT COUNT(*) AS count FROM rows WHERE {_OPEN} AND client = ? AND owner = ?"
OPEN_OF_CLIENT = f"SELECT COUNT(*) AS count FROM rows WHERE {_OPEN} AND client = ?"
OPEN_CLIENTS = f"SELECT DISTINCT client FROM rows WHERE {_OPEN}"
_OF_LATE = f"""
    SELECT jobs.created_at AS at, COUNT(*) AS many FROM jobs JOIN rows ON rows.job_id = jobs.id
    WHERE jobs.client = ? AND jobs.created_at > ? AND jobs.kind {{}}
    AND (rows.{_OPEN} OR (claimed_at IS NOT NULL AND rows.state <> 'failed'))
    GROUP BY jobs.id ORDER BY jobs.created_at"""
PICTURES_OF_LATE = _OF_LATE.format("= 'image'")
"""Those that were drawn, are to be, or were cancelled while they were drawn. Not those that were in the archive
already."""
ANSWERS_OF_LATE = _OF_LATE.format("<> 'image'")

# ---------------------------------------------------------------- reading

JOB = "SELECT * FROM jobs WHERE id = ?1 AND (?2 IS NULL OR client = ?2)"
JOBS = """
    SELECT * FROM jobs WHERE client = ?1 AND (?2 IS NULL OR room = ?2) ORDER BY created_at DESC, rowid DESC LIMIT ?3"""
OPEN_JOBS = f"""
    SELECT * FROM jobs WHERE id IN (SELECT job_id FROM rows WHERE {_OPEN} AND client = ?1)
    AND (?2 IS NULL OR room = ?2) ORDER BY created_at, rowid LIMIT ?3"""
OPEN_IN_ROOMS = f"""
    SELECT * FROM jobs WHERE id IN (SELECT job_id FROM rows WHERE {_OPEN})
    AND room IN (SELECT value FROM json_each(?)) ORDER BY created_at, rowid"""
ROWS = "SELECT * FROM rows WHERE job_id IN (SELECT value FROM json_each(?)) ORDER BY job_id, idx"
ROW = "SELECT * FROM rows WHERE seq = ?"
OPEN_COUNTS = f"""
    SELECT COALESCE(SUM(state = 'queued'), 0) AS queued, COALESCE(SUM(state = 'running'), 0) AS running
    FROM rows WHERE {_OPEN}"""
RUNNING_JOBS = "SELECT job_id FROM rows WHERE state = 'running' GROUP BY job_id ORDER BY MIN(claimed_at)"
JOBS_OF = "SELECT * FROM jobs WHERE id IN (SELECT value FROM json_each(?))"
OPEN_ELSEWHERE = f"""
    SELECT COUNT(*) AS count FROM rows JOIN jobs ON jobs.id = rows.job_id
    WHERE rows.{_OPEN} AND NOT (jobs.client = ? AND jobs.room = ?)"""
HEADS = f"""
    SELECT rows.seq, client, owner, kind, model, card, work, created_at, overtaken_seconds, alike.count FROM rows JOIN (
        SELECT MIN(seq) AS seq, COUNT(*) AS count FROM rows WHERE {_QUEUED} GROUP BY client, owner, kind, model, card
    ) AS alike ON alike.seq = rows.seq"""
GROUPS = f"""
    SELECT client, owner, kind, model, COUNT(*) AS count, SUM(work) AS work, MIN(seq) AS first_seq
    FROM rows WHERE {_QUEUED} GROUP BY client, owner, kind, model"""
WAITING = f"SELECT DISTINCT job_id, owner, kind FROM rows WHERE {_QUEUED} AND client = ?"
SERVED = "SELECT client, owner, at, seconds FROM served"
_POSITIONS = """
    SELECT job_id, MIN(n) - 1 AS before, MAX(n) AS until FROM (
        SELECT job_id, ROW_NUMBER() OVER (PARTITION BY owner, kind IN ('chat', 'describe') ORDER BY seq) AS n
        FROM rows WHERE {})
    GROUP BY job_id"""
POSITIONS = _POSITIONS.format(f"{_QUEUED} AND client = ?")
POSITIONS_OF_OWNER = _POSITIONS.format(f"{_QUEUED} AND client = ? AND owner = ?")

# ---------------------------------------------------------------- transitions

CLAIM = """
    UPDATE rows SET state = 'running', attempt = attempt + 1, claimed_at = ?
    WHERE seq = ? AND state = 'queued' RETURNING *"""
SERVED_LAST = "SELECT MAX(at) AS at FROM served"
SERVED_SHIFT = "UPDATE served SET at = at - ?"
SERVED_OWNER = "SELECT at, seconds FROM served WHERE client = ? AND owner = ?"
SERVE = """
    INSERT INTO served (client, owner, at, seconds)
    VALUES (?1, ?2, MAX(?3, COALESCE((SELECT MAX(at) FROM served), 0) + 0.001), ?4)
    ON CONFLICT (client, owner) DO UPDATE SET at = excluded.at, seconds = excluded.seconds"""
OVERTAKE = """
    UPDATE rows SET overtaken_seconds = overtaken_seconds + ? WHERE seq IN (SELECT value FROM json_each(?))"""
SUCCEED = f"UPDATE rows SET state = 'succeeded', result = ?, finished_at = ? WHERE {_MINE} RETURNING seq"
FAIL = f"UPDATE rows SET state = 'failed', error = ?, finished_at = ? WHERE {_MINE} RETURNING seq"
GIVE_BACK = f"UPDATE rows SET state = 'queued', attempt = attempt - 1, claimed_at = NULL WHERE {_MINE} RETURNING seq"


def _died(deaths: str, which: str) -> str:
    """Count a death in the column ``deaths`` of the running rows ``which``: they go back, or fail at ``?1`` deaths with
    the error ``?2`` at ``?3``."""
    # A prompt that cannot be written is no reason to draw nothing.
    given_up = f"{deaths} + 1 >= ?1 AND kind <> 'prompt'"
    return f"""
    UPDATE rows SET
        {deaths} = {deaths} + 1,
        state = CASE WHEN {given_up} THEN 'failed' ELSE 'queued' END,
        error = CASE WHEN {given_up} THEN ?2 END,
        finished_at = CASE WHEN {given_up} THEN ?3 END
    WHERE {which} RETURNING job_id, client, state"""


_THIS_ONE = "job_id = ?4 AND idx = ?5 AND state = 'running' AND attempt = ?6"
GPU_DIED = _died("gpu_deaths", _THIS_ONE)
WORKER_DIED = _died("worker_deaths", "state = 'running'")
NODE_LOST = _died("worker_deaths", _THIS_ONE)
PROMPT_WRITTEN = f"UPDATE rows SET kind = 'image', state = 'queued', claimed_at = NULL WHERE {_MINE} RETURNING seq"
"""The attempt stays counted: a row's attempts only ever grow, whatever it does in them."""
THE_OTHERS = "UPDATE rows SET kind = 'image' WHERE job_id = ? AND kind = 'later'"
SET_REQUEST = "UPDATE jobs SET request = ? WHERE id = ?"
CANCEL = f"""
    UPDATE rows SET state = 'cancelled', finished_at = ?1,
        result = CASE WHEN state = 'running' AND kind = 'chat' AND attempt = ?3 THEN ?4 ELSE result END
    WHERE job_id = ?2 AND {_OPEN} RETURNING *"""

# ---------------------------------------------------------------- pictures

IMAGE = "SELECT * FROM images WHERE image_id = ? AND client = ?"
IMAGES_HERE = "SELECT * FROM images WHERE gone_at IS NULL"
IMAGE_OF_ANY = "SELECT * FROM images WHERE image_id = ?"
UNDELIVERED_IN_ROOMS = """
    SELECT images.* FROM images JOIN jobs ON jobs.id = images.job_id
    WHERE images.gone_at IS NULL AND images.delivered_at IS NULL
    AND jobs.room IN (SELECT value FROM json_each(?))"""
INSERT_IMAGE = """
    INSERT INTO images (image_id, client, job_id, idx, relpath, mimetype, thumbnail_type, private, created_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
ADOPT_IMAGE = f"{INSERT_IMAGE} ON CONFLICT (image_id) DO NOTHING"
IMAGES_OF_JOB = "SELECT * FROM images WHERE job_id = ? AND gone_at IS NULL ORDER BY idx"
IMAGE_DELIVERED = "UPDATE images SET delivered_at = COALESCE(delivered_at, ?) WHERE image_id = ?"
IMAGE_KEPT = "UPDATE images SET kept = ? WHERE image_id = ?"
IMAGES_GONE = """
    UPDATE images SET gone_at = COALESCE(gone_at, ?), prompt = NULL, words = NULL, owner = NULL, room = NULL
    WHERE relpath IN (SELECT value FROM json_each(?))"""
UNUSE_IMAGE = "UPDATE image_users SET over = 1 WHERE image_id = ? AND key = ? RETURNING key"
RELEASE_IMAGE = "UPDATE images SET released = 1 WHERE image_id = ?"
IMAGE_IN_USE = """
    SELECT 1 FROM images WHERE image_id = ?1 AND gone_at IS NULL
    AND (released = 0 OR EXISTS (SELECT 1 FROM image_users WHERE image_id = ?1 AND over = 0))"""
FORGET_USERS = """
    DELETE FROM image_users WHERE image_id IN (SELECT image_id FROM images WHERE gone_at IS NOT NULL)"""

# ---------------------------------------------------------------- the gallery

TELL_IMAGE = """
    UPDATE images SET model = ?1, owner = COALESCE((SELECT owner FROM jobs WHERE id = images.job_id), ''),
        room = COALESCE((SELECT room FROM jobs WHERE id = images.job_id), ''),
        prompt = CASE WHEN private = 0 THEN ?2 END, words = CASE WHEN private = 0 THEN ?3 END
    WHERE image_id = ?4 AND gone_at IS NULL"""
"""Words of encrypted rooms are never written there, whoever keeps their pictures."""
IMAGES_UNTOLD = """
    SELECT images.*, rows.result AS result FROM images
    LEFT JOIN rows ON rows.job_id = images.job_id AND rows.idx = images.idx
    WHERE images.model IS NULL AND images.gone_at IS NULL AND images.idx >= 0 AND images.image_id > ?
    ORDER BY images.image_id LIMIT ?"""
SHOWN = "gone_at IS NULL AND idx >= 0 AND (private = 0 OR kept = 1)"
"""The condition of the partial index ``images_shown``, in its words."""
SHOWN_IMAGES = f"SELECT * FROM images WHERE {SHOWN}{{}} ORDER BY created_at DESC, image_id DESC LIMIT ?"
SHOWN_IMAGE = f"SELECT * FROM images WHERE image_id = ? AND {SHOWN}"
OLDER_IMAGE = f"""
    SELECT image_id FROM images WHERE {SHOWN} AND (created_at, image_id) < (?, ?)
    ORDER BY created_at DESC, image_id DESC LIMIT 1"""
NEWER_IMAGE = f"""
    SELECT image_id FROM images WHERE {SHOWN} AND (created_at, image_id) > (?, ?)
    ORDER BY created_at, image_id LIMIT 1"""
SHOWN_BY = f"""
    SELECT {{0}} AS value, COUNT(*) AS count FROM images INDEXED BY images_shown
    WHERE {SHOWN} AND {{0}} IS NOT NULL AND {{0}} <> '' GROUP BY {{0}} ORDER BY COUNT(*) DESC, {{0}} LIMIT ?"""
RESULT = "SELECT result FROM rows WHERE job_id = ? AND idx = ?"

_FORGET_RECORD = """
    UPDATE rows SET result = json_set(
        result, '$.filename', 'picture.png', '$.record.asked', json('{}'),
        '$.record.used.prompt', '', '$.record.used.expansion', NULL, '$.record.used.negative_prompt', '',
        '$.record.used.structure', NULL, '$.record.used.chance', NULL,
        '$.record.used.styles', json('[]'), '$.record.used.styled', NULL,
        '$.record.used.init_image', NULL, '$.record.used.mask', NULL, '$.record.used.control', NULL,
        '$.record.used.loras', json('[]'), '$.record.used.embeddings', json('[]'), '$.notes', json('[]'), '$.alt', NULL)
    WHERE result IS NOT NULL AND """
FORGET_RECORD = f"{_FORGET_RECORD} job_id = ? AND idx = ?"
FORGET_RECORDS_OF_JOBS = f"{_FORGET_RECORD} job_id IN (SELECT value FROM json_each(?))"
"""Pictures that a job has from another one are among those of that one alone."""
FORGET_RECORDS = f"""{_FORGET_RECORD} (job_id, idx) IN (
        SELECT job_id, idx FROM images WHERE private = 1 AND relpath IN (SELECT value FROM json_each(?)))"""

# ---------------------------------------------------------------- contact sheets

SHEETS_OWED = f"""
    SELECT * FROM jobs WHERE sheet_owed = 1
    AND NOT EXISTS (SELECT 1 FROM rows WHERE job_id = jobs.id AND {_OPEN}) ORDER BY created_at LIMIT 20"""
SHEET_MADE = """
    UPDATE jobs SET sheet_owed = 0, sheet = ?1 WHERE id = ?2 AND sheet_owed = 1
    AND EXISTS (SELECT 1 FROM images WHERE job_id = ?2 AND gone_at IS NULL)
    AND NOT EXISTS (SELECT 1 FROM images WHERE job_id = ?2 AND idx < 0 AND gone_at IS NOT NULL) RETURNING id"""
INSERT_SHEET = f"""{INSERT_IMAGE}
    ON CONFLICT (image_id) DO UPDATE SET job_id = excluded.job_id, idx = excluded.idx, relpath = excluded.relpath"""
"""A sheet's id is its job's: the row may be there, taken in from the file of a worker that died before it wrote one."""
SHEET_STALE = """
    UPDATE jobs SET sheet_owed = 1 WHERE id = ?1 AND sheet IS NOT NULL
    AND EXISTS (SELECT 1 FROM images WHERE job_id = ?1 AND idx < 0 AND gone_at IS NULL)"""
SHEET_STAYS = "UPDATE jobs SET sheet_owed = 0 WHERE id = ?"
NO_SHEET = "UPDATE jobs SET sheet_owed = 0, sheet = ? WHERE id = ? AND sheet_owed = 1"
SHEET_DELIVERED = """
    UPDATE images SET delivered_at = ?1, keep_until = ?2 WHERE job_id = ?3 AND idx >= 0 AND delivered_at IS NULL"""
IMAGES_CHOSEN_FROM = "SELECT * FROM images WHERE keep_until <= ? AND private = 1 AND gone_at IS NULL"
FORGET_SHEET = (
    "UPDATE jobs SET sheet = json_set(sheet, '$.picture.filename', 'sheet.jpg') WHERE id = ? AND sheet IS NOT NULL"
)
FORGET_SHEETS = """
    UPDATE jobs SET sheet = json_set(sheet, '$.picture.filename', 'sheet.jpg') WHERE sheet IS NOT NULL AND id IN (
        SELECT job_id FROM images WHERE private = 1 AND idx < 0 AND relpath IN (SELECT value FROM json_each(?)))"""

# ---------------------------------------------------------------- pictures to start from

_WANTED = f"""
    (client, id) IN (SELECT jobs.client, json_extract(jobs.request, named.value || '.id')
    FROM jobs, json_each('["$.init_image", "$.mask", "$.control"]') AS named
    WHERE jobs.id IN (SELECT job_id FROM rows WHERE {_OPEN})
    AND json_extract(jobs.request, named.value || '.id') IS NOT NULL
    UNION ALL SELECT jobs.client, shown.value FROM jobs, json_each(jobs.request, '$.pictures') AS shown
    WHERE jobs.id IN (SELECT job_id FROM rows WHERE {_OPEN}))"""
INPUT = "SELECT * FROM inputs WHERE client = ? AND id = ?"
INPUTS = f"SELECT *, {_WANTED} AS wanted FROM inputs ORDER BY used_at"
ADD_INPUT = """
    INSERT INTO inputs (client, id, width, height, size, private, used_at, alpha, animated, colours)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (client, id) DO UPDATE SET
        private = MAX(private, excluded.private), used_at = MAX(used_at, excluded.used_at),
        size = excluded.size, alpha = excluded.alpha, animated = excluded.animated,
        colours = excluded.colours RETURNING *"""
TOUCH_INPUT = """
    UPDATE inputs SET used_at = MAX(used_at, ?), private = MAX(private, ?) WHERE client = ? AND id = ? RETURNING *"""
DROP_INPUT = f"""
    DELETE FROM inputs WHERE client = ? AND id = ? AND used_at = ? AND NOT {_WANTED} RETURNING id"""

# ---------------------------------------------------------------- housekeeping

FORGET_CONTENT = f"""
    UPDATE jobs SET content = NULL, request = json_replace(request, '$.pictures', json('[]'))
    WHERE kind IN ('chat', 'describe') AND content IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM rows WHERE job_id = jobs.id AND (finished_at IS NULL OR finished_at > ?))
    AND id NOT IN (SELECT job_id FROM rows WHERE {_OPEN}) RETURNING id"""
FORGET_TEXT = """
    UPDATE rows SET result = json_replace(
        result, '$.text', '', '$.reasoning', '', '$.draws', NULL, '$.alt', '', '$.prompts', json('[]'))
    WHERE result IS NOT NULL AND job_id IN (SELECT value FROM json_each(?))"""
FORGET_REQUESTS = f"""
    UPDATE jobs SET forgotten = 1, request = json_set(
        request, '$.prompt', '', '$.expansion', NULL, '$.negative_prompt', '', '$.theme', NULL, '$.asked', json('{{}}'),
        '$.structure', NULL, '$.chance', NULL, '$.styles', json('[]'),
        '$.init_image', NULL, '$.mask', NULL, '$.control', NULL,
        '$.loras', json('[]'), '$.embeddings', json('[]'), '$.notes', json('[]'), '$.each', json('[]'),
        '$.sweep', json('[]'), '$.sheet', NULL)
    WHERE private = 1 AND forgotten = 0 AND kind = 'image'
    AND NOT EXISTS (SELECT 1 FROM images WHERE job_id = jobs.id AND gone_at IS NULL)
    AND NOT EXISTS (SELECT 1 FROM rows WHERE job_id = jobs.id AND (finished_at IS NULL OR finished_at > ?))
    AND id NOT IN (SELECT job_id FROM rows WHERE {_OPEN}) RETURNING id"""
FORGET_JOBS = """
    DELETE FROM jobs WHERE created_at < ?
    AND NOT EXISTS (SELECT 1 FROM rows WHERE job_id = jobs.id AND (finished_at IS NULL OR finished_at > ?))"""
FORGET_SERVED = "DELETE FROM served WHERE at < ?"
META = "SELECT value FROM meta WHERE name = ?"
SET_META = "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
SPEEDS = "SELECT name, value, samples FROM speeds"
SET_SPEED = """
    INSERT INTO speeds (name, value, samples) VALUES (?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value, samples = excluded.samples"""
