"""Requests whose pictures come on one contact sheet: the part ``sheet`` in place of ``picture/k``.

Whether a request's pictures do is what the worker has resolved: an older worker, or one that could not make the sheet,
has the pictures come one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .. import texts
from ..errors import WorkerRefused
from ..language.reaction import as_sent, plain
from ..matrix.encryption import Encryption
from ..matrix.http import MatrixHttp
from ..outbox.queue import Outbox
from ..store.part_names import SHEET, PartName
from ..store.rows import Part, PartState, Rank, Request
from ..store.store import Store
from ..worker.client import WorkerClient
from ..worker.jobs import Job
from .active import ActiveRequest
from .image_event import with_files
from .sheet_event import picture_of, sheet_content

FEATURE = "sheet"
INFO_SECONDS = 60.0
"""Seconds for which the worker's features are believed."""
OURS = ("then",)
"""Fields of a stored body that are for the plugin alone."""
NEW = ("sheet", "drawn_before")
"""Fields that a worker without the feature refuses."""
MOST_NUMBERS = 6
"""Fields of a sheet whose numbers are offered: each is an event, and homeservers let about ten through at a time."""
ON_ALL = frozenset("🔁⭐❌")
"""Reactions that act on all pictures of a sheet."""
OVER = (PartState.SENT, PartState.FAILED, PartState.DROPPED)


def wanted(request: Request, standing: Mapping[PartName, Part]) -> bool:
    """Whether its pictures come on a sheet, as far as is known."""
    resolved = request.resolved or {}
    return isinstance(resolved.get("sheet"), Mapping) and not any(name.is_picture for name in standing)


def offered(chosen: Sequence[str], job: Job | None) -> tuple[str, ...]:
    """What is offered under a sheet, of what the room has ``chosen`` for pictures: the numbers of its pictures first,
    where they are few and stand on it, then what acts on all of them."""
    fields = () if job is None or job.sheet is None else job.sheet.fields
    numbered = len(fields) <= MOST_NUMBERS and all(field.name == str(field.index + 1) for field in fields)
    numbers = [as_sent(plain(field.name)) for field in fields if field.shown] if numbered and chosen else []
    return (*numbers, *(emoji for emoji in chosen if plain(emoji) in ON_ALL))


class Sheets:
    """The builder of parts ``sheet``. One per plugin instance."""

    def __init__(
        self,
        store: Store,
        worker: WorkerClient,
        outbox: Outbox,
        http: MatrixHttp,
        encryption: Encryption,
        *,
        prefix: Callable[[], str],
    ) -> None:
        self._store = store
        self._worker = worker
        self._outbox = outbox
        self._http = http
        self._encryption = encryption
        self._prefix = prefix
        self._jobs: dict[str, Job] = {}
        """Jobs with their sheets, until the requests end."""

    async def body(self, active: ActiveRequest, body: dict[str, Any]) -> dict[str, Any]:
        """What the worker of now takes of a request's body. Raises what asking the worker raises."""
        body = {name: value for name, value in body.items() if name not in OURS}
        if not any(body.get(name) is not None for name in NEW):
            return body
        if FEATURE in (await self._worker.info(INFO_SECONDS)).features:
            return body
        if active.request.asked.get("sheet") is True:
            await self.note(active, texts.SHEET_OLD_WORKER)
        return {name: value for name, value in body.items() if name not in NEW}

    async def post(self, active: ActiveRequest, job: Job, standing: Mapping[PartName, Part]) -> bool:
        """Put the sheet into the outbox, once it is made. False: there will be none, so that its pictures have to come
        one by one."""
        if job.sheet is None:
            return True  # news of it follows
        if job.sheet.picture is None:
            await self.note(active, texts.NO_SHEET)
            return False
        image_id, part = job.sheet.picture.image_id, standing.get(SHEET)
        if part is not None and part.state in OVER:
            return True
        self._jobs[active.key] = job
        if part is None:
            await self._outbox.post(
                Part(key=active.key, part=SHEET, room_id=active.request.room_id, rank=Rank.RESULT, image_id=image_id)
            )
        elif part.image_id != image_id:
            await self._store.new_image(active.key, SHEET, image_id)
            self._outbox.rebuild(active.key, SHEET, image_id)
        else:
            self._outbox.rebuild(active.key, SHEET)
        return True

    async def note(self, active: ActiveRequest, sentence: str) -> None:
        """Have it said under the first picture, or the sheet."""
        if sentence not in active.request.notes:
            notes = (*active.request.notes, sentence)
            await self._store.set_notes(active.key, notes)
            active.request = replace(active.request, notes=notes)

    async def build(self, request: Request, part: Part, hint: str | None) -> dict[str, Any]:
        """The content of ``sheet``. After a restart only the part is in the database, and the worker is asked."""
        job = self._jobs.get(part.key)
        if job is None:
            if request.job_id is None:
                raise WorkerRefused(404, "not_found")
            job = self._jobs[part.key] = await self._worker.job(request.job_id)
        content = await sheet_content(self._worker, request, part, job, self._prefix(), hint)
        return await with_files(self._worker, self._http, self._encryption, request, part, picture_of(job), content)

    def forget(self, key: str) -> str | None:
        """Forget a finished request. Returns the id of its sheet's picture."""
        job = self._jobs.pop(key, None)
        return None if job is None or job.sheet is None or job.sheet.picture is None else job.sheet.picture.image_id
