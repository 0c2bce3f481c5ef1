"""Ends requests that have waited for too long, or whose room is unreachable."""

from __future__ import annotations

from .. import texts
from ..matrix.room_state import Place
from ..outbox.queue import Outbox
from ..store.rows import Request
from ..store.store import Store
from .active_requests import ActiveRequests
from .cancel import Cancellation
from .completion import Completion
from .following import loses


class Expiry:
    """Ends each with one sentence, and tells the worker to stop."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        cancelling: Cancellation,
        active: ActiveRequests,
        completion: Completion,
    ) -> None:
        self._store = store
        self._outbox = outbox
        self._cancelling = cancelling
        self._active = active
        self._completion = completion

    async def give_up(self, request: Request, outcome: str, text: str) -> None:
        """End a request with that sentence, and withdraw its results."""
        active = self._active.get(request.key)
        if active is None:
            return
        if loses(request):
            text = f"{text} {texts.NOR_WHAT_FOLLOWS}"
        await self._completion.end_with(active, outcome, text, cancel_owed=True)
        ended = await self._store.request(request.key)
        if ended is not None and not ended.open:
            await self._cancelling.take_results_back(ended)

    async def expire(self, request: Request) -> None:
        """End a request that has waited for too long."""
        hours, state = (request.expires_at - request.created_at) / 3600, self._active.worker
        active = self._active.get(request.key)
        if self._outbox.blocked.place(request.room_id) not in (None, Place.SPEAKS):
            text = texts.could_not_speak(hours)
        else:
            text = texts.expired(
                hours,
                away=state.away_since is not None,
                unauthorized=state.unauthorized,
                paused=state.pause.paused,
                disk_full=active is not None and active.disk_full,
                drawn=active is not None and active.job is not None and active.job.final,
            )
        await self.give_up(request, "expired", text)
