"""What the outbox tells of its parts."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ..errors import OtterbotError
from ..store.rows import Part


@dataclass(kw_only=True)
class Hooks:
    """What delivery wants to know. None of them may raise."""

    sent: Callable[[Part, str | None], Awaitable[None]]
    failed: Callable[[Part, str], Awaitable[None]]
    """With the reason that is stored with the part as well: ``not_allowed``, ``too_large``, ``upload_refused``,
    ``cannot_encrypt``, ``missing``, ``gone``, ``refused`` or ``throttled``."""
    missing: Callable[[Part], Awaitable[None]]
    """The worker does not have the result any more; the outbox's ``rebuild`` tries again."""
    no_encryption: Callable[[Part], Awaitable[Part | None]]
    """The fixed sentence for the request of that part, stored; ``None`` if it was said already."""


async def tell(hooks: Hooks | None, name: str, log: logging.Logger, *args: Any) -> None:
    """Call one of them; what fails in it is nothing to the outbox."""
    if hooks is None:
        return
    try:
        await getattr(hooks, name)(*args)
    except (OtterbotError, OSError) as error:
        log.error("After %s: %s", name, type(error).__name__)
