"""A picture that a language model asks for in a chat becomes a request of the person who chats, with all its limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .. import texts
from ..config import Values
from ..language.options import DrawOptions
from ..store.quotas import Follow
from ..store.rows import Request, follow_key
from ..store.store import Store
from .asked_picture import picture_request
from .context import circumstances_in
from .limits import Limits
from .outcome import Unusable
from .permissions import Permissions
from .picture_request import new_seed
from .room_settings import RoomSettings


class DrawnByChat:
    def __init__(
        self,
        permissions: Permissions,
        settings: RoomSettings,
        limits: Limits,
        values: Callable[[], Values],
        store: Store,
    ) -> None:
        self._permissions = permissions
        self._settings = settings
        self._limits = limits
        self._values = values
        self._store = store

    async def request(self, turn: Request, wanted: DrawOptions, answer: str, root: str | None) -> Follow | str | None:
        """What follows from ``turn``: one picture, which replies to the event ``answer`` in the thread ``root``. A
        sentence where it cannot be drawn; ``None``: that person may not use the bot any more.

        The words are a model's already, so no other model writes more of them.
        """
        if not self._permissions.may_use(turn.sender):
            return None
        values, now = self._values(), self._store.clock.now()
        options = replace(wanted, count=1, expand=False)
        try:
            around = await circumstances_in(turn.room_id, self._settings, values)
            new = picture_request(options, around, seed=new_seed(), other=new_seed())
        except Unusable as refusal:
            return str(refusal)
        request = Request(
            key=follow_key(turn.key),
            room_id=turn.room_id,
            event_id=answer,
            sender=turn.sender,
            kind=new.kind,
            body=new.body,
            asked=new.asked,
            notes=new.notes,
            private=turn.private,
            thread_root=root,
            sent_at=now,
            created_at=now,
            expires_at=now + values.keep_hours * 3600,
        )
        quotas = await self._limits.of(turn.room_id, turn.sender, "image")
        over = await self._store.too_much(request, quotas)
        return Follow(request=request, quotas=quotas) if over is None else texts.too_much(over)
